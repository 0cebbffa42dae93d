"""GET /fleet: every gateway with its version, its last report, what waits on it and what is wrong with it; the ones that need a hand first."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_base.language import Language, Text
from campus_collector.domain.records import Agent, Mismatch, School
from campus_collector.export.samplers import UP_WITHIN
from campus_collector.http.auth.people import reach_of
from campus_collector.http.pages.render import Pages
from campus_collector.http.pages.words import IDENTITY_SHARED_WORDS, WORDS, age_words, ago_words
from campus_collector.http.service import Service
from campus_wire.version import VERSION, release_of

VersionStatus = Literal["current", "behind", "too_old", "ahead", "unknown"]
STANDING_WORDS: dict[VersionStatus, Text] = {
    "current": Text("current", "最新"),
    "behind": Text("served; update it soon", "可用，建议升级"),
    "too_old": Text("older than the collector promises to serve: update it", "版本过旧，请升级"),
    "ahead": Text("newer than the collector: update the collector", "高于采集端版本，请升级采集端"),
    "unknown": Text("not told", "未知"),
}
TOKEN_SOON = timedelta(days=14)
MISMATCH_SHOWN = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Gateway:
    """One line. `worries` are in the order of what to do first."""

    school: str
    name: str
    town: str
    version: str
    standing: str
    system: str
    last_report: str
    pending: int | None
    worries: tuple[str, ...]


def standing_of(version: str, own: str = VERSION) -> VersionStatus:
    """How does an agent's version stand to the collector's? A collector serves agents of its own release and of the one before it."""
    theirs, ours = release_of(version), release_of(own)
    if theirs is None or ours is None:
        return "unknown"
    if theirs == ours:
        return "current"
    if theirs > ours:
        return "ahead"
    return "behind" if theirs[0] == ours[0] and theirs[1] == ours[1] - 1 else "too_old"


def gateways(
    schools: Iterable[School],
    agents: Iterable[Agent],
    expiries: Mapping[str, datetime],
    now: datetime,
    language: Language,
    mismatches: Mapping[str, Mismatch] | None = None,
) -> list[Gateway]:
    """A line for each agent, and for each school that never had one; the ones with worries first."""
    by_school: dict[str, list[Agent]] = {}
    for agent in agents:
        by_school.setdefault(agent.school, []).append(agent)
    lines = [
        _line(school, agent, expiries.get(school.id), now, language, (mismatches or {}).get(school.id))
        for school in schools
        for agent in (*by_school.get(school.id, ()), *([] if school.id in by_school else [None]))
    ]
    return sorted(lines, key=lambda one: (-len(one.worries), one.school))


def _line(
    school: School,
    agent: Agent | None,
    expires: datetime | None,
    now: datetime,
    language: Language,
    mismatch: Mismatch | None,
) -> Gateway:
    worries: list[Text] = []
    state = agent.state if agent is not None else None
    reported = agent.last_report_at if agent is not None else None
    standing: VersionStatus = "unknown" if state is None else standing_of(state.version)
    told = ago_words((now - reported).total_seconds()) if reported is not None else Text("never", "从未上报")
    if agent is not None and agent.is_shared(now):
        worries.append(IDENTITY_SHARED_WORDS)
    if reported is None:
        worries.append(Text("never reported", "从未上报"))
    elif now - reported > UP_WITHIN:
        age = age_words((now - reported).total_seconds())
        worries.append(Text(f"silent for {age.en}", f"已 {age.zh}未上报"))
    if mismatch is not None and now - mismatch.noticed_at < MISMATCH_SHOWN:
        day, count, ours = mismatch.noticed_at.date(), mismatch.sequence, mismatch.our_sequence
        worries.append(
            Text(
                f"{day}: its receipt for {count} results does not fit the chain here ({ours}): run campus-collector verify",
                f"{day}：网关持有 {count} 条结果的回执，与本端结果链（{ours} 条）不符，请执行 campus-collector verify",
            )
        )
    if state is not None and state.config_problem_en:
        zh = state.config_problem_zh or state.config_problem_en
        worries.append(Text(f"configuration: {state.config_problem_en}", f"配置：{zh}"))
    if expires is not None and expires - now < TOKEN_SOON:
        day = expires.date()
        worries.append(Text(f"token ends on {day}", f"令牌 {day} 到期"))
    if standing in ("too_old", "ahead"):
        worries.append(STANDING_WORDS[standing])
    if state is not None and state.spool_dropped_results_total:
        count = state.spool_dropped_results_total
        worries.append(Text(f"{count} results were dropped", f"已丢弃 {count} 条结果"))
    if state is not None and abs(state.clock_offset_seconds or 0.0) > 60:
        offset = state.clock_offset_seconds or 0.0
        worries.append(Text(f"clock {offset:+.0f} s off", f"时钟偏差 {offset:+.0f} 秒"))
    return Gateway(
        school.id,
        school.name,
        school.town_name or school.town,
        state.version if state is not None else "",
        STANDING_WORDS[standing].in_(language),
        state.os if state is not None else "",
        told.in_(language),
        state.spool_pending_results if state is not None else None,
        tuple(one.in_(language) for one in worries),
    )


def words_of_test_server(bits_per_second: float) -> Text:
    """What the uplinks' test server must carry: the rate whose turns are given out, and the bytes of an hour of them."""
    values = {
        "rate": f"{bits_per_second / 1e9:g}",
        "gigabytes": f"{bits_per_second * 3600 / 8 / 1e9:g}",
        "capacity": f"{bits_per_second:.0f}",
    }
    words = WORDS["test_server"]
    return Text(words.in_("en", **values), words.in_("zh", **values))


def routes(service: Service) -> list[Route]:
    """The page."""
    pages = Pages(service)

    async def fleet(request: Request) -> Response:
        session, reach = pages.session(request), reach_of(request)

        def page(language: Language) -> tuple[int, str]:
            schools = [one for one in service.store.schools() if reach.covers(one.town)]
            mismatches = {one.school: one for one in service.store.chain.mismatches()}
            found = gateways(
                schools, service.store.agents(), service.store.token_expiries(), datetime.now(UTC), language, mismatches
            )
            versions: dict[str, int] = {}
            for one in found:
                versions[one.version or "—"] = versions.get(one.version or "—", 0) + 1
            values = {
                "gateways": found,
                "versions": sorted(versions.items(), reverse=True),
                "own": VERSION,
                "test_server": words_of_test_server(service.config.slot_bits_per_second).in_(language),
            }
            return 200, pages.render("fleet.html", language, session, **values)

        return await pages.answer(request, page)

    return [Route("/fleet", fleet)]
