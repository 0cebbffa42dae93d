"""GET /fleet: every gateway with its version, its last report, what waits on it, which classrooms it reaches and what is wrong with it."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_base.figures import percent
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.space import Space
from campus_collector.http.auth.scope import ReadScope, scope_of
from campus_collector.http.csv_rows import csv_file
from campus_collector.http.pages.endpoints import endpoints_by_school, total_kinds
from campus_collector.http.pages.gateways import STATE_WORDS, Gateway, gateway_row, gateways
from campus_collector.http.pages.paging import page_of, query_with, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.upgrade_waves import upgrade_waves
from campus_collector.http.pages.words import WORDS, size_words
from campus_collector.http.query import choices, language_of, must_be_known
from campus_collector.http.responses import bad_value, in_thread
from campus_collector.http.routes import Operation, page_at
from campus_collector.http.school_view import schools_in
from campus_collector.store.compaction import CompactionStatus
from campus_wire.version import VERSION

MANY_DAYS = 10 * 365
YEARS = message("more than ten years")
NONE_YET = message("not known yet")
MOST_LETTERS = 40
"""No version is longer."""
NEVER = "-"
"""In place of a version: of those that never reported any."""


@dataclass(frozen=True, slots=True)
class GatewayFilter:
    """A selection; "": whatever."""

    town: str
    state: str
    version: str

    def fits(self, gateway: Gateway) -> bool:
        version = gateway.version or NEVER
        return (
            self.town in ("", gateway.school.town)
            and self.version in ("", version)
            and (not self.state or gateway.fits(self.state))
        )


def requested_gateways(request: Request) -> GatewayFilter:
    """The selection in a query. Raises HttpProblem 400."""
    query = request.query_params
    state = query.get("state") or ""
    if state and state not in STATE_WORDS:
        raise bad_value("state", state, choices(STATE_WORDS))
    return GatewayFilter(query.get("town") or "", state, (query.get("version") or "")[:MOST_LETTERS])


class FleetPage(PageRoutes):
    @page_at("/fleet", "Every gateway with its version and state")
    async def fleet(self, request: Request) -> Response:
        """All, or those of a town, a state or a version."""
        requested_page(request)
        wanted = requested_gateways(request)

        def make(page: Page) -> Answer:
            store, now = self.service.store, datetime.now(UTC)
            must_be_known(self.service, page.scope, None, wanted.town or None)
            every = self._gateways(page.scope, now)
            shown = page_of([gateway for gateway in every if wanted.fits(gateway)], request)
            return page.render(
                "fleet.html",
                shown=shown.with_rows([gateway_row(gateway, now, page.language) for gateway in shown.rows]),
                has_waves=any(gateway.wave is not None for gateway in every),
                counts=_counts(page, every),
                wanted=wanted,
                choices=_choices(page, every),
                csv=query_with(request, drop=("page",)),
                collector_version=VERSION,
                space=() if page.scope.town else space_facts(store.sizes.space(self.service.today()), page.language),
                test_server=capacity_words(self.service.config.slot_bits_per_second).in_(page.language),
                compaction=[words.in_(page.language) for words in compaction_words(store.compaction_status())],
            )

        return await self.answer(request, make)

    @Operation("GET", "/fleet.csv", "The same list as a file", answer=("text/csv",), refusals=(400, 404, 503))
    async def fleet_csv(self, request: Request) -> Response:
        """With the same selection, all of it."""
        wanted, language = requested_gateways(request), language_of(request)

        def work() -> Response:
            scope, now = scope_of(request), datetime.now(UTC)
            must_be_known(self.service, scope, None, wanted.town or None)
            fitting = [gateway for gateway in self._gateways(scope, now) if wanted.fits(gateway)]
            headings = [heading.in_(language) for heading in CSV_HEADINGS]
            return csv_file("fleet.csv", headings, (_csv_row(gateway, now, language) for gateway in fitting), language)

        return await in_thread(work)

    def _gateways(self, scope: ReadScope, now: datetime) -> list[Gateway]:
        """Of all schools that a reader may see; each table is read once."""
        store, service = self.service.store, self.service
        schools, agents = schools_in(service, scope.town), store.agents.all()
        short = service.verdicts.short_verdicts(service.verdicts.this_month(), [school.id for school in schools])
        return gateways(
            schools,
            agents,
            store.tokens.expiries(),
            now,
            endpoints_by_school(agents, short),
            {mismatch.school: mismatch for mismatch in store.chain.mismatches()},
            upgrade_waves(service),
        )


CSV_HEADINGS: tuple[Message, ...] = (
    message("school"),
    message("name"),
    message("town"),
    message("version"),
    message("system"),
    message("last report (UTC)"),
    message("clock offset (s)"),
    message("results that wait on it"),
    message("free on its disk (bytes)"),
    message("classrooms by what answers there"),
    message("classrooms that never answer"),
    message("upgrade wave"),
    message("warnings"),
)


def _csv_row(gateway: Gateway, now: datetime, language: Language) -> list[str | int | float | None]:
    state, row = gateway.state, gateway_row(gateway, now, language)
    reported = gateway.agent.last_report_at if gateway.agent is not None else None
    return [
        row.school,
        row.name,
        row.town,
        row.version,
        row.system,
        reported.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ") if reported else None,
        state.clock_offset_seconds if state is not None else None,
        row.pending,
        state.disk_free_bytes if state is not None else None,
        "; ".join(f"{words} {number}" for _, words, number in row.endpoints),
        row.asleep,
        row.wave,
        "; ".join(row.warnings),
    ]


def _counts(page: Page, every: Sequence[Gateway]) -> list[tuple[str, str, str]]:
    """Figures of the whole fleet: what, how many, and the query or path that lists them ("": none)."""
    states = Counter(gateway.report for gateway in every)
    facts = [(STATE_WORDS[state].in_(page.language), str(states[state]), f"?state={state}") for state in states]
    facts.append((page.words("needs_a_hand"), str(sum(bool(each.warnings) for each in every)), "?state=warnings"))
    by_school = {gateway.school.id: gateway.endpoints for gateway in every}.values()
    kinds = total_kinds(by_school)
    classrooms = f"{page.service.config.root_path}/fleet/classrooms"
    facts += [(words.in_(page.language), str(number), f"{classrooms}?kind={kind}") for kind, words, number in kinds]
    asleep = sum(endpoints.asleep for endpoints in by_school)
    covered, judged = (
        sum(endpoints.covered for endpoints in by_school),
        sum(endpoints.judged for endpoints in by_school),
    )
    facts.append((page.words("rooms_asleep"), str(asleep), f"{classrooms}?asleep=1"))
    if judged:
        share = page.words("share_of", share=percent(covered / judged), count=covered, judged=judged)
        facts.append((page.words("rooms_covered"), share, f"{page.service.config.root_path}/unmeasured"))
    return facts


def _choices(page: Page, every: Sequence[Gateway]) -> list[tuple[str, str, list[tuple[str, str]]]]:
    """The lists of the form: key, heading, values with their words."""
    towns = {gateway.school.town: gateway.school.town_name or gateway.school.town for gateway in every}
    versions = Counter(gateway.version or NEVER for gateway in every)
    never = STATE_WORDS["never"].in_(page.language)
    return [
        ("town", page.words("town"), sorted(towns.items())),
        ("state", page.words("state"), [(state, words.in_(page.language)) for state, words in STATE_WORDS.items()]),
        (
            "version",
            page.words("version"),
            [
                (each, f"{never if each == NEVER else each} ({versions[each]})")
                for each in sorted(versions, reverse=True)
            ],
        ),
    ]


def space_facts(space: Space, language: Language) -> list[tuple[str, str]]:
    """The database in words: its size, what it grows by, and how long the disk lasts."""
    growth = space.growth_bytes_per_day
    facts = [
        (message("database"), size_words(space.used_bytes)),
        (
            message("a result"),
            message("{count} bytes", count=f"{space.bytes_per_result:.0f}") if space.results else NONE_YET,
        ),
        (message("growth in 30 days"), size_words(growth * 30) if growth is not None else NONE_YET),
        (message("left on the disk"), size_words(space.free_bytes)),
    ]
    if space.full_in_days is not None:
        lasts = message("{days} days", days=f"{space.full_in_days:.0f}") if space.full_in_days < MANY_DAYS else YEARS
        facts.append((message("the disk is full in"), lasts))
    return [(name.in_(language), value.in_(language)) for name, value in facts]


def compaction_words(status: CompactionStatus | None) -> Iterator[Message]:
    """How far results of older versions are packed, and which schools' do not fit their chain; nothing when all are packed."""
    if status is None:
        return
    if not status.is_done:
        yield message(
            "Results of an older version are being packed: {copied} of {results}, {schools} school(s) to come",
            copied=status.copied,
            results=status.results,
            schools=status.schools,
        )
    for aside in status.set_aside:
        school = aside.school
        yield message("{school}: its older results do not fit their chain: run campus-collector verify", school=school)


def capacity_words(bits_per_second: float) -> Message:
    """What the uplinks' test server must carry: the rate whose slots are given out, and the bytes of an hour of them."""
    values = {
        "rate": f"{bits_per_second / 1e9:g}",
        "gigabytes": f"{bits_per_second * 3600 / 8 / 1e9:g}",
        "capacity": f"{bits_per_second:.0f}",
    }
    words = WORDS["test_server"]
    return words.with_(**values)
