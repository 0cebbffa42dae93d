"""GET /fleet: every gateway with its version, its last report, what waits on it and what is wrong with it; those with most warnings first."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum

from starlette.requests import Request
from starlette.responses import Response

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_collector.domain.agents import Agent
from campus_collector.domain.chain import ReceiptMismatch
from campus_collector.domain.schools import School
from campus_collector.domain.space import Space
from campus_collector.http.pages.paging import page_of, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import (
    IDENTITY_SHARED_WORDS,
    WORDS,
    age_words,
    ago_words,
    config_problem_words,
    size_words,
)
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import schools_in
from campus_collector.store.compaction import CompactionStatus
from campus_wire.records import AgentState
from campus_wire.version import VERSION, release_of

TOKEN_SOON = timedelta(days=14)
MISMATCH_SHOWN = timedelta(days=30)
MAX_CLOCK_OFFSET_SECONDS = 60
MANY_DAYS = 10 * 365
YEARS = message("more than ten years")
NONE_YET = message("not known yet")


class VersionStatus(Enum):
    """How an agent's version compares with the collector's, in words."""

    CURRENT = message("current")
    BEHIND = message("served; update it soon")
    TOO_OLD = message("older than the collector promises to serve: update it")
    AHEAD = message("newer than the collector: update the collector")
    UNKNOWN = pmessage("version", "not told")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A row of the table. `warnings` are in the order of what to do first."""

    school: str
    name: str
    town: str
    version: str
    version_status: str
    system: str
    last_report: str
    pending: int | None
    warnings: tuple[str, ...]


class FleetPage(PageRoutes):
    @page_at("/fleet", "Every gateway with its version and state")
    async def fleet(self, request: Request) -> Response:
        requested_page(request)

        def make(page: Page) -> Answer:
            store = self.service.store
            rows = gateways(
                schools_in(self.service, page.scope.town),
                store.agents.all(),
                store.tokens.expiries(),
                datetime.now(UTC),
                page.language,
                {mismatch.school: mismatch for mismatch in store.chain.mismatches()},
            )
            versions = Counter(row.version or message("never reported").in_(page.language) for row in rows)
            return page.render(
                "fleet.html",
                shown=page_of(rows, request),
                versions=sorted(versions.items(), reverse=True),
                collector_version=VERSION,
                space=() if page.scope.town else space_facts(store.sizes.space(self.service.today()), page.language),
                test_server=capacity_words(self.service.config.slot_bits_per_second).in_(page.language),
                compaction=[words.in_(page.language) for words in compaction_words(store.compaction_status())],
            )

        return await self.answer(request, make)


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


def version_status(version: str, collector_version: str = VERSION) -> VersionStatus:
    """A collector serves agents of its own release and of the one before it."""
    theirs, ours = release_of(version), release_of(collector_version)
    if theirs is None or ours is None:
        return VersionStatus.UNKNOWN
    if theirs == ours:
        return VersionStatus.CURRENT
    if theirs > ours:
        return VersionStatus.AHEAD
    return VersionStatus.BEHIND if theirs == (ours[0], ours[1] - 1) else VersionStatus.TOO_OLD


def gateways(
    schools: Iterable[School],
    agents: Iterable[Agent],
    expiries: Mapping[str, datetime],
    now: datetime,
    language: Language,
    mismatches: Mapping[str, ReceiptMismatch] | None = None,
) -> list[Gateway]:
    """A row for each agent, and for each school that never had one; those with most warnings first."""
    by_school: dict[str, list[Agent]] = {}
    for agent in agents:
        by_school.setdefault(agent.school, []).append(agent)
    rows = [
        _gateway(school, agent, expiries.get(school.id), now, language, (mismatches or {}).get(school.id))
        for school in schools
        for agent in by_school.get(school.id, [None])
    ]
    return sorted(rows, key=lambda row: (-len(row.warnings), row.school))


def _gateway(
    school: School,
    agent: Agent | None,
    expires: datetime | None,
    now: datetime,
    language: Language,
    mismatch: ReceiptMismatch | None,
) -> Gateway:
    state = agent.state if agent is not None else None
    reported = agent.last_report_at if agent is not None else None
    warnings = [
        *_report_warnings(agent, reported, now),
        *_mismatch_warnings(mismatch, now),
        *_state_warnings(state, expires, now),
    ]
    return Gateway(
        school.id,
        school.name,
        school.town_name or school.town,
        state.version if state is not None else "",
        _status_of(state).value.in_(language),
        state.os if state is not None else "",
        (ago_words((now - reported).total_seconds()) if reported else message("never")).in_(language),
        state.spool_pending_results if state is not None else None,
        tuple(warning.in_(language) for warning in warnings),
    )


def _status_of(state: AgentState | None) -> VersionStatus:
    return VersionStatus.UNKNOWN if state is None else version_status(state.version)


def _report_warnings(agent: Agent | None, reported: datetime | None, now: datetime) -> Iterator[Message]:
    if agent is not None and agent.is_shared(now):
        yield IDENTITY_SHARED_WORDS
    if agent is None or reported is None:
        yield message("never reported")
    elif not agent.is_up(now):
        age = age_words((now - reported).total_seconds())
        yield message("silent for {age}", age=age)


def _mismatch_warnings(mismatch: ReceiptMismatch | None, now: datetime) -> Iterator[Message]:
    if mismatch is not None and now - mismatch.noticed_at < MISMATCH_SHOWN:
        day, count, ours = mismatch.noticed_at.date(), mismatch.sequence, mismatch.our_sequence
        yield message(
            "{day}: its receipt for {count} results does not fit the chain here ({ours}): ask IT staff to verify it",
            day=day,
            count=count,
            ours=ours,
        )


def _state_warnings(state: AgentState | None, expires: datetime | None, now: datetime) -> Iterator[Message]:
    problem = config_problem_words(state) if state is not None else None
    if problem is not None:
        yield message("configuration: {config_problem_en}", config_problem_en=problem)
    if expires is not None and expires - now < TOKEN_SOON:
        day = expires.date()
        yield message("token ends on {day}", day=day)
    if _status_of(state) in (VersionStatus.TOO_OLD, VersionStatus.AHEAD):
        yield _status_of(state).value
    if state is not None and state.spool_dropped_results_total:
        count = state.spool_dropped_results_total
        yield message("{count} results were dropped", count=count)
    offset = (state.clock_offset_seconds if state is not None else None) or 0.0
    if abs(offset) > MAX_CLOCK_OFFSET_SECONDS:
        yield message("clock {offset:+.0f} s off", offset=offset)


def capacity_words(bits_per_second: float) -> Message:
    """What the uplinks' test server must carry: the rate whose slots are given out, and the bytes of an hour of them."""
    values = {
        "rate": f"{bits_per_second / 1e9:g}",
        "gigabytes": f"{bits_per_second * 3600 / 8 / 1e9:g}",
        "capacity": f"{bits_per_second:.0f}",
    }
    words = WORDS["test_server"]
    return words.with_(**values)
