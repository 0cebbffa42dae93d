"""GET /carriers: the lines by who carries them: what the contract promises, what is measured, what is not met, and since when."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.problem import Problem
from campus_collector.domain.schools import School
from campus_collector.http.pages.months import month_picker
from campus_collector.http.pages.paging import page_of, requested_page
from campus_collector.http.pages.present import rate_of
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import rate_words
from campus_collector.http.query import page_month
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import schools_in
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_wire.bandwidth import Verdict
from campus_wire.records import ThroughputResult

TARGET, SUBJECT = "uplink_bandwidth", "uplink"
SUBJECTS_AT_ONCE = 200
MOST_LETTERS = 100


@dataclass(frozen=True, slots=True)
class Line:
    """A school's uplink. Rates are line rates in bit/s, of the newest valid test; None where none is known."""

    school: School
    carrier: str
    contract: str
    promised: int | None
    verdict: Verdict | None
    measured: tuple[float | None, float | None] = (None, None)
    measured_at: datetime | None = None
    problem: Problem | None = None

    def falls_short(self, tolerance_ratio: float) -> bool:
        """Is the slower direction below what the contract promises, tolerance allowed?"""
        rates = [rate for rate in self.measured if rate is not None]
        return bool(rates) and self.promised is not None and min(rates) < self.promised * tolerance_ratio


@dataclass(frozen=True, slots=True)
class CarrierRow:
    """A carrier by its lines; `key` is what a selection asks for, "" of lines without a carrier."""

    key: str
    name: str
    lines: int
    counts: list[tuple[Badge, int]]
    short: int
    without_contract: int


@dataclass(frozen=True, slots=True)
class LineRow:
    """A line in words."""

    school: str
    name: str
    town: str
    carrier: str
    contract: str
    promised: str
    measured: str
    when: str
    badge: Badge
    short: bool
    since: str
    problem: int | None


class CarrierPage(PageRoutes):
    @page_at("/carriers", "Lines by carrier")
    async def carriers(self, request: Request) -> Response:
        """All carriers, and the lines of all of them or of one (`?carrier=`), those that are not met first."""
        month, linked = page_month(request, self.service)
        carrier = request.query_params.get("carrier", "")[:MOST_LETTERS]
        requested_page(request)

        def make(page: Page) -> Answer:
            reader, tolerance = Reader(page.language, datetime.now(UTC)), self.service.verdicts.policy.tolerance_ratio
            lines = lines_of(self.service, schools_in(self.service, page.scope.town), month)
            wanted = [line for line in lines if carrier in ("", line.carrier)]
            wanted.sort(key=lambda line: (*_worst_first(line, tolerance), line.school.id))
            shown = page_of(wanted, request)
            return page.render(
                "carriers.html",
                month=linked,
                picker=month_picker(page, month),
                month_words=reader.month(month),
                carriers=[_carrier_row(reader, name, of_carrier, tolerance) for name, of_carrier in _by_carrier(lines)],
                carrier=carrier,
                shown=shown,
                rows=[_line_row(reader, line, tolerance) for line in shown.rows],
            )

        return await self.answer(request, make)


def lines_of(service: Service, schools: Sequence[School], month: Month) -> list[Line]:
    """The uplinks of some schools with their verdicts of a month; those that are not judged are left out. Raises StoreUnavailable."""
    rows = {row.id: row for row in service.inventory.whole().schools or ()}
    short = service.verdicts.short_verdicts(month, [school.id for school in schools])
    judged = {
        school: of_school[TARGET][SUBJECT].verdict
        for school, of_school in short.items()
        if SUBJECT in of_school.get(TARGET, {})
    }
    problems = {
        problem.school: problem
        for problem in service.store.ledger.problems(open_only=True)
        if (problem.target, problem.subject) == (TARGET, SUBJECT)
    }
    newest = _newest(service, [school.id for school in schools if school.id in judged])
    return [
        _line(school, rows.get(school.id), judged[school.id], newest.get(school.id), problems.get(school.id))
        for school in schools
        if school.id in judged
    ]


def _newest(service: Service, schools: Sequence[str]) -> dict[str, ThroughputResult]:
    """The newest valid test of each uplink."""
    found = {}
    for group in pieces_of(list(schools), SUBJECTS_AT_ONCE):
        keys = [(school, SUBJECT, "throughput") for school in group]
        for school, _, _, result in service.store.results.newest_of_subjects(keys, valid=True):
            if isinstance(result, ThroughputResult) and result.record is not None:
                found[school] = result
    return found


def _line(
    school: School,
    row: InventorySchool | None,
    verdict: Verdict,
    result: ThroughputResult | None,
    problem: Problem | None,
) -> Line:
    record = result.record if result is not None else None
    return Line(
        school,
        row.carrier if row is not None else "",
        row.contract if row is not None else "",
        row.contract_bits_per_second if row is not None else None,
        verdict,
        (rate_of(record, "down"), rate_of(record, "up")),
        result.started_at if result is not None else None,
        problem,
    )


def _worst_first(line: Line, tolerance_ratio: float) -> tuple[int, int]:
    ranks: Mapping[Verdict | None, int] = {Verdict.NOT_MET: 0, Verdict.INSUFFICIENT: 1}
    days = line.problem.opened_on.toordinal() if line.problem is not None else 0
    return ranks.get(line.verdict, 2 - line.falls_short(tolerance_ratio)), days


def _by_carrier(lines: Sequence[Line]) -> list[tuple[str, list[Line]]]:
    groups: dict[str, list[Line]] = {}
    for line in lines:
        groups.setdefault(line.carrier, []).append(line)
    return sorted(groups.items(), key=lambda pair: (not pair[0], -len(pair[1]), pair[0]))


def _carrier_row(reader: Reader, name: str, lines: Sequence[Line], tolerance_ratio: float) -> CarrierRow:
    counts = [(verdict, sum(line.verdict is verdict for line in lines)) for verdict in Verdict]
    return CarrierRow(
        name,
        name or reader.words("carrier_unknown"),
        len(lines),
        [(reader.badge(verdict), count) for verdict, count in counts if count],
        sum(line.falls_short(tolerance_ratio) for line in lines),
        sum(line.promised is None for line in lines),
    )


def _line_row(reader: Reader, line: Line, tolerance_ratio: float) -> LineRow:
    down, up = (reader.text(rate_words(rate)) if rate is not None else "—" for rate in line.measured)
    since = line.problem.opened_on if line.problem is not None else None
    return LineRow(
        line.school.id,
        line.school.name,
        line.school.town_name,
        line.carrier,
        line.contract,
        reader.text(rate_words(line.promised)) if line.promised is not None else "—",
        f"{reader.words('down')} {down} · {reader.words('up')} {up}" if line.measured_at is not None else "—",
        reader.ago(line.measured_at) if line.measured_at is not None else "",
        reader.badge(line.verdict or Verdict.INSUFFICIENT),
        line.falls_short(tolerance_ratio),
        reader.words("since_day", day=since, days=(reader.now.date() - since).days) if since is not None else "",
        line.problem.id if line.problem is not None else None,
    )
