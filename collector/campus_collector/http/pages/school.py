"""What the page of one school shows, as plain values in one language."""

from dataclasses import dataclass, replace
from datetime import timedelta

from campus_base.figures import percent
from campus_base.messages import message
from campus_base.port_words import ERROR_RATIO, FOUND_BY_WORDS, GRADE_WORDS, error_ratio, link_words
from campus_base.wire_words import FAILURE_WORDS, RESULT_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_collector.domain.agents import Agent
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School
from campus_collector.http.pages.charts import rate_chart
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.rooms import RoomBlock, rooms_of
from campus_collector.http.pages.words import (
    IDENTITY_SHARED_WORDS,
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
    verdict_of_result,
)
from campus_collector.http.service import Service
from campus_collector.judge.derivation import cause_words, deciding_words
from campus_collector.judge.explanations import CAUSE_WORDS as CAUSES
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.shared_causes import shared_causes
from campus_collector.judge.verdict import SubjectVerdict
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of_record
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    HostResult,
    InspectionResult,
    LatencyResult,
    NetworkResult,
    PortResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

OTHER_TARGETS = ("recording_room", "live_class")
"""Targets of a school that have no row of a subject of their own."""
DHCP_KNOWN_FOR = timedelta(days=3)
"""It is looked for once a day; after that its state is not known."""


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
    month: Badge
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
    classrooms: list[SegmentRow]
    uplinks: list[SegmentRow]
    services: list[ServiceRow]
    rooms: list[RoomBlock]
    others: list[TargetRow]
    facts: list[tuple[str, str]]
    reporting: Badge


class SchoolModel:
    def __init__(self, service: Service, reader: Reader, month: Month) -> None:
        self._service = service
        self._reader = reader
        self._month = month
        self._policy = service.verdicts.policy

    def page(self, school: School) -> SchoolPage:
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
        agent = agents_by_school(self._service.store.agents.all(school.id)).get(school.id)
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
            rooms_of(self._reader, [results.any for results in view.latest]),
            [self._target_row(verdict) for verdict in others],
            self._facts(agent, newest.get(("gateway", "host"))),
            self._reader.reporting(agent),
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

    def _segment_row(self, view: SubjectView, verdict: SubjectVerdict) -> SegmentRow:
        subject, required = view.subject, view.required_bits_per_second or 0.0
        throughput, latency, port = (view.latest.get(kind) for kind in ("throughput", "latency", "port"))
        record = _record(throughput.ok if throughput else None)
        newest = throughput.any if throughput else None
        rates = [(name, _rate(record, name)) for name in ("down", "up")]
        limits = (required * self._policy.tolerance_ratio, required)
        written = [(self._reader.words(name), self._reader.text(rate_words(rate, *limits))) for name, rate in rates]
        spoken = self._reader.words("semicolon").join(f"{name} {rate}" for name, rate in written)
        wanted = self._reader.words("required", rate=self._reader.text(rate_words(required)))
        chart = ""
        if record is not None and required:
            labelled = [(self._reader.words(name), rate) for name, rate in rates]
            title = f"{subject.name}{self._reader.words('colon')}{spoken}{self._reader.words('semicolon')}{wanted}"
            chart = rate_chart(labelled, required, self._policy.tolerance_ratio, title)
        return SegmentRow(
            id=subject.id,
            name=self._reader.words("uplink") if subject.kind == "uplink" else subject.name,
            chart=chart,
            rates=written if record else [],
            required=wanted,
            latency=self._latency(record, latency.ok if latency else None),
            latest=self._latest_badge(newest, required),
            latest_when=self._reader.when(newest),
            month=self._reader.badge(verdict.verdict, self._progress(verdict)),
            cause=self._reader.text(CAUSES[verdict.diagnosis]),
            port=self._port(port),
            grade=self._reader.words("grade", grade=self._reader.text(GRADE_WORDS[_grade(record, port)])),
            inspection=self._inspection(view.latest.get("inspection"), required),
        )

    def _inspection(self, latest: Latest | None, required: float) -> str:
        result = latest.ok if latest else None
        if not isinstance(result, InspectionResult) or result.record is None:
            return ""
        record = result.record.measured
        verdict = verdict_of_record(record, required or None, self._policy.tolerance_ratio)
        return self._reader.words(
            "inspection",
            when=self._reader.when(result),
            down=self._inspected(record, "down", required),
            up=self._inspected(record, "up", required),
            verdict=self._reader.text(RESULT_WORDS[verdict]),
            machine=self._reader.words("own_machine" if result.record.own_machine else "other_machine"),
            browser=browser_words(result.record.browser),
        )

    def _inspected(self, record: ThroughputRecord, name: str, required: float) -> str:
        direction = getattr(record, name)
        text = self._reader.text(rate_words(_rate(record, name), required * self._policy.tolerance_ratio, required))
        return ("≥ " if direction and direction.lower_bound else "") + text

    def _port(self, latest: Latest | None) -> str:
        """What the switch says of the port; nothing when it has not for a day."""
        result = latest.any if latest else None
        if not isinstance(result, PortResult) or self._reader.now - result.started_at > timedelta(days=1):
            return ""
        record = result.record
        if record is None:
            return (
                self._reader.words("port_unknown", why=self._reader.text(FAILURE_WORDS[result.failure.kind]))
                if result.failure
                else ""
            )
        errors = error_ratio(record)
        words = self._reader.words(
            "port",
            switch=record.switch,
            port=record.port,
            link=self._reader.text(link_words(record)),
            found_by=self._reader.text(FOUND_BY_WORDS[record.found_by]),
        )
        return (
            words
            if not errors or errors < ERROR_RATIO
            else words + self._reader.words("port_errors", ratio=percent(errors, decimals=2))
        )

    def _service_row(self, view: SubjectView, verdict: SubjectVerdict) -> ServiceRow:
        subject, newest = view.subject, view.newest.any if view.newest else None
        record = newest.record if isinstance(newest, ServiceResult) else None
        badge = self._latest_badge(newest, None)
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
            name=subject.name,
            latest=replace(badge, word=word, note=note),
            latest_when=self._reader.when(newest),
            first_byte=self._reader.text(
                duration_words(record.first_byte_seconds if record else None, *self._slowest(verdict))
            ),
            month=self._reader.badge(verdict.verdict, self._progress(verdict)),
        )

    def _slowest(self, verdict: SubjectVerdict) -> tuple[float, ...]:
        """The longest time to the first byte that the policy allows."""
        limit = verdict.rule.max_first_byte_seconds if verdict.rule is not None else None
        return () if limit is None else (limit,)

    def _target_row(self, verdict: SubjectVerdict) -> TargetRow:
        return TargetRow(
            f"{verdict.target}/{verdict.school}/{verdict.subject}",
            self._reader.text(TARGET_WORDS[verdict.target]),
            self._reader.badge(verdict.verdict, self._progress(verdict)),
            self._reader.text(CAUSES[verdict.diagnosis]),
        )

    def _latest_badge(self, result: AnyResult | None, required: float | None) -> Badge:
        """The verdict of the newest result alone; its note says why it is so if it is not plain."""
        if result is None:
            return self._reader.badge(Verdict.INSUFFICIENT, word=self._reader.words("never"))
        verdict = verdict_of_result(result, required, self._policy.tolerance_ratio)
        note = ""
        if result.skipped is not None:
            note = self._reader.words("skipped", reason=self._reader.text(SKIP_WORDS[result.skipped]))
        elif result.failure is not None:
            note = self._reader.text(FAILURE_WORDS[result.failure.kind])
        elif result.validity is not Validity.OK:
            note = self._reader.text(VALIDITY_WORDS[result.validity])
        elif verdict is Verdict.NOT_MET and isinstance(result, ThroughputResult) and required is not None:
            rates = [rate for rate in (_rate(result.record, "down"), _rate(result.record, "up")) if rate is not None]
            least = self._reader.text(rate_words(required * self._policy.tolerance_ratio))
            note = self._reader.words(
                "below",
                rate=self._reader.text(rate_words(min(rates), required * self._policy.tolerance_ratio)),
                least=least,
            )
        return self._reader.badge(verdict, note, word=self._reader.text(RESULT_WORDS[verdict]))

    def _latency(self, record: ThroughputRecord | None, latest: AnyResult | None) -> str:
        idle = record.idle if record else None
        if isinstance(latest, LatencyResult) and latest.record is not None:
            idle = latest.record.idle
        if idle is None or idle.rtt_median_seconds is None:
            return ""
        text = self._reader.text(duration_words(idle.rtt_median_seconds))
        working = record.working.rtt_p95_seconds if record and record.working else None
        if working is None:
            return self._reader.words("rtt_idle", idle=text)
        return self._reader.words("rtt", idle=text, working=self._reader.text(duration_words(working)))

    def _progress(self, verdict: SubjectVerdict) -> str:
        rule, evidence = verdict.rule, verdict.evidence
        if rule is None:
            return self._reader.words("not_judged")
        return self._reader.words(
            "progress",
            decided=self._reader.text(deciding_words(evidence.passing_results, evidence.valid_results, rule)),
            valid=evidence.valid_results,
            need=rule.min_valid_results,
            days=evidence.days,
            need_days=rule.min_days,
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


def _record(result: AnyResult | None) -> ThroughputRecord | None:
    return result.record if isinstance(result, ThroughputResult) else None


def _rate(record: ThroughputRecord | None, name: str) -> float | None:
    direction = getattr(record, name) if record else None
    return line_rate_of(direction, record.encapsulation) if record and direction else None


def _grade(record: ThroughputRecord | None, port: Latest | None) -> str:
    """The best evidence there is: only what was measured can make a target met."""
    if record is not None:
        return "measured"
    negotiated = port.ok if port else None
    if isinstance(negotiated, PortResult) and negotiated.record and negotiated.record.speed_bits_per_second:
        return "negotiated"
    return "declared"
