"""Arrivals as a `Received` message and back: columns of differences, thinned where a burst was long. Pure."""

from collections.abc import Iterable
from itertools import accumulate, pairwise

from campus_agent.measure.burst.observation import Arrivals, CounterSample, StreamArrivals
from campus_agent.measure.burst.protocol.messages import Columns, Flow, ProtocolError, Received
from campus_agent.measure.burst.spec import MAX_REPORT_ROWS, SESSION_SECONDS


def to_message(burst: int, arrivals: Arrivals) -> Received:
    """The responder's report of a burst."""
    rows = _rows(len(arrivals.received_ns))
    return Received(
        burst=burst,
        packets=arrivals.packets,
        received_ns=_differences(arrivals.received_ns[i] for i in rows),
        sent_ns=_differences(arrivals.sent_ns[i] for i in rows),
        sequence=_differences(arrivals.sequence[i] for i in rows),
        count=_differences(arrivals.count[i] for i in rows),
        sample_ns=_differences(sample.at_ns for sample in arrivals.samples),
        sample_bytes=_differences(sample.total_bytes for sample in arrivals.samples),
        sample_packets=_differences(sample.packets for sample in arrivals.samples),
        overflow=arrivals.overflow,
        overflow_ns=arrivals.overflow_ns,
        clock_step_ns=arrivals.clock_step_ns,
        kernel_stamps=arrivals.kernel_stamps,
        waited_ns=arrivals.waited_ns,
    )


def from_message(message: Received) -> Arrivals:
    """What the client reads from it. Raises ProtocolError for columns that cannot be."""
    if not len(message.received_ns) == len(message.sent_ns) == len(message.sequence) == len(message.count):
        raise ProtocolError("columns of a report differ in length")
    if not len(message.sample_ns) == len(message.sample_bytes) == len(message.sample_packets):
        raise ProtocolError("sample columns of a report differ in length")
    samples = zip(
        accumulate(message.sample_ns), accumulate(message.sample_bytes), accumulate(message.sample_packets), strict=True
    )
    return Arrivals(
        received_ns=list(accumulate(message.received_ns)),
        sent_ns=list(accumulate(message.sent_ns)),
        sequence=list(accumulate(message.sequence)),
        count=list(accumulate(message.count)),
        samples=[CounterSample(*sample) for sample in samples],
        packets=message.packets,
        overflow=message.overflow,
        overflow_ns=message.overflow_ns,
        clock_step_ns=message.clock_step_ns,
        kernel_stamps=message.kernel_stamps,
        waited_ns=message.waited_ns,
    )


def flow_message(stream: int, arrivals: StreamArrivals, first: int, *, last: bool) -> Flow:
    """What came of a stream from row `first` on."""
    counted = len(arrivals.samples) == len(arrivals.at_ns)
    return Flow(
        stream=stream,
        at_ns=_differences(arrivals.at_ns[first:]),
        octets=_differences(arrivals.payload_bytes[first:]),
        sample_bytes=_differences(sample.total_bytes for sample in arrivals.samples[first:]) if counted else [],
        sample_packets=_differences(sample.packets for sample in arrivals.samples[first:]) if counted else [],
        last=last,
        waited_ns=arrivals.waited_ns,
    )


def add_flow(arrivals: StreamArrivals, message: Flow) -> None:
    """Put the rows of a message to those before. Raises ProtocolError for columns that cannot be."""
    if len(message.at_ns) != len(message.octets) or len(message.sample_bytes) != len(message.sample_packets):
        raise ProtocolError("columns of a flow differ in length")
    if message.sample_bytes and len(message.sample_bytes) != len(message.at_ns):
        raise ProtocolError("sample columns of a flow differ in length")
    if any(step < 0 for column in (message.at_ns, message.octets) for step in column):
        raise ProtocolError("a flow that runs backwards")
    at_ns = list(accumulate(message.at_ns))
    if arrivals.at_ns and at_ns and at_ns[0] < arrivals.at_ns[-1]:
        raise ProtocolError("a flow that runs backwards")
    if at_ns and at_ns[-1] - (arrivals.at_ns or at_ns)[0] > SESSION_SECONDS * 1e9:
        raise ProtocolError("a flow that is longer than its session")  # estimates go through it slot by slot
    arrivals.waited_ns = message.waited_ns
    counters = zip(at_ns, accumulate(message.sample_bytes), accumulate(message.sample_packets), strict=False)
    arrivals.samples += [CounterSample(*sample) for sample in counters]
    arrivals.at_ns += at_ns
    arrivals.payload_bytes += accumulate(message.octets)


def _rows(total: int) -> list[int]:
    """The rows of arrivals to report: all of a short burst; of a long one evenly spaced rows, and the last."""
    every = -(-total // MAX_REPORT_ROWS)
    return sorted({*range(0, total, every), total - 1}) if every > 1 else list(range(total))


def _differences(values: Iterable[int]) -> Columns:
    return [after - before for before, after in pairwise([0, *values])]
