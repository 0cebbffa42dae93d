"""Arrivals as a `Received` message and back: columns of differences, thinned where a pulse was long. Pure."""

from collections.abc import Iterable
from itertools import accumulate, pairwise

from campus_agent.engine.messages import Columns, ProtocolError, Received
from campus_agent.engine.pulse import Arrivals, Sample
from campus_agent.engine.spec import MAX_REPORT_ROWS


def to_message(pulse: int, seen: Arrivals) -> Received:
    """What the responder tells of a pulse."""
    rows = _rows(seen)
    place = {index: row for row, index in enumerate(rows)}
    samples = [sample for sample in seen.samples if sample.row in place]
    return Received(
        pulse=pulse,
        packets=seen.packets,
        received_ns=_differences(seen.received_ns[i] for i in rows),
        sent_ns=_differences(seen.sent_ns[i] for i in rows),
        sequence=_differences(seen.sequence[i] for i in rows),
        count=_differences(seen.count[i] for i in rows),
        sample_row=_differences(place[sample.row] for sample in samples),
        sample_bytes=_differences(sample.octets for sample in samples),
        sample_packets=_differences(sample.packets for sample in samples),
        overflow=seen.overflow,
        clock_step_ns=seen.clock_step_ns,
        kernel_stamps=seen.kernel_stamps,
    )


def from_message(said: Received) -> Arrivals:
    """What the client reads from it. Raises ProtocolError for columns that cannot be."""
    rows = len(said.received_ns)
    if not rows == len(said.sent_ns) == len(said.sequence) == len(said.count):
        raise ProtocolError("columns of a report differ in length")
    if not len(said.sample_row) == len(said.sample_bytes) == len(said.sample_packets):
        raise ProtocolError("sample columns of a report differ in length")
    row_of_sample = list(accumulate(said.sample_row))
    if any(not 0 <= row < rows for row in row_of_sample):
        raise ProtocolError("a sample of a report has no row")
    samples = zip(row_of_sample, accumulate(said.sample_bytes), accumulate(said.sample_packets), strict=True)
    return Arrivals(
        received_ns=list(accumulate(said.received_ns)),
        sent_ns=list(accumulate(said.sent_ns)),
        sequence=list(accumulate(said.sequence)),
        count=list(accumulate(said.count)),
        samples=[Sample(*sample) for sample in samples],
        packets=said.packets,
        overflow=said.overflow,
        clock_step_ns=said.clock_step_ns,
        kernel_stamps=said.kernel_stamps,
    )


def _rows(seen: Arrivals) -> list[int]:
    """Which arrivals are told: all of a short pulse; of a long one an even choice, and those at which a counter was read."""
    total = len(seen.received_ns)
    if total <= MAX_REPORT_ROWS:
        return list(range(total))
    every = -(-total // MAX_REPORT_ROWS)
    return sorted({*range(0, total, every), *(sample.row for sample in seen.samples), total - 1})


def _differences(values: Iterable[int]) -> Columns:
    return [after - before for before, after in pairwise([0, *values])]
