"""Every gateway of a county: what it says of itself, which classrooms it reaches, what is wrong with it. Pure."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Literal

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_collector.domain.agents import Agent
from campus_collector.domain.chain import ReceiptMismatch
from campus_collector.domain.schools import School
from campus_collector.http.pages.endpoints import NO_ENDPOINTS, SchoolEndpoints, kind_words
from campus_collector.http.pages.words import (
    IDENTITY_SHARED_WORDS,
    age_words,
    ago_words,
    config_problem_words,
    size_words,
)
from campus_wire.records import AgentState
from campus_wire.version import VERSION, release_of

TOKEN_SOON = timedelta(days=14)
MISMATCH_SHOWN = timedelta(days=30)
MAX_CLOCK_OFFSET_SECONDS = 60
LEAST_FREE_BYTES = 200_000_000
"""With less on the disk a gateway soon cannot keep what it measures."""
ReportState = Literal["reporting", "silent", "never"]
STATE_WORDS: dict[str, Message] = {
    "reporting": message("reporting"),
    "silent": message("silent"),
    "never": message("never reported"),
    "warnings": message("needs a hand"),
    "asleep": message("with classrooms that never answer"),
}
"""By what a list can be narrowed: how it reports, that something is wrong, that it has classrooms that never answer."""


class VersionStatus(Enum):
    """How an agent's version compares with the collector's, in words."""

    CURRENT = message("current")
    BEHIND = message("served; update it soon")
    TOO_OLD = message("older than the collector promises to serve: update it")
    AHEAD = message("newer than the collector: update the collector")
    UNKNOWN = pmessage("version", "not told")


@dataclass(frozen=True, slots=True)
class Gateway:
    """A school's gateway; `agent` None: it never had any. `warnings` are in the order of what to do first; `wave` is the upgrade's."""

    school: School
    agent: Agent | None
    endpoints: SchoolEndpoints
    report: ReportState
    warnings: tuple[Message, ...]
    wave: Message | None = None

    @property
    def state(self) -> AgentState | None:
        return self.agent.state if self.agent is not None else None

    @property
    def version(self) -> str:
        """ "" when it is not known."""
        return self.state.version if self.state is not None else ""

    def fits(self, state: str) -> bool:
        """Is it in this state of `STATE_WORDS`?"""
        if state == "warnings":
            return bool(self.warnings)
        return bool(self.endpoints.asleep) if state == "asleep" else self.report == state


@dataclass(frozen=True, slots=True)
class GatewayRow:
    """A row of the table, in one language; "" is not known. `endpoints` are kinds and how many classrooms have each."""

    school: str
    name: str
    town: str
    version: str
    version_status: str
    system: str
    last_report: str
    clock: str
    pending: int | None
    disk_free: str
    endpoints: tuple[tuple[str, str, int], ...]
    asleep: int
    wave: str
    warnings: tuple[str, ...]


def gateways(
    schools: Iterable[School],
    agents: Iterable[Agent],
    expiries: Mapping[str, datetime],
    now: datetime,
    endpoints: Mapping[str, SchoolEndpoints] | None = None,
    mismatches: Mapping[str, ReceiptMismatch] | None = None,
    waves: Mapping[str, Message] | None = None,
) -> list[Gateway]:
    """One for each agent, and for each school that never had one; those with most warnings first. All mappings are by school."""
    by_school: dict[str, list[Agent]] = {}
    for agent in agents:
        by_school.setdefault(agent.school, []).append(agent)
    listed = [
        Gateway(
            school,
            agent,
            (endpoints or {}).get(school.id, NO_ENDPOINTS),
            _report_state(agent, now),
            (
                *_report_warnings(agent, agent.last_report_at if agent is not None else None, now),
                *_mismatch_warnings((mismatches or {}).get(school.id), now),
                *_state_warnings(agent.state if agent is not None else None, expiries.get(school.id), now),
            ),
            (waves or {}).get(school.id),
        )
        for school in schools
        for agent in by_school.get(school.id, [None])
    ]
    return sorted(listed, key=lambda gateway: (-len(gateway.warnings), gateway.school.id))


def gateway_row(gateway: Gateway, now: datetime, language: Language) -> GatewayRow:
    """A gateway as the table shows it, in one language."""
    state, school = gateway.state, gateway.school
    reported = gateway.agent.last_report_at if gateway.agent is not None else None
    offset = state.clock_offset_seconds if state is not None else None
    free = state.disk_free_bytes if state is not None else None
    return GatewayRow(
        school.id,
        school.name,
        school.town_name or school.town,
        gateway.version,
        _status_of(state).value.in_(language),
        state.os if state is not None else "",
        (ago_words((now - reported).total_seconds()) if reported else message("never")).in_(language),
        "" if offset is None else message("{offset:+.1f} s", offset=offset + 0.0).in_(language),
        state.spool_pending_results if state is not None else None,
        "" if free is None else size_words(free).in_(language),
        tuple(
            (kind, kind_words(kind).in_(language), number)
            for kind, number in sorted(gateway.endpoints.kinds.items())
            if number
        ),
        gateway.endpoints.asleep,
        gateway.wave.in_(language) if gateway.wave is not None else "",
        tuple(warning.in_(language) for warning in gateway.warnings),
    )


def _report_state(agent: Agent | None, now: datetime) -> ReportState:
    if agent is None or agent.last_report_at is None:
        return "never"
    return "reporting" if agent.is_up(now) else "silent"


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
    if state is not None and state.disk_free_bytes is not None and state.disk_free_bytes < LEAST_FREE_BYTES:
        yield message("only {size} left on its disk", size=size_words(state.disk_free_bytes))
