"""What an archive of a month holds: Parquet files by town, the context that judging needs, and the manifest. See docs/pages/en/archives.md.

DIR/month=2026-10/manifest.json
DIR/month=2026-10/context.json
DIR/month=2026-10/links.csv.gz
DIR/month=2026-10/town=t01/results.parquet
"""

from collections.abc import Iterable, Iterator
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote, unquote

import msgspec
from msgspec import UNSET, UnsetType

from campus_collector.domain.schools import School, Subject
from campus_collector.store.columns import micros_or_none
from campus_wire.bandwidth import line_rate_of
from campus_wire.records import (
    AnyResult,
    DeviceRecord,
    Interruption,
    LatencyProbeRecord,
    LatencyRecord,
    LessonStreamRecord,
    PortRecord,
    RoomRecord,
    ServiceRecord,
    ThroughputRecord,
    outcome_of,
    test_bytes_of,
)

FORMAT = 1
"""Grows when files are no longer what a reader of this version expects."""
MANIFEST, CONTEXT, LINKS, RESULTS = "manifest.json", "context.json", "links.csv.gz", "results.parquet"
NO_TOWN = "__HIVE_DEFAULT_PARTITION__"
"""The name that stock readers give to a partition without a value."""
SHA256_START_BYTES = 8
"""So much of each result's SHA-256 stands beside it: with all 32 bytes a result would take half as much again, and the chain holds them all."""


class ArchivedRow(msgspec.Struct, omit_defaults=True, gc=False):
    """A result as an analyst reads it. Each field is a column, None where it was not measured; `raw` holds the bytes as they came, where they are text.

    Rates are bits per second, sizes bytes, times seconds; `started_at` and `ended_at` are microseconds since 1970.
    """

    school: str
    kind: str
    subject: str
    started_at: int
    sequence: int
    sha256_start: str
    raw: str | None = None
    raw_base64: bytes | None = None
    outcome: str | None = None
    validity: str | None = None
    failed_operation: str | None = None
    failure: str | None = None
    skipped: str | None = None
    duration_seconds: float | None = None
    segment: str | None = None
    mode: str | None = None
    engine: str | None = None
    required_bits_per_second: float | None = None
    down_line_rate_bits_per_second: float | None = None
    up_line_rate_bits_per_second: float | None = None
    down_lower_bound: bool | None = None
    up_lower_bound: bool | None = None
    test_bytes: int | None = None
    idle_rtt_median_seconds: float | None = None
    idle_jitter_seconds: float | None = None
    idle_loss_ratio: float | None = None
    working_rtt_p95_seconds: float | None = None
    success: bool | None = None
    http_status: int | None = None
    first_byte_seconds: float | None = None
    total_seconds: float | None = None
    up: bool | None = None
    speed_bits_per_second: float | None = None
    ended_at: int | None = None
    direction: str | None = None
    fault_location: str | None = None
    lost_packets: int | None = None
    device: str | None = None
    observed_minutes: int | None = None
    sent_packets: int | None = None
    lost_up_packets: int | None = None
    lost_down_packets: int | None = None
    reordered_packets: int | None = None
    unknown_seconds: float | None = None
    minute_rtt_p95_max_seconds: float | None = None
    longest_gap_seconds: float | None = None
    interruptions: int | None = None


_SQL_TYPES = {str: "VARCHAR", int: "BIGINT", float: "DOUBLE", bool: "BOOLEAN"}


def _sql_type(field: str) -> str:
    annotation = ArchivedRow.__annotations__[field]
    return next((sql for kind, sql in _SQL_TYPES.items() if annotation in (kind, kind | None)), "VARCHAR")


WRITTEN = {name: _sql_type(name) for name in ArchivedRow.__struct_fields__}
"""The types of the fields, as they are written for DuckDB to read."""
COLUMNS = {name: sql_type for name, sql_type in WRITTEN.items() if name != "raw_base64"} | {
    "started_at": "TIMESTAMP WITH TIME ZONE",
    "sha256_start": "BLOB",
    "raw": "BLOB",
    "ended_at": "TIMESTAMP WITH TIME ZONE",
}
"""The columns of the file, in their order, with their types."""
_FROM_WRITTEN = {
    "started_at": "make_timestamptz(started_at)",
    "sha256_start": "unhex(sha256_start)",
    "ended_at": "make_timestamptz(ended_at)",
    "raw": "coalesce(encode(raw), from_base64(raw_base64))",
}
SELECTED = ", ".join(f"{_FROM_WRITTEN[name]} AS {name}" if name in _FROM_WRITTEN else name for name in COLUMNS)
"""Each column from what is written."""


def row_of(
    school: str,
    kind: str,
    subject: str,
    started_at: int,
    sequence: int,
    raw: bytes,
    digest: bytes,
    result: AnyResult | None,
) -> ArchivedRow:
    """A result's row; `digest` is the SHA-256 of `raw`. Of a result that cannot be read only where it was stored, and its bytes."""
    row = ArchivedRow(school, kind, subject, started_at, sequence, digest[:SHA256_START_BYTES].hex())
    try:
        row.raw = None if b"\0" in raw else raw.decode()
    except UnicodeDecodeError:
        pass
    if row.raw is None:
        row.raw_base64 = raw
    if result is None:
        return row
    row.outcome, row.validity = outcome_of(result), result.validity
    row.skipped, row.duration_seconds = result.skipped, result.duration_seconds
    if result.failure is not None:
        row.failed_operation, row.failure = result.failure.operation, result.failure.kind
    record = getattr(result, "record", None)
    if isinstance(record, ThroughputRecord):
        row.test_bytes = test_bytes_of(result)
        _add_throughput(row, record)
    elif isinstance(record, ServiceRecord):
        row.success, row.http_status = record.success, record.http_status
        row.first_byte_seconds, row.total_seconds = record.first_byte_seconds, record.total_seconds
    elif isinstance(record, PortRecord):
        row.up, row.speed_bits_per_second = record.up, record.speed_bits_per_second
    elif isinstance(record, RoomRecord | DeviceRecord):
        row.up = record.up
    elif isinstance(record, LatencyProbeRecord):
        row.segment = record.segment
        _add_idle(row, record.idle)
    elif isinstance(record, LessonStreamRecord):
        _add_lesson_stream(row, record)
    elif isinstance(record, Interruption):
        _add_interruption(row, record)
    return row


def _add_lesson_stream(row: ArchivedRow, record: LessonStreamRecord) -> None:
    """The sums of its minutes; of round trips and gaps the worst minute. Without any minute: nothing is known."""
    row.interruptions = len(record.interruptions)
    minutes = record.minutes
    row.observed_minutes = len(minutes)
    if not minutes:
        return
    row.sent_packets = sum(minute.sent for minute in minutes)
    row.lost_up_packets = sum(minute.lost_up for minute in minutes)
    row.lost_down_packets = sum(minute.lost_down for minute in minutes)
    row.reordered_packets = sum(minute.reordered for minute in minutes)
    row.unknown_seconds = sum(minute.unknown_seconds for minute in minutes)
    row.minute_rtt_p95_max_seconds = max(_known(minute.rtt_p95_seconds for minute in minutes), default=None)
    row.longest_gap_seconds = max(_known(minute.longest_gap_seconds for minute in minutes), default=None)


def _known(values: Iterable[float | None]) -> Iterator[float]:
    return (value for value in values if value is not None)


def _add_interruption(row: ArchivedRow, interruption: Interruption) -> None:
    row.ended_at = micros_or_none(interruption.ended_at)
    row.direction, row.fault_location = interruption.direction, interruption.where
    row.lost_packets, row.device = interruption.lost, interruption.device


def _add_idle(row: ArchivedRow, idle: LatencyRecord) -> None:
    row.idle_rtt_median_seconds, row.idle_jitter_seconds = idle.rtt_median_seconds, idle.jitter_seconds
    row.idle_loss_ratio = idle.loss_ratio


def _add_throughput(row: ArchivedRow, record: ThroughputRecord) -> None:
    row.segment, row.mode, row.engine = record.segment, record.mode, record.engine
    row.required_bits_per_second = record.required_bits_per_second
    down, up, idle = record.down, record.up, record.idle
    if down is not None:
        row.down_line_rate_bits_per_second = line_rate_of(down, record.encapsulation)
        row.down_lower_bound = down.lower_bound
    if up is not None:
        row.up_line_rate_bits_per_second = line_rate_of(up, record.encapsulation)
        row.up_lower_bound = up.lower_bound
    if idle is not None:
        _add_idle(row, idle)
    if record.working is not None:
        row.working_rtt_p95_seconds = record.working.rtt_p95_seconds


class ArchivedFile(msgspec.Struct, frozen=True):
    """A file of an archive; `results` is how many it holds, 0 of one that holds none."""

    sha256: str
    bytes: int
    results: int = 0


class ArchivedChain(msgspec.Struct, frozen=True):
    """A school's part of a month: how many results, and which places of its chain they take, from the first to the last.

    `head_before` is the chain's head before the first of these places, `head_after` after the last, in hexadecimal. Places 0 and heads "": all of
    the school's results are older than its chain.
    """

    school: str
    town: str
    results: int
    first_sequence: int = 0
    last_sequence: int = 0
    head_before: str = ""
    head_after: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What an archive holds. `sha256` is that of this record without it, so that an edit shows."""

    format: int
    month: str
    timezone: str
    county: str
    closed_at: datetime
    program_version: str
    policy_version: str
    figures_hash: str
    results: int
    schools: int
    files: dict[str, ArchivedFile]
    heads: list[ArchivedChain]
    closing_policy_version: str | UnsetType = UNSET
    """The policy by which the month was closed; `policy_version` is the archived one, in force when the archive was written. Absent in older
    archives, and not written as nothing: their hash stays what it was."""
    sha256: str = ""


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What judging a month needs beside its results. `workdays` are those of the month by the calendar as it was announced; `policy` is the text in force."""

    month: str
    timezone: str
    first_day: str
    last_day: str
    workdays: list[str]
    policy: str
    policy_version: str
    schools: list[School]
    subjects: list[Subject]
    published: list[tuple[str, str, str, str]]
    """Target, school, subject and verdict, as they were published when the month was closed."""
    timetables: dict[str, list[str]] = {}
    """The lessons of a school's timetable, as `08:00-08:45`; "" of the schools that have none of their own."""


def hash_of(manifest: Manifest) -> str:
    """The SHA-256 that a manifest should carry."""
    return sha256(msgspec.json.encode(msgspec.structs.replace(manifest, sha256=""))).hexdigest()


def folder_name(month: str) -> str:
    """Of a month's archive, as stock readers take it for a partition."""
    return f"month={month}"


def results_file(town: str) -> str:
    """The path of a town's results within the archive."""
    return f"town={quote(town, safe='') or NO_TOWN}/{RESULTS}"


def town_of(path: str) -> str | None:
    """The town of a file of results; None of any other file."""
    folder, _, name = path.partition("/")
    if name != RESULTS or not folder.startswith("town="):
        return None
    town = folder.removeprefix("town=")
    return "" if town == NO_TOWN else unquote(town)
