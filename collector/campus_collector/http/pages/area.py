"""Pages of a collector above others: the area by its counties, one county with every month it sent, comparison and trends, the area's reports."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_base.figures import percent
from campus_collector.area.key import fingerprint_of, shown_fingerprint
from campus_collector.domain.area import ReceivedMonth, TargetTotals, VerdictTotals, months_from
from campus_collector.domain.area_standing import CountyStanding, area_totals, months_here
from campus_collector.http.pages.charts import months_chart
from campus_collector.http.pages.months import MonthPicker
from campus_collector.http.pages.paging import kept_query, query_with
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.targets import Areas, HeatCell, TargetCard, cards, heat_cell
from campus_collector.http.query import requested_month, requested_target
from campus_collector.http.responses import HttpProblem
from campus_collector.http.routes import page_at
from campus_collector.http.service import Service
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.verdict import AreaVerdict
from campus_collector.report.forms.render import FORMS
from campus_collector.report.words import month_words

MONTHS_SHOWN = 12
HASH_LETTERS = 16


@dataclass(frozen=True, slots=True)
class CountyRow:
    """A county on the overview: its rates of a month; or why there are none."""

    label: str
    name: str
    schools: int
    cells: list[HeatCell]
    trend: str
    missing: str
    number: int
    hash: str


@dataclass(frozen=True, slots=True)
class AreaMonthRow:
    """A bundle on a county's page; `counts` says whether it is the one that counts."""

    month: str
    number: int
    reported_in: str
    changed: int
    received: str
    rates: list[str]
    report_hash: str
    statement_hash: str
    fingerprint: str
    versions: str
    counts: bool


class AreaPages(PageRoutes):
    @page_at("/counties", "Comparison and trends of the counties", 403)
    async def counties(self, request: Request) -> Response:
        """By target (`?target=`): a row a county, a column a month."""
        target = requested_target(request.query_params.get("target") or None) or TARGET_NAMES[0]

        def make(page: Page) -> Answer:
            counties = _readable(page)
            months = _last_months(counties)
            reader = Reader(page.language, datetime.now(UTC))
            rows = [
                (county.label, county.name, [_cell(reader, target, county.totals(month)) for month in months])
                for county in counties
            ]
            rows.append(("", page.words("area_whole"), _area_cells(reader, target, counties, months)))
            targets = [(name, TARGET_WORDS[name].in_(page.language), name == target) for name in TARGET_NAMES]
            return page.render("counties.html", months=months, rows=rows, targets=targets)

        return await self.answer(request, make)

    @page_at("/counties/{county}", "Page of one county: every month it sent", 403)
    async def county(self, request: Request) -> Response:
        label = request.path_params["county"]

        def make(page: Page) -> Answer:
            county = next((county for county in _readable(page) if county.label == label), None)
            if county is None:
                return page.message(404, page.words("no_such_county", id=label))
            reader = Reader(page.language, datetime.now(UTC))
            months = _last_months([county])
            return page.render(
                "county.html",
                county=county,
                cards=_cards(reader, [(month, county.totals(month)) for month in months], self.service),
                targets=[TARGET_WORDS[name].in_(page.language) for name in TARGET_NAMES],
                missing=_missing_words(reader, county, lambda month: month_words(month, page.language)),
                rows=[_month_row(page, county, received) for received in reversed(county.received)],
            )

        return await self.answer(request, make)


def requested_area_month(request: Request, service: Service) -> str | None:
    """`?month=` of the overview; None: the newest that is here. Raises HttpProblem 400."""
    if not request.query_params.get("month"):
        return None
    return str(requested_month(request, service))


def area_overview_page(page: Page, asked: str | None) -> Answer:
    """The counties by target in a month, what is missing and since when. Raises HttpProblem 403, StoreUnavailable."""
    counties, service = _readable(page), page.service
    here = months_here(counties)
    month = asked or (here[-1] if here else str(service.verdicts.this_month()))
    reader = Reader(page.language, datetime.now(UTC))
    months = [name for name in _last_months(counties) if name <= month] or [month]
    shown: Month = parse_month(month, service.config.timezone)
    return page.render(
        "area.html",
        month=shown if asked else None,
        area=service.config.name,
        month_words=month_words(month, page.language),
        picker=_picker(page, month, here),
        cards=_cards(reader, [(name, area_totals(counties, name)) for name in months], service),
        targets=[TARGET_WORDS[name].in_(page.language) for name in TARGET_NAMES],
        rows=[_county_row(reader, county, month, months) for county in counties],
        here=sum(month in county.in_force for county in counties),
        awaited=len(counties),
        prefectures=[
            member.name
            for member in service.store.area.members()
            if member.level != "county" and not any(county.member == member for county in counties)
        ],
    )


def area_months_page(page: Page) -> Answer:
    """The months with the area's reports. Raises HttpProblem 403, StoreUnavailable."""
    counties = _readable(page)
    rows = [
        (month, month_words(month, page.language), sum(month in county.in_force for county in counties))
        for month in reversed(months_here(counties))
    ]
    return page.render("area_months.html", rows=rows, forms=FORMS, awaited=len(counties))


def _readable(page: Page) -> list[CountyStanding]:
    """All counties. Raises HttpProblem 403 for a reader of one town, 404 on a collector that takes no months."""
    if not page.service.config.takes_months:
        words = page.words("takes_no_months")
        raise HttpProblem(404, "Not here", words)
    if page.scope.town is not None:
        raise HttpProblem(403, "Not yours", f"you read town {page.scope.town} only")
    return page.service.area.counties()


def _last_months(counties: Sequence[CountyStanding]) -> list[str]:
    """The last twelve months up to the newest that is here, oldest first."""
    here = months_here(counties)
    return months_from(here[0], here[-1])[-MONTHS_SHOWN:] if here else []


def _area(target: str, totals: VerdictTotals | None) -> AreaVerdict | None:
    if totals is None:
        return None
    return AreaVerdict(target, "", totals.met, totals.not_met, totals.insufficient, totals.exempt)


def _cell(reader: Reader, target: str, totals: TargetTotals) -> HeatCell:
    return heat_cell(reader, target, _area(target, totals.get(target)))


def _area_cells(
    reader: Reader, target: str, counties: Sequence[CountyStanding], months: Sequence[str]
) -> list[HeatCell]:
    return [_cell(reader, target, area_totals(counties, month)) for month in months]


def _cards(reader: Reader, by_month: Sequence[tuple[str, TargetTotals]], service: Service) -> list[TargetCard]:
    """As a county's overview shows its targets; there are no newest results here."""
    areas: list[tuple[Month, Areas]] = [
        (parse_month(month, service.config.timezone), _areas(totals)) for month, totals in by_month
    ]
    return [replace(card, latest="") for card in cards(reader, "", areas, {})] if areas else []


def _areas(totals: TargetTotals) -> Mapping[tuple[str, str], AreaVerdict]:
    listed = ((target, _area(target, of_target)) for target, of_target in totals.items())
    return {("", target): area for target, area in listed if area is not None}


def _county_row(reader: Reader, county: CountyStanding, month: str, months: Sequence[str]) -> CountyRow:
    held = county.in_force.get(month)
    first = TARGET_NAMES[0]
    rates = [_ratio(county.totals(name), first) for name in months]
    title = f"{county.name}{reader.words('colon')}{reader.text(TARGET_WORDS[first])}"
    missing = _missing_words(reader, county, str)
    if not missing and held is None:
        missing = reader.words("county_not_here")
    return CountyRow(
        county.label,
        county.name,
        held.summary.schools if held is not None else 0,
        [_cell(reader, name, county.totals(month)) for name in TARGET_NAMES],
        months_chart(rates, title) if len(rates) > 1 else "",
        missing,
        held.number if held is not None else 0,
        held.summary.report_hash[:HASH_LETTERS] if held is not None else "",
    )


def _missing_words(reader: Reader, county: CountyStanding, named: Callable[[str], str]) -> str:
    """Which months are missing since when, "" where none is; the first of many, and how many more."""
    if not county.missing or county.missing_since is None:
        return ""
    more = [reader.words("and_more", count=county.missing_more)] if county.missing_more else []
    listed = reader.words("list_comma").join([*map(named, county.missing_listed), *more])
    return reader.words("county_missing", months=listed, day=county.missing_since)


def _ratio(totals: TargetTotals, target: str) -> float | None:
    return totals[target].ratio if target in totals else None


def _month_row(page: Page, county: CountyStanding, received: ReceivedMonth) -> AreaMonthRow:
    summary, zone = received.summary, page.service.config.timezone
    ratios = (_ratio(summary.totals, name) for name in TARGET_NAMES)
    return AreaMonthRow(
        received.month,
        received.number,
        summary.reported_in,
        summary.changed,
        received.received_at.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
        ["—" if ratio is None else percent(ratio) for ratio in ratios],
        summary.report_hash,
        received.sha256,
        shown_fingerprint(fingerprint_of(received.public_key)),
        f"{summary.policy_version} · {summary.program_version}",
        county.in_force[received.month] is received,
    )


def _picker(page: Page, month: str, here: Sequence[str]) -> MonthPicker:
    months = sorted({*here, month}, reverse=True)
    place = months.index(month)

    def query(number: int) -> str:
        return query_with(page.request, month=months[number]) if 0 <= number < len(months) else ""

    return MonthPicker(
        [(name, name == month) for name in months],
        query(place + 1),
        query(place - 1),
        kept_query(page.request, {"month"}),
    )
