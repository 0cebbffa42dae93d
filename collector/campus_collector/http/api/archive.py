"""GET /v1/archive: which months are archived, with counts, chain heads and the hash of each manifest."""

from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request

from campus_collector.archive.service import ArchiveEntry
from campus_collector.http.auth.scope import scope_of
from campus_collector.http.query import MONTH_PATTERN, report_month
from campus_collector.http.routes import Operation, Routes


class ArchiveQuery(msgspec.Struct):
    month: Annotated[str, Meta(pattern=MONTH_PATTERN, description="one month only")] = ""


class ArchivedHead(msgspec.Struct, frozen=True):
    """A school's part of a month: its results, their places in its chain, and the chain's heads before and after them (SHA-256)."""

    school: str
    town: str
    results: int
    first_sequence: int
    last_sequence: int
    head_before: str
    head_after: str


class ArchivedMonthAnswer(msgspec.Struct, frozen=True):
    """A closed month. `state`: archived, waiting (it has no archive yet), elsewhere (another collector on the database has it), lost (its
    files are not there as they were archived).

    `manifest_sha256` is as it was recorded; a reader of one town is given the heads of that town's schools.
    `has_left_database`: its results are read from its archive.
    """

    month: str
    state: str
    archived_at: datetime | None = None
    results: int | None = None
    schools: int | None = None
    bytes: int | None = None
    manifest_sha256: str | None = None
    program_version: str | None = None
    policy_version: str | None = None
    heads: list[ArchivedHead] = []
    has_left_database: bool = False


class ArchiveAnswer(msgspec.Struct, frozen=True):
    months: list[ArchivedMonthAnswer]


class ArchiveRoutes(Routes):
    @Operation(
        "GET", "/v1/archive", "Archives of closed months, newest first", query=ArchiveQuery, refusals=(400, 404, 503)
    )
    def archives(self, request: Request) -> ArchiveAnswer:
        asked, town = request.query_params.get("month", ""), scope_of(request).town
        month = str(report_month(asked, self.service)) if asked else ""
        entries = self.service.archives.entries()
        return ArchiveAnswer([_answer(entry, town) for entry in entries if month in ("", entry.month)])


def _answer(entry: ArchiveEntry, town: str | None) -> ArchivedMonthAnswer:
    record, manifest = entry.record, entry.manifest
    if record is None:
        return ArchivedMonthAnswer(entry.month, entry.state)
    known = (record.archived_at, record.results, record.schools)
    if manifest is None or entry.state != "archived":
        return ArchivedMonthAnswer(
            entry.month, entry.state, *known, manifest_sha256=record.manifest_sha256, has_left_database=entry.has_left
        )
    return ArchivedMonthAnswer(
        entry.month,
        entry.state,
        *known,
        sum(file.bytes for file in manifest.files.values()),
        record.manifest_sha256,
        manifest.program_version,
        manifest.policy_version,
        [ArchivedHead(*msgspec.structs.astuple(chain)) for chain in manifest.heads if not town or chain.town == town],
        entry.has_left,
    )
