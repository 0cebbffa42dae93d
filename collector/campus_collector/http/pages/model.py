"""What a page shows, as plain values in one language: from store and verdicts, before any HTML."""

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from campus_base.figures import percent, percent_as_written
from campus_base.language import Language
from campus_base.messages import Message, message, verbatim
from campus_base.port_words import ERROR_RATIO, FOUND_BY_WORDS, GRADE_WORDS, error_ratio, link_words
from campus_base.readings import READINGS, in_words
from campus_base.wire_words import FAILURE_WORDS, SKIP_WORDS, VALIDITY_WORDS, VERDICT_WORDS
from campus_collector.domain.agents import Agent
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School, Subject
from campus_collector.http.pages.charts import rate_chart, share_chart
from campus_collector.http.pages.words import (
    IDENTITY_SHARED_WORDS,
    WORDS,
    age_words,
    ago_words,
    browser_words,
    config_problem_words,
    duration_words,
    rate_words,
    size_words,
)
from campus_collector.http.school_view import (
    SchoolView,
    SubjectView,
    agents_by_school,
    school_view,
    schools_in,
    verdict_of_pass,
    verdict_of_result,
    verdicts_by_school,
)
from campus_collector.http.service import Service
from campus_collector.judge.agreement import total
from campus_collector.judge.derivation import cause_words, deciding_words
from campus_collector.judge.explanations import CAUSE_WORDS as CAUSES
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS, required_rate
from campus_collector.judge.rules import RULES
from campus_collector.judge.shared_causes import shared_causes
from campus_collector.judge.table import area_ratio_words
from campus_collector.judge.verdict import AreaVerdict, SubjectVerdict
from campus_collector.judge.workdays import is_provisional, last_announced_day
from campus_collector.store.errors import StoreUnavailable
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of_record
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    DeviceRecord,
    DeviceResult,
    HostResult,
    InspectionResult,
    LatencyResult,
    NetworkResult,
    PortResult,
    RoomResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

log = logging.getLogger(__name__)
Row = TypeVar("Row")

OTHER_TARGETS = ("recording_room", "live_class")
"""Targets of a school that have no row of a subject of their own."""
MARKS = {Verdict.MET: "✓", Verdict.NOT_MET: "✗", Verdict.INSUFFICIENT: "?", Verdict.EXEMPT: "–"}
SHOWN_IN_FULL = 2
"""With more schools than this the overview lists them, each with a page of its own."""
DHCP_KNOWN_FOR = timedelta(days=3)
"""It is looked for once a day; afterwards nobody knows any more."""


@dataclass(frozen=True, slots=True)
class Badge:
    """A verdict as shape, word and class."""

    verdict: str
    mark: str
    word: str


@dataclass(frozen=True, slots=True)
class TargetCard:
    """One target in the county."""

    name: str
    ratio: str
    chart: str
    counts: list[tuple[Badge, int]]
    total: str
    latest: str


@dataclass(frozen=True, slots=True)
class SegmentRow:
    """A classroom or an uplink."""

    id: str
    name: str
    chart: str
    rates: list[tuple[str, str]]
    required: str
    latency: str
    latest: Badge
    latest_when: str
    latest_note: str
    month: Badge
    month_note: str
    cause: str
    port: str
    grade: str
    inspection: str
    """A person's test from a browser in the classroom; it never counts for a verdict."""


@dataclass(frozen=True, slots=True)
class ServiceRow:
    """A cloud platform as seen from a school."""

    id: str
    name: str
    latest: Badge
    latest_word: str
    latest_when: str
    latest_note: str
    first_byte: str
    month: Badge
    month_note: str


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device of a recording room: its state, its readings, and what is wrong."""

    id: str
    profile: str
    badge: Badge
    required: bool
    when: str
    readings: list[str]
    notes: list[str]


@dataclass(frozen=True, slots=True)
class RoomBlock:
    """A recording room."""

    id: str
    badge: Badge
    when: str
    devices: list[DeviceRow]


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A target of the school as a whole, this month; `path` leads to how it came about."""

    path: str
    name: str
    badge: Badge
    cause: str
    note: str


@dataclass(frozen=True, slots=True)
class SchoolPage:
    """What the page of one school shows."""

    id: str
    name: str
    town: str
    shared: str
    dhcp: str
    classrooms: list[SegmentRow]
    uplinks: list[SegmentRow]
    services: list[ServiceRow]
    rooms: list[RoomBlock]
    others: list[TargetRow]
    facts: list[tuple[str, str]]
    reporting: Badge
    reporting_note: str


@dataclass(frozen=True, slots=True)
class SchoolRow:
    """A school in the list."""

    id: str
    name: str
    town: str
    badge: Badge
    summary: str
    reporting: Badge
    reporting_note: str


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows: the targets of the month, and the schools."""

    month: str
    judged_by: str
    updated: str
    agreement: str
    cards: list[TargetCard]
    schools: list[SchoolPage]
    lines: list[SchoolRow]


class PageModel:
    """What the pages of one request show: one language, one moment, one month."""

    def __init__(
        self,
        service: Service,
        language: Language,
        now: datetime | None = None,
        town: str | None = None,
        month: Month | None = None,
    ) -> None:
        """With a town only that town's schools; verdicts of a month, by default this one."""
        self._town = town
        self._service = service
        self._language: Language = language
        self._now = now or datetime.now(UTC)
        self._month = month or service.verdicts.this_month()
        self._policy = service.verdicts.policy
        self._left_out: list[str] = []

    def overview(self) -> Overview:
        schools = schools_in(self._service, self._town)
        full = list(self._each(schools, self.school)) if len(schools) <= SHOWN_IN_FULL else []
        lines: list[SchoolRow] = []
        if len(schools) > SHOWN_IN_FULL:
            verdicts = verdicts_by_school(self._service, self._month)
            agents = agents_by_school(self._service.store.agents())
            ranked = sorted(schools, key=lambda school: _worst_first(verdicts.get(school.id, [])))

            def line(school: School) -> SchoolRow:
                return self._line(school, verdicts.get(school.id, []), agents.get(school.id))

            lines = list(self._each(ranked, line))
        updated = self.updated()
        if self._left_out:
            updated = f"{updated} {self._w('left_out', schools=', '.join(self._left_out))}"
        return Overview(self.month_words(), self.judged_by(), updated, self._agreement(), self._cards(), full, lines)

    def _each(self, schools: Iterable[School], make: Callable[[School], Row]) -> Iterator[Row]:
        """A part of the page for each school. A school whose part cannot be made is left out and named; the others are shown."""
        for school in schools:
            try:
                yield make(school)
            except StoreUnavailable:
                raise
            except Exception as error:
                self._left_out.append(school.name)
                shown = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                log.error("a school is left out of the page", extra={"school": school.id, "error": shown})

    def school(self, school: School) -> SchoolPage:
        view = school_view(self._service, school, self._month)
        rows: dict[str, list[SegmentRow]] = {"classroom": [], "uplink": []}
        services = []
        for subject in view.subjects:
            if subject.verdict is None or subject.subject.kind == "recording_room":
                continue  # without a verdict it became known only now: on the next page
            if subject.subject.kind == "service":
                services.append(self._service_row(subject, subject.verdict))
            else:
                rows[subject.subject.kind].append(self._segment_row(subject, subject.verdict))
        agent = agents_by_school(self._service.store.agents(school.id)).get(school.id)
        reporting, note = self._reporting(agent)
        newest = {(results.subject, results.kind): results for results in view.latest}
        others = sorted(
            (verdict for verdict in view.verdicts if verdict.target in OTHER_TARGETS),
            key=lambda verdict: (verdict.target, verdict.subject),
        )
        return SchoolPage(
            school.id,
            school.name,
            school.town_name,
            self._shared(view),
            self._dhcp(newest.get(("lan", "network"))),
            rows["classroom"],
            rows["uplink"],
            services,
            self._rooms([results.any for results in view.latest]),
            [self._target_row(verdict) for verdict in others],
            self._facts(agent, newest.get(("gateway", "host"))),
            reporting,
            note,
        )

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
        return "" if cause is None else self._in(cause_words(cause))

    def _dhcp(self, latest: Latest | None) -> str:
        """More than one DHCP server on a link: machines get wrong addresses at random. Empty for none, and for what was seen days ago."""
        result = latest.ok if latest else None
        if result is not None and self._now - result.started_at > DHCP_KNOWN_FOR:
            return ""
        if not isinstance(result, NetworkResult) or result.record is None or result.record.most_dhcp_servers < 2:
            return ""
        listed = ", ".join(f"{server.server} ({server.mac})" for server in result.record.dhcp)
        return self._w("dhcp", count=result.record.most_dhcp_servers, listed=listed, when=self._when(result))

    def _cards(self) -> list[TargetCard]:
        store, verdicts = self._service.store, self._service.verdicts
        areas = {area.target: area for area in verdicts.areas(self._month) if area.town == (self._town or "")}
        newest = {(results.school, results.subject, results.kind): results.any for results in store.latest()}
        subjects = store.subjects()
        return [self._card(name, areas.get(name), self._by_latest(name, subjects, newest)) for name in TARGET_NAMES]

    def _by_latest(self, target: str, subjects: list[Subject], newest: Mapping[tuple[str, str, str], AnyResult]) -> str:
        """How the newest result of each subject would be judged alone: a month in progress has no verdict yet."""
        entry, rule = self._policy.in_force(target, self._month.first_day), RULES[target]
        counts: Counter[Verdict] = Counter()
        for subject in subjects:
            if subject.kind != rule.subject_kind:
                continue
            result = newest.get((subject.school, subject.id, rule.result_kind))
            passes = None
            if result is not None and entry is not None:
                passes = rule.passes(result, entry, self._policy, required_rate(subject, entry))
            counts[verdict_of_pass(passes)] += 1
        met, not_met = counts[Verdict.MET], counts[Verdict.NOT_MET]
        return self._w("by_latest", met=met, not_met=not_met, open=counts.total() - met - not_met)

    def _card(self, name: str, area: AreaVerdict | None, by_latest: str) -> TargetCard:
        title = self._in(TARGET_WORDS[name])
        if area is None:
            return TargetCard(title, "—", "", [], self._w("no_subjects"), "")
        counts = [(verdict, int(getattr(area, verdict))) for verdict in Verdict]
        spoken = ", ".join(f"{self._in(VERDICT_WORDS[verdict])} {count}" for verdict, count in counts)
        shares = [(verdict.value, count) for verdict, count in counts if verdict is not Verdict.EXEMPT]
        chart = share_chart(shares, f"{title}: {spoken}")
        ratio = self._in(area_ratio_words(area))
        shown = [(self._badge(verdict), count) for verdict, count in counts if count or verdict is not Verdict.EXEMPT]
        judged = area.met + area.not_met + area.insufficient
        total = self._w("subjects_count", count=judged)
        return TargetCard(title, ratio, chart, shown, total, by_latest)

    def _line(self, school: School, verdicts: list[SubjectVerdict], agent: Agent | None) -> SchoolRow:
        counts = Counter(verdict.verdict for verdict in verdicts)
        not_met, insufficient = counts[Verdict.NOT_MET], counts[Verdict.INSUFFICIENT]
        worst = Verdict.NOT_MET if not_met else Verdict.INSUFFICIENT if insufficient or not verdicts else Verdict.MET
        parts = [self._w("not_met_count", count=not_met)] if not_met else []
        parts += [self._w("insufficient_count", count=insufficient)] if insufficient else []
        comma = "," if self._language == "zh" else ", "
        reporting, note = self._reporting(agent)
        summary = comma.join(parts) or self._w("all_well" if verdicts else "never")
        return SchoolRow(school.id, school.name, school.town_name, self._badge(worst), summary, reporting, note)

    def _segment_row(self, view: SubjectView, verdict: SubjectVerdict) -> SegmentRow:
        subject, required = view.subject, view.required_bits_per_second or 0.0
        throughput, latency, port = (view.latest.get(kind) for kind in ("throughput", "latency", "port"))
        record = _record(throughput.ok if throughput else None)
        newest = throughput.any if throughput else None
        rates = [(name, _rate(record, name)) for name in ("down", "up")]
        limits = (required * self._policy.tolerance_ratio, required)
        written = [(self._w(name), self._in(rate_words(rate, *limits))) for name, rate in rates]
        spoken = "; ".join(f"{name} {rate}" for name, rate in written)
        wanted = self._w("required", rate=self._in(rate_words(required)))
        chart = ""
        if record is not None and required:
            labelled = [(self._w(name), rate) for name, rate in rates]
            title = f"{subject.name}: {spoken}; {wanted}"
            chart = rate_chart(labelled, required, self._policy.tolerance_ratio, title)
        badge, note = self._latest_badge(newest, required)
        return SegmentRow(
            id=subject.id,
            name=self._w("uplink") if subject.kind == "uplink" else subject.name,
            chart=chart,
            rates=written if record else [],
            required=wanted,
            latency=self._latency(record, latency.ok if latency else None),
            latest=badge,
            latest_when=self._when(newest),
            latest_note=note,
            month=self._badge(verdict.verdict),
            month_note=self._progress(verdict),
            cause=self._in(CAUSES[verdict.diagnosis]),
            port=self._port(port),
            grade=self._w("grade", grade=self._in(GRADE_WORDS[_grade(record, port)])),
            inspection=self._inspection(view.latest.get("inspection"), required),
        )

    def _inspection(self, latest: Latest | None, required: float) -> str:
        result = latest.ok if latest else None
        if not isinstance(result, InspectionResult) or result.record is None:
            return ""
        record = result.record.measured
        verdict = verdict_of_record(record, required or None, self._policy.tolerance_ratio)
        return self._w(
            "inspection",
            when=self._when(result),
            down=self._inspected(record, "down", required),
            up=self._inspected(record, "up", required),
            verdict=self._in(VERDICT_WORDS[verdict]),
            machine=self._w("own_machine" if result.record.own_machine else "other_machine"),
            browser=browser_words(result.record.browser),
        )

    def _inspected(self, record: ThroughputRecord, name: str, required: float) -> str:
        direction = getattr(record, name)
        text = self._in(rate_words(_rate(record, name), required * self._policy.tolerance_ratio, required))
        return ("≥ " if direction and direction.lower_bound else "") + text

    def _port(self, latest: Latest | None) -> str:
        """What the switch says of the port; nothing when it has not for a day."""
        result = latest.any if latest else None
        if not isinstance(result, PortResult) or self._now - result.started_at > timedelta(days=1):
            return ""
        record = result.record
        if record is None:
            return self._w("port_unknown", why=self._in(FAILURE_WORDS[result.failure.kind])) if result.failure else ""
        errors = error_ratio(record)
        words = self._w(
            "port",
            switch=record.switch,
            port=record.port,
            link=self._in(link_words(record)),
            found_by=self._in(FOUND_BY_WORDS[record.found_by]),
        )
        return (
            words
            if not errors or errors < ERROR_RATIO
            else words + self._w("port_errors", ratio=percent(errors, decimals=2))
        )

    def _service_row(self, view: SubjectView, verdict: SubjectVerdict) -> ServiceRow:
        subject, newest = view.subject, view.newest.any if view.newest else None
        record = newest.record if isinstance(newest, ServiceResult) else None
        badge, note = self._latest_badge(newest, None)
        if record is not None and record.http_status is not None and not record.success:
            note = self._w("with_status", note=note, status=record.http_status)
        success = record is not None and record.success
        failed = newest is not None and newest.failure is not None
        word = self._w("reachable" if success else "not_reachable" if record or failed else "never")
        if newest is not None and newest.validity is Validity.CLOCK_UNTRUSTED:
            word, note = self._w("never"), self._in(VALIDITY_WORDS[newest.validity])
        return ServiceRow(
            id=subject.id,
            name=subject.name,
            latest=badge,
            latest_word=word,
            latest_when=self._when(newest),
            latest_note=note,
            first_byte=self._in(duration_words(record.first_byte_seconds if record else None, *self._slowest(verdict))),
            month=self._badge(verdict.verdict),
            month_note=self._progress(verdict),
        )

    def _slowest(self, verdict: SubjectVerdict) -> tuple[float, ...]:
        """The longest time to the first byte that the policy allows."""
        limit = verdict.rule.max_first_byte_seconds if verdict.rule is not None else None
        return () if limit is None else (limit,)

    def _target_row(self, verdict: SubjectVerdict) -> TargetRow:
        return TargetRow(
            f"{verdict.target}/{verdict.school}/{verdict.subject}",
            self._in(TARGET_WORDS[verdict.target]),
            self._badge(verdict.verdict),
            self._in(CAUSES[verdict.diagnosis]),
            self._progress(verdict),
        )

    def _rooms(self, newest: list[AnyResult]) -> list[RoomBlock]:
        """Recording rooms as polled last; what was not polled for a day is gone."""
        since = self._now - timedelta(days=1)
        fresh = [result for result in newest if result.started_at >= since]
        devices: dict[str, list[DeviceRow]] = {}
        for result in fresh:
            if isinstance(result, DeviceResult) and result.record is not None:
                devices.setdefault(result.record.room, []).append(self._device_row(result, result.record))
        rooms = [
            RoomBlock(
                result.subject,
                self._state(result.record.up if result.record else None),
                self._when(result),
                devices[result.subject],
            )
            for result in fresh
            if isinstance(result, RoomResult) and result.subject in devices
        ]
        return sorted(rooms, key=lambda room: room.id)

    def _device_row(self, result: DeviceResult, record: DeviceRecord) -> DeviceRow:
        readings: dict[str, float | str] = {**record.readings, **record.words}
        order = [name for name in READINGS if name in readings]
        notes = [self._in(FAILURE_WORDS[result.failure.kind])] if result.failure else []
        notes += [
            f"{self._in(READINGS.get(name, verbatim(name)))}: {self._in(FAILURE_WORDS[why.kind])}"
            for name, why in record.failed.items()
        ]
        beyond = [remark.partition(" ")[0] for remark in record.remarks]
        notes += [
            self._w("beyond", reading=in_words(name, readings[name], self._language))
            for name in beyond
            if name in readings
        ]
        return DeviceRow(
            id=result.subject,
            profile=record.profile,
            badge=self._state(record.up),
            required=record.required,
            when=self._when(result),
            readings=[in_words(name, readings[name], self._language) for name in order],
            notes=notes,
        )

    def _state(self, up: bool | None) -> Badge:
        """Up, down, or not known, as shape and word."""
        verdict = Verdict.INSUFFICIENT if up is None else Verdict.MET if up else Verdict.NOT_MET
        word = self._w("unknown_state" if up is None else "works" if up else "broken")
        return Badge(verdict.value, MARKS[verdict], word)

    def _latest_badge(self, result: AnyResult | None, required: float | None) -> tuple[Badge, str]:
        """The verdict of the newest result alone, and why it is so if it is not plain."""
        if result is None:
            return self._badge(Verdict.INSUFFICIENT), self._w("never")
        verdict = verdict_of_result(result, required, self._policy.tolerance_ratio)
        note = ""
        if result.skipped is not None:
            note = self._w("skipped", reason=self._in(SKIP_WORDS[result.skipped]))
        elif result.failure is not None:
            note = self._in(FAILURE_WORDS[result.failure.kind])
        elif result.validity is not Validity.OK:
            note = self._in(VALIDITY_WORDS[result.validity])
        elif verdict is Verdict.NOT_MET and isinstance(result, ThroughputResult) and required is not None:
            rates = [rate for rate in (_rate(result.record, "down"), _rate(result.record, "up")) if rate is not None]
            least = self._in(rate_words(required * self._policy.tolerance_ratio))
            note = self._w(
                "below", rate=self._in(rate_words(min(rates), required * self._policy.tolerance_ratio)), least=least
            )
        return self._badge(verdict), note

    def _latency(self, record: ThroughputRecord | None, latest: AnyResult | None) -> str:
        idle = record.idle if record else None
        if isinstance(latest, LatencyResult) and latest.record is not None:
            idle = latest.record.idle
        if idle is None or idle.rtt_median_seconds is None:
            return ""
        text = self._in(duration_words(idle.rtt_median_seconds))
        working = record.working.rtt_p95_seconds if record and record.working else None
        if working is None:
            return self._w("rtt_idle", idle=text)
        return self._w("rtt", idle=text, working=self._in(duration_words(working)))

    def _progress(self, verdict: SubjectVerdict) -> str:
        rule, evidence = verdict.rule, verdict.evidence
        if rule is None:
            return self._w("not_judged")
        return self._w(
            "progress",
            decided=self._in(deciding_words(evidence.passing_results, evidence.valid_results, rule)),
            valid=evidence.valid_results,
            need=rule.min_valid_results,
            days=evidence.days,
            need_days=rule.min_days,
        )

    def _reporting(self, agent: Agent | None) -> tuple[Badge, str]:
        if agent is None or agent.last_report_at is None:
            return self._badge(Verdict.INSUFFICIENT), self._w("never")
        if not agent.is_up(self._now):
            age = self._in(age_words((self._now - agent.last_report_at).total_seconds()))
            return self._badge(Verdict.NOT_MET), self._w("silent", age=age)
        return self._badge(Verdict.MET), self._w("reporting")

    def _facts(self, agent: Agent | None, host: Latest | None) -> list[tuple[str, str]]:
        facts: list[tuple[str, str]] = []
        if agent is not None and agent.last_report_at is not None:
            facts.append((self._w("last_report"), self._ago(agent.last_report_at)))
        if agent is not None and agent.is_shared(self._now):
            facts.append((self._w("identity"), self._in(IDENTITY_SHARED_WORDS)))
        if agent is not None and agent.state is not None:
            state = agent.state
            facts.append((self._w("pending"), self._w("results_count", count=state.spool_pending_results)))
            facts.append((self._w("dropped"), self._w("results_count", count=state.spool_dropped_results_total)))
            if state.clock_offset_seconds is not None:
                offset = message("{clock_offset_seconds:+.1f} s", clock_offset_seconds=state.clock_offset_seconds)
                facts.append((self._w("clock_offset"), self._in(offset)))
            facts.append((self._w("version"), state.version))
            problem = config_problem_words(state)
            if problem is not None:
                facts.append((self._w("config_problem"), self._in(problem)))
        valid = host.ok if host else None
        if isinstance(valid, HostResult) and valid.record is not None:
            facts.append((self._w("cpu"), percent(valid.record.cpu_ratio, decimals=0)))
            facts.append((self._w("memory"), self._in(size_words(valid.record.memory_available_bytes))))
            facts.append((self._w("disk"), self._in(size_words(valid.record.disk_free_bytes))))
        return facts

    def _agreement(self) -> str:
        """How often quick tests and iperf3 agreed this month."""
        agreement = total(self._service.verdicts.agreement(self._month).values())
        if not agreement.compared:
            return self._w("no_agreement")
        return self._w("agreement", agreeing=agreement.agreeing, compared=agreement.compared)

    def judged_by(self) -> str:
        tolerance = percent_as_written(1 - self._policy.tolerance_ratio)
        text = self._w("judged_by", version=self._policy.version, tolerance=tolerance)
        if not is_provisional(self._month.last_day):
            return text
        return f"{text} {self._w('provisional', day=last_announced_day())}"

    def updated(self) -> str:
        local = self._now.astimezone(self._service.verdicts.zone)
        return self._w("updated", time=local.strftime("%Y-%m-%d %H:%M:%S"))

    def month_words(self) -> str:
        return self._w("month", month=str(self._month), year=self._month.year, number=self._month.number)

    def _when(self, result: AnyResult | None) -> str:
        if result is None or result.validity is Validity.CLOCK_UNTRUSTED:
            return ""  # nobody knows when
        return self._ago(result.started_at)

    def _ago(self, moment: datetime) -> str:
        return self._in(ago_words(max(0.0, (self._now - moment).total_seconds())))

    def _badge(self, verdict: Verdict) -> Badge:
        return Badge(verdict.value, MARKS[verdict], self._in(VERDICT_WORDS[verdict]))

    def _w(self, key: str, **values: object) -> str:
        return WORDS[key].in_(self._language, **values)

    def _in(self, text: Message) -> str:
        return text.in_(self._language)


def _record(result: AnyResult | None) -> ThroughputRecord | None:
    return result.record if isinstance(result, ThroughputResult) else None


def _rate(record: ThroughputRecord | None, name: str) -> float | None:
    direction = getattr(record, name) if record else None
    return line_rate_of(direction, record.encapsulation) if record and direction else None


def _worst_first(verdicts: Iterable[SubjectVerdict]) -> tuple[int, int]:
    counts = Counter(verdict.verdict for verdict in verdicts)
    return (-counts[Verdict.NOT_MET], -counts[Verdict.INSUFFICIENT])


def _grade(record: ThroughputRecord | None, port: Latest | None) -> str:
    """The best evidence there is: only what was measured can make a target met."""
    if record is not None:
        return "measured"
    negotiated = port.ok if port else None
    if isinstance(negotiated, PortResult) and negotiated.record and negotiated.record.speed_bits_per_second:
        return "negotiated"
    return "declared"
