"""What the page of one school shows, as plain values in one language: each room in few words; the rest is on the room's own page."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from campus_base.figures import megabits, percent
from campus_base.messages import message
from campus_base.port_words import link_words
from campus_base.wire_words import VALIDITY_WORDS
from campus_collector.domain.agents import Agent
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School
from campus_collector.http.pages.charts import state_strip
from campus_collector.http.pages.history import runs_of_day
from campus_collector.http.pages.paths import subject_path
from campus_collector.http.pages.present import PORT_KNOWN_FOR, PresentModel, factor_of, rate_of
from campus_collector.http.pages.problem_rows import Contact, ProblemRow, ProblemRows, contact_of, contract_rate
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.rooms import RoomBlock, rooms_of
from campus_collector.http.pages.test_servers import server_words
from campus_collector.http.pages.words import (
    IDENTITY_SHARED_WORDS,
    config_problem_words,
    duration_words,
    rate_words,
    size_words,
)
from campus_collector.http.school_view import SchoolView, SubjectView, agents_by_school, school_view
from campus_collector.http.service import Service
from campus_collector.judge.derivation import cause_words, servers_in
from campus_collector.judge.explanations import CAUSE_WORDS as CAUSES
from campus_collector.judge.month import Month, start_of_day
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.shared_causes import shared_causes
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.listing import names_in
from campus_wire.bandwidth import Verdict
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    HostResult,
    NetworkResult,
    PortResult,
    RoomResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

OTHER_TARGETS = ("recording_room", "live_class")
"""Targets of a school that have no row of a subject of their own."""
DHCP_KNOWN_FOR = timedelta(days=3)
"""It is looked for once a day; after that its state is not known."""
MOST_POLLS_OF_A_DAY = 5000
"""Of all recording rooms of a school; with a poll every five minutes those of 17 rooms."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A classroom or an uplink in few words; `path` leads to its page."""

    id: str
    path: str
    name: str
    month: Badge
    rates: str
    payload: str
    required: str
    port: str
    latest: str
    latest_when: str
    cause: str


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A cloud platform as seen from a school."""

    id: str
    path: str
    name: str
    latest: Badge
    latest_when: str
    first_byte: str
    month: Badge


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target of the school as a whole, this month; `path` leads to how it came about."""

    path: str
    name: str
    badge: Badge
    cause: str


@dataclass(frozen=True, slots=True)
class SchoolPage:
    """What the page of one school shows."""

    id: str
    name: str
    town: str
    shared: str
    dhcp: str
    open_problems: list[ProblemRow]
    contact: Contact
    contract_rate: str
    classrooms: list[Tile]
    counted: list[tuple[Badge, int]]
    uplinks: list[Tile]
    services: list[ServiceRow]
    rooms: list[RoomBlock]
    others: list[TargetRow]
    closed_problems: list[ProblemRow]
    facts: list[tuple[str, str]]
    reporting: Badge
    test_server: str
    """Of its uplinks' newest tests."""


class SchoolModel:
    def __init__(self, service: Service, reader: Reader, month: Month) -> None:
        self._service = service
        self._reader = reader
        self._month = month
        self._policy = service.verdicts.policy
        self._present = PresentModel(reader, self._policy.tolerance_ratio)

    def page(self, school: School) -> SchoolPage:
        view = school_view(self._service, school, self._month)
        judged = [(subject, subject.verdict) for subject in view.subjects if subject.verdict is not None]
        tiles = {
            kind: [self._tile(each, verdict) for each, verdict in judged if each.subject.kind == kind]
            for kind in ("classroom", "uplink")
        }
        services = [self._service_row(each, verdict) for each, verdict in judged if each.subject.kind == "service"]
        agent = agents_by_school(self._service.store.agents.all(school.id)).get(school.id)
        newest = {(results.subject, results.kind): results for results in view.latest}
        others = sorted(
            (verdict for verdict in view.verdicts if verdict.target in OTHER_TARGETS),
            key=lambda verdict: (verdict.target, verdict.subject),
        )
        contact = contact_of(self._service.inventory.school(school.id))
        uplink_tests = [results.ok or results.any for results in view.latest if results.subject == "uplink"]
        names = names_in(self._service.store, [standing.problem for standing in view.standings])
        problems = ProblemRows(self._reader, school, contact, names, self._service.today())
        return SchoolPage(
            school.id,
            school.name,
            school.town_name,
            self._shared(view),
            self._dhcp(newest.get(("lan", "network"))),
            problems.open(view.standings),
            contact,
            contract_rate(self._reader, contact),
            tiles["classroom"],
            self._counted([verdict.verdict for each, verdict in judged if each.subject.kind == "classroom"]),
            tiles["uplink"],
            services,
            self._rooms(school, [results.any for results in view.latest]),
            [self._target_row(verdict) for verdict in others],
            problems.closed(view.standings),
            self._facts(agent, newest.get(("gateway", "host"))),
            self._reader.reporting(agent),
            server_words(self._reader, servers_in(uplink_tests), self._service.config.test_servers),
        )

    def _counted(self, verdicts: list[Verdict]) -> list[tuple[Badge, int]]:
        counts = ((verdict, verdicts.count(verdict)) for verdict in Verdict)
        return [(self._reader.badge(verdict), count) for verdict, count in counts if count]

    def _shared(self, view: SchoolView) -> str:
        """What all classrooms have in common, if they do: as the ledger's open problem of the whole school says it, when there is one."""
        whole_school = {
            standing.problem.id for standing in view.standings if standing.is_open and not standing.problem.subject
        }
        if whole_school:
            named = (verdict.causes[0] for verdict in view.verdicts if verdict.problem in whole_school)
            cause = next(named, None)
        else:
            shared = shared_causes(view.verdicts).get(view.school.id)
            cause = shared.cause if shared is not None else None
        return "" if cause is None else self._reader.text(cause_words(cause))

    def _dhcp(self, latest: Latest | None) -> str:
        """More than one DHCP server on a link: machines get wrong addresses at random. Empty for none, and for what was seen days ago."""
        result = latest.ok if latest else None
        if result is not None and self._reader.now - result.started_at > DHCP_KNOWN_FOR:
            return ""
        if not isinstance(result, NetworkResult) or result.record is None or result.record.most_dhcp_servers < 2:
            return ""
        listed = self._reader.words("list_comma").join(
            f"{server.server} ({server.mac})" for server in result.record.dhcp
        )
        return self._reader.words(
            "dhcp", count=result.record.most_dhcp_servers, listed=listed, when=self._reader.when(result)
        )

    def _tile(self, view: SubjectView, verdict: SubjectVerdict) -> Tile:
        subject, required = view.subject, view.required_bits_per_second or 0.0
        throughput = view.latest.get("throughput")
        newest = throughput.any if throughput else None
        valid = throughput.ok if throughput else None
        record = valid.record if isinstance(valid, ThroughputResult) else None
        return Tile(
            subject.id,
            subject_path(subject.school, subject.kind, subject.id),
            self._reader.words("uplink") if subject.kind == "uplink" else subject.name,
            self._reader.badge(verdict.verdict),
            self._rates(record, required),
            self._payload(record),
            self._reader.words("required", rate=self._reader.text(rate_words(required))),
            self._port(view.latest.get("port")),
            self._latest(newest, required),
            self._reader.when(newest),
            self._reader.text(CAUSES[verdict.diagnosis]),
        )

    def _latest(self, newest: AnyResult | None, required: float) -> str:
        """What came of the newest test, valid or not."""
        badge = self._present.latest_badge(newest, required)
        if badge.verdict == Verdict.INSUFFICIENT:
            return f"{badge.mark} {badge.note or badge.word}"
        return f"{badge.mark} {self._reader.words('result_passes' if badge.verdict == Verdict.MET else 'result_fails')}"

    def _rates(self, record: ThroughputRecord | None, required: float) -> str:
        """Line rates both ways of the newest valid test, in Mbit/s."""
        if record is None:
            return ""
        limits = (required * self._policy.tolerance_ratio, required)
        return self._reader.words(
            "both_ways", **{way: _figure(rate_of(record, way), *limits) for way in ("down", "up")}
        )

    def _payload(self, record: ThroughputRecord | None) -> str:
        """Payload rates both ways of the same test, and the factor between them."""
        if record is None:
            return ""
        rates = {
            way: _figure(direction.goodput_bits_per_second if direction is not None else None)
            for way, direction in (("down", record.down), ("up", record.up))
        }
        return self._reader.words("payload_both_ways", **rates, factor=factor_of(record).partition("=")[2])

    def _port(self, latest: Latest | None) -> str:
        result = latest.any if latest else None
        if not isinstance(result, PortResult) or self._reader.now - result.started_at > PORT_KNOWN_FOR:
            return ""
        if result.record is None:
            return ""
        return self._reader.words("port_short", link=self._reader.text(link_words(result.record)))

    def _rooms(self, school: School, newest: list[AnyResult]) -> list[RoomBlock]:
        """Recording rooms as they are now, each with the states of today."""
        rooms = rooms_of(self._reader, newest)
        if not rooms:
            return rooms
        zone, today = self._month.zone, self._service.today()
        polls: dict[str, list[tuple[datetime, bool | None]]] = {}
        for result in self._service.store.results.newest(
            school.id,
            None,
            "room",
            start_of_day(today, zone),
            start_of_day(today + timedelta(days=1), zone),
            MOST_POLLS_OF_A_DAY,
        ):
            if isinstance(result, RoomResult):
                up = result.record.up if result.record is not None else None
                polls.setdefault(result.subject, []).append((result.started_at.astimezone(zone), up))
        today_of = {room.id: strip_of_today(self._reader, room.id, polls.get(room.id, [])) for room in rooms}
        return [replace(room, strip=today_of[room.id][0], outages=today_of[room.id][1]) for room in rooms]

    def _service_row(self, view: SubjectView, verdict: SubjectVerdict) -> ServiceRow:
        subject, newest = view.subject, view.newest.any if view.newest else None
        record = newest.record if isinstance(newest, ServiceResult) else None
        badge = self._present.latest_badge(newest, None)
        note = badge.note
        if record is not None and record.http_status is not None and not record.success:
            note = self._reader.words("with_status", note=note, status=record.http_status)
        success = record is not None and record.success
        failed = newest is not None and newest.failure is not None
        word = self._reader.words("reachable" if success else "not_reachable" if record or failed else "never")
        if newest is not None and newest.validity is Validity.CLOCK_UNTRUSTED:
            word, note = self._reader.words("never"), self._reader.text(VALIDITY_WORDS[newest.validity])
        return ServiceRow(
            id=subject.id,
            path=subject_path(subject.school, subject.kind, subject.id),
            name=subject.name,
            latest=replace(badge, word=word, note=note),
            latest_when=self._reader.when(newest),
            first_byte=self._reader.text(
                duration_words(record.first_byte_seconds if record else None, *_slowest(verdict))
            ),
            month=self._reader.badge(verdict.verdict, self._present.progress(verdict)),
        )

    def _target_row(self, verdict: SubjectVerdict) -> TargetRow:
        return TargetRow(
            f"{verdict.target}/{verdict.school}/{verdict.subject}",
            self._reader.text(TARGET_WORDS[verdict.target]),
            self._reader.badge(verdict.verdict, self._present.progress(verdict)),
            self._reader.text(CAUSES[verdict.diagnosis]),
        )

    def _facts(self, agent: Agent | None, host: Latest | None) -> list[tuple[str, str]]:
        facts: list[tuple[str, str]] = []
        if agent is not None and agent.last_report_at is not None:
            facts.append((self._reader.words("last_report"), self._reader.ago(agent.last_report_at)))
        if agent is not None and agent.is_shared(self._reader.now):
            facts.append((self._reader.words("identity"), self._reader.text(IDENTITY_SHARED_WORDS)))
        if agent is not None and agent.state is not None:
            state = agent.state
            facts.append(
                (self._reader.words("pending"), self._reader.words("results_count", count=state.spool_pending_results))
            )
            facts.append(
                (
                    self._reader.words("dropped"),
                    self._reader.words("results_count", count=state.spool_dropped_results_total),
                )
            )
            if state.clock_offset_seconds is not None:
                offset = message("{clock_offset_seconds:+.1f} s", clock_offset_seconds=state.clock_offset_seconds)
                facts.append((self._reader.words("clock_offset"), self._reader.text(offset)))
            facts.append((self._reader.words("version"), state.version))
            problem = config_problem_words(state)
            if problem is not None:
                facts.append((self._reader.words("config_problem"), self._reader.text(problem)))
        valid = host.ok if host else None
        if isinstance(valid, HostResult) and valid.record is not None:
            facts.append((self._reader.words("cpu"), percent(valid.record.cpu_ratio, decimals=0)))
            facts.append(
                (self._reader.words("memory"), self._reader.text(size_words(valid.record.memory_available_bytes)))
            )
            facts.append((self._reader.words("disk"), self._reader.text(size_words(valid.record.disk_free_bytes))))
        return facts


def _figure(bits_per_second: float | None, *limits: float) -> str:
    """A rate in Mbit/s, without the unit."""
    return "—" if bits_per_second is None else megabits(bits_per_second, *limits)


def _slowest(verdict: SubjectVerdict) -> tuple[float, ...]:
    """The longest time to the first byte that the policy allows."""
    limit = verdict.rule.max_first_byte_seconds if verdict.rule is not None else None
    return () if limit is None else (limit,)


def strip_of_today(reader: Reader, name: str, polls: list[tuple[datetime, bool | None]]) -> tuple[str, str]:
    """The states of today as a picture, and when it did not work, in words. Both "" without a poll."""
    runs = runs_of_day(polls)
    if not runs:
        return "", ""
    shown = [
        (
            run.first,
            run.after,
            "up" if run.up else "down",
            f"{_clock(run.first)}–{_clock(run.after)} {reader.words('works' if run.up else 'broken')}",
        )
        for run in runs
    ]
    spoken = reader.words("semicolon").join(words for *_, words in shown)
    down = [f"{_clock(run.first)}–{_clock(run.after)}" for run in runs if not run.up]
    outages = reader.words("today_outages", times=reader.words("list_comma").join(down)) if down else ""
    title = f"{name} {reader.words('today')}{reader.words('colon')}{spoken}"
    return state_strip(shown, title), outages or reader.words("today_no_outage")


def _clock(quarter: int) -> str:
    return f"{quarter // 4:02d}:{quarter % 4 * 15:02d}"
