"""Arrivals as a `Received` message and back: columns of differences, thinned where a pulse was long. Pure."""

from collections.abc import Iterable
from itertools import accumulate, pairwise

from campus_agent.engine.messages import Columns, ProtocolError, Received
from campus_agent.engine.pulse import Arrivals, Sample
from campus_agent.engine.spec import MAX_REPORT_ROWS


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
    )


def _rows(total: int) -> list[int]:
    """Which arrivals are told: all of a short pulse; of a long one an even choice, and the last."""
    every = -(-total // MAX_REPORT_ROWS)
    return sorted({*range(0, total, every), total - 1}) if every > 1 else list(range(total))


def _differences(values: Iterable[int]) -> Columns:
    return [after - before for before, after in pairwise([0, *values])]
