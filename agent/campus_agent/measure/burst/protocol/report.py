"""Arrivals as a `Received` message and back: columns of differences, thinned where a pulse was long. Pure."""

from collections.abc import Iterable
from itertools import accumulate, pairwise

from campus_agent.measure.burst.io.stream import Inflow
from campus_agent.measure.burst.protocol.messages import Columns, Flow, ProtocolError, Received
from campus_agent.measure.burst.pulse import Arrivals, Sample
from campus_agent.measure.burst.spec import MAX_REPORT_ROWS


def to_message(pulse: int, seen: Arrivals) -> Received:
    """What the responder tells of a pulse."""
    rows = _rows(len(seen.received_ns))
    return Received(
        pulse=pulse,
        packets=seen.packets,
        received_ns=_differences(seen.received_ns[i] for i in rows),
        sent_ns=_differences(seen.sent_ns[i] for i in rows),
        sequence=_differences(seen.sequence[i] for i in rows),
        count=_differences(seen.count[i] for i in rows),
        sample_ns=_differences(sample.at_ns for sample in seen.samples),
        sample_bytes=_differences(sample.octets for sample in seen.samples),
        sample_packets=_differences(sample.packets for sample in seen.samples),
        overflow=seen.overflow,
        overflow_ns=seen.overflow_ns,
        clock_step_ns=seen.clock_step_ns,
        kernel_stamps=seen.kernel_stamps,
        waited_ns=seen.waited_ns,
    )


def from_message(said: Received) -> Arrivals:
    """What the client reads from it. Raises ProtocolError for columns that cannot be."""
    if not len(said.received_ns) == len(said.sent_ns) == len(said.sequence) == len(said.count):
        raise ProtocolError("columns of a report differ in length")
    if not len(said.sample_ns) == len(said.sample_bytes) == len(said.sample_packets):
        raise ProtocolError("sample columns of a report differ in length")
    samples = zip(
        accumulate(said.sample_ns), accumulate(said.sample_bytes), accumulate(said.sample_packets), strict=True
    )
    return Arrivals(
        received_ns=list(accumulate(said.received_ns)),
        sent_ns=list(accumulate(said.sent_ns)),
        sequence=list(accumulate(said.sequence)),
        count=list(accumulate(said.count)),
        samples=[Sample(*sample) for sample in samples],
        packets=said.packets,
        overflow=said.overflow,
        overflow_ns=said.overflow_ns,
        clock_step_ns=said.clock_step_ns,
        kernel_stamps=said.kernel_stamps,
        waited_ns=said.waited_ns,
    )


def flow_message(stream: int, seen: Inflow, first: int, *, last: bool) -> Flow:
    """What came of a stream from row `first` on."""
    counted = len(seen.samples) == len(seen.at_ns)
    return Flow(
        stream=stream,
        at_ns=_differences(seen.at_ns[first:]),
        octets=_differences(seen.octets[first:]),
        sample_bytes=_differences(sample.octets for sample in seen.samples[first:]) if counted else [],
        sample_packets=_differences(sample.packets for sample in seen.samples[first:]) if counted else [],
        last=last,
        waited_ns=seen.waited_ns,
    )


def add_flow(seen: Inflow, said: Flow) -> None:
    """Put the rows of a message to those before. Raises ProtocolError for columns that cannot be."""
    if len(said.at_ns) != len(said.octets) or len(said.sample_bytes) != len(said.sample_packets):
        raise ProtocolError("columns of a flow differ in length")
    if said.sample_bytes and len(said.sample_bytes) != len(said.at_ns):
        raise ProtocolError("sample columns of a flow differ in length")
    if any(step < 0 for column in (said.at_ns, said.octets) for step in column):
        raise ProtocolError("a flow that runs backwards")
    at_ns = list(accumulate(said.at_ns))
    if seen.at_ns and at_ns and at_ns[0] < seen.at_ns[-1]:
        raise ProtocolError("a flow that runs backwards")
    seen.waited_ns = said.waited_ns
    counters = zip(at_ns, accumulate(said.sample_bytes), accumulate(said.sample_packets), strict=False)
    seen.samples += [Sample(*sample) for sample in counters]
    seen.at_ns += at_ns
    seen.octets += accumulate(said.octets)


def _rows(total: int) -> list[int]:
    """Which arrivals are told: all of a short pulse; of a long one an even choice, and the last."""
    every = -(-total // MAX_REPORT_ROWS)
    return sorted({*range(0, total, every), total - 1}) if every > 1 else list(range(total))


def _differences(values: Iterable[int]) -> Columns:
    return [after - before for before, after in pairwise([0, *values])]
