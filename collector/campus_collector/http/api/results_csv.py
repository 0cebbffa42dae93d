"""Results as a table for a spreadsheet program: one row a result, one column a figure, with its unit in the heading."""

from collections.abc import Iterable, Iterator
from datetime import UTC

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.wire_words import FAILURE_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_collector.http.csv_rows import BOM, Cell, csv_row
from campus_collector.store.stored import decode_stored
from campus_wire.bandwidth import line_rate_of
from campus_wire.records import (
    AnyResult,
    DeviceResult,
    InspectionResult,
    LatencyRecord,
    LatencyResult,
    PortResult,
    RoomResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
    kind_of,
)

HEADINGS: tuple[Message, ...] = (
    message("school"),
    message("subject"),
    message("kind"),
    message("began (UTC)"),
    message("took (s)"),
    message("validity"),
    message("failed"),
    message("not tested"),
    message("remark"),
    message("payload rate down (bit/s)"),
    message("payload rate up (bit/s)"),
    message("factor from payload rate to line rate"),
    message("line rate down (bit/s)"),
    message("line rate up (bit/s)"),
    message("required line rate (bit/s)"),
    message("round trip idle, median (s)"),
    message("round trip under load, 95 % (s)"),
    message("jitter idle (s)"),
    message("loss idle (share)"),
    message("first byte after (s)"),
    message("HTTP status"),
    message("works (1 or 0)"),
    message("link speed of the port (bit/s)"),
    message("readings"),
    pmessage("of a result", "id"),
    message("test server"),
)


def csv_lines(raws: Iterable[bytes], language: Language) -> Iterator[bytes]:
    """UTF-8 with BOM, line by line; no cell begins like a formula. What today's contract cannot read is left out."""
    yield BOM + csv_row([heading.in_(language) for heading in HEADINGS])
    for raw in raws:
        result = decode_stored(raw)
        if result is not None:
            yield csv_row(_cells(result, language))


def _cells(result: AnyResult, language: Language) -> list[Cell]:
    throughput = _throughput(result)
    began = result.started_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [
        result.school,
        result.subject,
        kind_of(result),
        began,
        result.duration_seconds,
        VALIDITY_WORDS[result.validity].in_(language),
        FAILURE_WORDS[result.failure.kind].in_(language) if result.failure is not None else "",
        SKIP_WORDS[result.skipped].in_(language) if result.skipped is not None else "",
        result.detail,
        *_rates(throughput),
        *_delays(result, throughput),
        *_access(result),
        _works(result),
        result.record.speed_bits_per_second if isinstance(result, PortResult) and result.record is not None else None,
        _readings(result),
        result.id,
        throughput.server if throughput is not None else None,
    ]


def _throughput(result: AnyResult) -> ThroughputRecord | None:
    if isinstance(result, ThroughputResult):
        return result.record
    return result.record.measured if isinstance(result, InspectionResult) and result.record is not None else None


def _rates(record: ThroughputRecord | None) -> list[Cell]:
    """Payload rates, factor, line rates, required rate."""
    if record is None:
        return [None] * 6
    path = record.encapsulation
    ways = (record.down, record.up)
    payload: list[Cell] = [None if way is None else way.goodput_bits_per_second for way in ways]
    line: list[Cell] = [None if way is None else line_rate_of(way, path) for way in ways]
    return [*payload, path.wire_bytes / path.mss_bytes, *line, record.required_bits_per_second]


def _delays(result: AnyResult, record: ThroughputRecord | None) -> list[Cell]:
    """Round trips idle and under load, jitter, loss."""
    idle: LatencyRecord | None = record.idle if record is not None else None
    if isinstance(result, LatencyResult) and result.record is not None:
        idle = result.record.idle
    loaded = record.working.rtt_p95_seconds if record is not None and record.working is not None else None
    if idle is None:
        return [None, loaded, None, None]
    return [idle.rtt_median_seconds, loaded, idle.jitter_seconds, idle.loss_ratio]


def _access(result: AnyResult) -> list[Cell]:
    """Seconds to the first byte, and the status."""
    record = result.record if isinstance(result, ServiceResult) else None
    return [None, None] if record is None else [record.first_byte_seconds, record.http_status]


def _works(result: AnyResult) -> Cell:
    if isinstance(result, ServiceResult):
        return None if result.record is None else int(result.record.success)
    if isinstance(result, DeviceResult | RoomResult | PortResult):
        return None if result.record is None else int(result.record.up)
    return None


def _readings(result: AnyResult) -> str:
    """What a device said, in base units, by the names of the readings; the devices that keep a room from working."""
    if isinstance(result, DeviceResult) and result.record is not None:
        readings = {**result.record.readings, **result.record.words}
        return "; ".join(f"{name}={value}" for name, value in readings.items())
    return " ".join(result.record.down) if isinstance(result, RoomResult) and result.record is not None else ""
