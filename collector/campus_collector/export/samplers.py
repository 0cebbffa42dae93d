"""From what the store and the judge hold to samples: a subject's, an agent's, a town's. Rules of absence are here. Pure.

A classroom's gauges show its latest valid result; when its agent has been silent for the policy's time (a day) they disappear, because
nobody knows any more. `campus_agent_up` is 0 after 15 minutes of silence; equipment that is not polled for so long is not known either.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from statistics import median

from campus_base.port_words import error_ratio
from campus_collector.domain.agents import Agent
from campus_collector.domain.area import OutgoingMonth
from campus_collector.domain.area_standing import CountyStanding
from campus_collector.domain.problem import Problem
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School, Subject
from campus_collector.domain.space import Space
from campus_collector.export.exposition import Sample
from campus_collector.export.table import BY_NAME
from campus_collector.judge.agreement import Agreement
from campus_collector.judge.lesson_minutes import PLACES, LessonTime, count_minutes, loss_of
from campus_collector.judge.lesson_use import USES, LessonUse
from campus_collector.judge.policy import TARGET_NAMES, MinuteLimits, Policy
from campus_collector.judge.rules import has_trusted_time, interruptions_alone, interruptions_of, stream_record
from campus_collector.judge.tally import ShortVerdicts
from campus_collector.judge.verdict import AreaVerdict
from campus_collector.judge.workdays import last_announced_day
from campus_collector.store.compaction import CompactionStatus
from campus_wire.bandwidth import Verdict, line_rate_of
from campus_wire.records import (
    AnyResult,
    DeviceResult,
    HostResult,
    LatencyRecord,
    LatencyResult,
    LessonStreamResult,
    NetworkResult,
    Outcome,
    PortResult,
    RoomResult,
    Segment,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

CHINA = timezone(timedelta(hours=8))
"""The calendar of workdays is China's."""
SCHOOL_SUBJECT = "recording_room"
"""What the target of this name judges: whether the school has some room that works. Its rooms are shown one by one."""
PHASES = ("resolve", "connect", "tls", "first_byte")
POLLED = (DeviceResult, RoomResult, PortResult, LessonStreamResult)
"""What is the present for 15 minutes only."""
_Optional = Iterator[tuple[str, tuple[str, ...], float | None]]
"""A sample, or its absence (None)."""


def of_subject(newest: Sequence[Latest], town: str, polled_since: datetime) -> Iterator[Sample]:
    """All that is known of one subject: `newest` holds its latest result of each kind. Equipment counts when polled since then."""
    for latest in newest:
        yield from _known(_latest(latest, town))
        yield from _known(_equipment(latest, town, polled_since))
    yield from _known(_link_speed(newest, town))
    yield from _known(_idle(newest, town))


def of_lessons(
    results: Sequence[AnyResult], town: str, school: str, limits: MinuteLimits, when: LessonTime
) -> Iterator[Sample]:
    """A school's day by its lesson stream: `results` are those of the day, its interruptions included; `when` says which minutes count."""
    records = {result.id: record for result in results if (record := stream_record(result)) is not None}
    counts = count_minutes(records, interruptions_alone(results), limits, when).values()
    observed, good = sum(each.observed for each in counts), sum(each.good for each in counts)
    qualities = {"good": good, "bad": observed - good, "unknown": sum(each.unknown for each in counts)}
    for quality, number in qualities.items():
        yield "campus_lesson_minutes_total", (town, school, quality), float(number)
    places: Counter[str] = Counter(each.where for each in interruptions_of(results))
    for place in PLACES:
        yield "campus_interruptions_total", (town, school, place), float(places[place])


def of_use(use: LessonUse, town: str, school: str) -> Iterator[Sample]:
    """How a school's recording rooms were used today; nothing where no recorder told."""
    if use.rooms:
        for name in (*USES, "unknown"):
            yield "campus_room_lessons_total", (town, school, name), float(getattr(use, name))


def of_agent(agent: Agent, now: datetime, token_expires: datetime | None) -> Iterator[Sample]:
    """A gateway's own figures, and how long it may still report."""
    yield from _known(_agent(agent, now))
    if token_expires is not None:
        yield "campus_agent_token_expiry_timestamp_seconds", (agent.school,), token_expires.timestamp()


def of_verdicts(verdicts: ShortVerdicts, town: str, school: str) -> Iterator[Sample]:
    """Which subjects of a school meet their target; what is insufficient or exempt is absent."""
    for labels, verdict in (
        ((target, town, school, subject), verdict)
        for target, of_target in verdicts.items()
        for subject, verdict in of_target.items()
    ):
        if verdict.verdict in (Verdict.MET, Verdict.NOT_MET):
            yield "campus_subject_met", labels, 1.0 if verdict.verdict is Verdict.MET else 0.0


def of_areas(areas: Iterable[AreaVerdict]) -> Iterator[Sample]:
    """How far a town, or the county, has come."""
    for area in areas:
        for verdict in Verdict:
            yield "campus_target_subjects", (area.target, area.town, verdict), float(getattr(area, verdict))
        if area.compliance_ratio is not None:
            yield "campus_target_compliance_ratio", (area.target, area.town), area.compliance_ratio
        if area.target == "classroom_bandwidth" and area.coverage_ratio is not None:
            yield "campus_coverage_ratio", (area.town,), area.coverage_ratio


def of_policy(policy: Policy, day: date) -> Iterator[Sample]:
    """The rates that are asked for, and how far the calendar is known."""
    end = datetime.combine(last_announced_day() + timedelta(days=1), time(), CHINA)
    yield "campus_calendar_known_until_timestamp_seconds", (), end.timestamp()
    for name in TARGET_NAMES:
        target = policy.in_force(name, day)
        if target and target.required_bits_per_second is not None:
            yield "campus_target_required_bits_per_second", (name,), target.required_bits_per_second


def of_agreement(agreement: Mapping[Segment, Agreement]) -> Iterator[Sample]:
    """Quick tests against references; absent as long as there is nothing to compare."""
    for segment, of_segment in agreement.items():
        yield "campus_engine_agreement_comparisons", (segment,), float(of_segment.compared)
        if of_segment.ratio is not None:
            yield "campus_engine_agreement_ratio", (segment,), of_segment.ratio
        if of_segment.rate_ratios:
            yield "campus_engine_agreement_rate_ratio", (segment,), median(of_segment.rate_ratios)


def of_problems(problems: Sequence[Problem], today: date) -> Iterator[Sample]:
    """The ledger: what is open, and what is overdue, by target and town."""
    counted = Counter((problem.target, problem.town, problem.severity) for problem in problems)
    for labels, count in sorted(counted.items()):
        yield "campus_problems_open", labels, float(count)
    overdue = Counter((problem.target, problem.town) for problem in problems if problem.overdue_on(today))
    for area in sorted({(target, town) for target, town, _ in counted}):
        yield "campus_problems_overdue", area, float(overdue[area])


def of_names(school: School, carrier: str, subjects: Iterable[Subject]) -> Iterator[Sample]:
    """What a school, its classrooms and platforms are called, and its line's carrier: for alerts and dashboards, whose labels are ids."""
    labels = (school.town, school.id)
    yield "campus_school_info", (*labels, school.name or school.id, school.town_name or school.town, carrier), 1.0
    for subject in subjects:
        if subject.kind in ("classroom", "service"):
            yield "campus_subject_info", (*labels, subject.id, subject.kind, subject.name or subject.id), 1.0


def of_totals(measured: Mapping[tuple[str, Outcome], int], ingested: Mapping[str, int]) -> Iterator[Sample]:
    """What arrived since the database was made."""
    for labels, value in sorted(measured.items()):
        yield "campus_measurements_total", labels, float(value)
    for label in ("stored", "duplicate", "quarantined"):
        yield "campus_ingest_results_total", (label,), float(ingested.get(label, 0))


def of_space(space: Space) -> Iterator[Sample]:
    """The database itself; what is not known yet is absent."""
    yield "campus_store_bytes", (), float(space.used_bytes)
    yield from _known(
        (name, (), value)
        for name, value in (
            ("campus_store_free_bytes", space.free_bytes),
            ("campus_store_bytes_per_result", space.bytes_per_result),
            ("campus_store_growth_bytes_per_day", space.growth_bytes_per_day),
            ("campus_store_full_in_days", space.full_in_days),
        )
    )


def of_outgoing(waiting: Sequence[OutgoingMonth]) -> Iterator[Sample]:
    """What waits for the level above."""
    yield "campus_upstream_waiting_months", (), float(len(waiting))
    if waiting:
        oldest = min(month.made_at for month in waiting)
        yield "campus_upstream_waiting_since_timestamp_seconds", (), oldest.timestamp()


def of_county(county: CountyStanding, zone: tzinfo) -> Iterator[Sample]:
    """What has come from a county, by its newest month, and what is missing."""
    labels, newest = (county.label,), county.newest
    yield "campus_area_info", (county.label, county.name), 1.0
    yield "campus_area_missing_months", labels, float(len(county.missing))
    yield "campus_area_received_corrections", labels, float(county.corrections)
    if county.missing_since is not None:
        since = datetime.combine(county.missing_since, time(), zone)
        yield "campus_area_missing_since_timestamp_seconds", labels, since.timestamp()
    if newest is None:
        return
    first = datetime(int(newest.month[:4]), int(newest.month[5:]), 1, tzinfo=zone)
    yield "campus_area_month_timestamp_seconds", labels, first.timestamp()
    received = max(month.received_at for month in county.received)
    yield "campus_area_received_timestamp_seconds", labels, received.timestamp()
    for target, totals in newest.summary.totals.items():
        for verdict in Verdict:
            yield "campus_area_target_subjects", (*labels, target, verdict), float(getattr(totals, verdict))
        if totals.ratio is not None:
            yield "campus_area_compliance_ratio", (*labels, target), totals.ratio


def of_compaction(status: CompactionStatus | None) -> Iterator[Sample]:
    """What is still in the form of older versions."""
    set_aside = sum(school.results for school in status.set_aside) if status is not None else 0
    to_move = max(0, status.results - status.copied) if status is not None else 0
    yield "campus_store_unpacked_results", (), float(to_move + set_aside)


def polled_at(newest: Iterable[Latest]) -> datetime | None:
    """The oldest poll round that a subject's equipment is shown from; None for what is not polled."""
    rounds = (latest.any.started_at for latest in newest if isinstance(latest.any, POLLED))
    return min(rounds, default=None)


def is_known(latest: Latest, subjects: Collection[str], devices: Collection[str] | None = None) -> bool:
    """Is it still a subject of its school? What is judged can be removed. Rooms and devices are those of the inventory (`devices`), where it
    has a sheet of them; else they, like the gateway, come and go with their results."""
    if latest.kind in ("device", "room") and devices is not None:
        return latest.subject == SCHOOL_SUBJECT or latest.subject in devices
    return latest.kind not in ("throughput", "latency", "service", "port") or latest.subject in subjects


def _known(samples: _Optional) -> Iterator[Sample]:
    return ((name, labels, float(value)) for name, labels, value in samples if value is not None)


def _latest(latest: Latest, town: str) -> _Optional:
    newest, valid, school = latest.any, latest.ok, latest.school
    if isinstance(valid, ThroughputResult) and valid.record is not None:
        yield from _throughput(latest, town, valid.record)
        prefix, labels = _where(school, latest.subject, town)
        yield f"campus_{prefix}_measured_timestamp_seconds", labels, valid.started_at.timestamp()
    elif isinstance(newest, ServiceResult) and newest.skipped is None and has_trusted_time(newest):
        labels, record = (town, school, latest.subject), newest.record
        if record is None and newest.failure is None:  # says nothing
            return
        yield "campus_service_measured_timestamp_seconds", labels, newest.started_at.timestamp()
        yield "campus_service_success", labels, bool(record and record.success and newest.failure is None)
        if record is None:
            return
        for phase in PHASES:
            yield "campus_service_phase_duration_seconds", (*labels, phase), getattr(record, f"{phase}_seconds")
        expires = record.certificate_expires_at
        yield "campus_service_certificate_expiry_timestamp_seconds", labels, expires.timestamp() if expires else None
    elif isinstance(valid, NetworkResult) and valid.record is not None:
        yield "campus_school_dhcp_servers", (town, school), valid.record.most_dhcp_servers
        yield "campus_school_dhcp_measured_timestamp_seconds", (town, school), valid.started_at.timestamp()
    elif isinstance(valid, HostResult) and valid.record is not None:
        yield "campus_gateway_cpu_ratio", (school,), valid.record.cpu_ratio
        yield "campus_gateway_memory_available_bytes", (school,), valid.record.memory_available_bytes
        yield "campus_gateway_disk_free_bytes", (school,), valid.record.disk_free_bytes
        yield "campus_gateway_agent_memory_bytes", (school,), valid.record.agent_memory_bytes


def _throughput(latest: Latest, town: str, record: ThroughputRecord) -> _Optional:
    prefix, labels = _where(latest.school, latest.subject, town)
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is not None:
            rate = line_rate_of(direction, record.encapsulation)
            yield f"campus_{prefix}_line_rate_bits_per_second", (*labels, name), rate
            yield f"campus_{prefix}_goodput_bits_per_second", (*labels, name), direction.goodput_bits_per_second
    if record.working is not None:
        working = record.working.rtt_p95_seconds or record.working.rtt_median_seconds
        yield f"campus_{prefix}_working_rtt_seconds", labels, working


def _equipment(latest: Latest, town: str, since: datetime) -> _Optional:
    """Devices, rooms and ports of the newest poll rounds, and the lesson stream; what is no longer polled is not known any more."""
    result = latest.any
    if not isinstance(result, POLLED) or result.record is None or result.started_at < since:
        return
    if isinstance(result, LessonStreamResult):
        yield from _newest_minute(latest, town, result)
    elif isinstance(result, PortResult):
        yield from _port(latest, town, result)
    elif isinstance(result, RoomResult):
        if latest.subject != SCHOOL_SUBJECT:
            yield "campus_room_up", (town, latest.school, latest.subject), result.record.up
    else:
        record = result.record
        labels = (town, latest.school, record.room, latest.subject, record.profile)
        yield "campus_device_up", labels, record.up
        for reading, value in record.readings.items():
            if f"campus_device_{reading}" in BY_NAME:
                yield f"campus_device_{reading}", labels, value


def _newest_minute(latest: Latest, town: str, result: LessonStreamResult) -> _Optional:
    record = stream_record(result)
    sent = [minute for minute in record.minutes if minute.sent] if record is not None else []
    if sent:
        yield "campus_lesson_loss_ratio", (town, latest.school), loss_of(sent[-1])
        yield "campus_lesson_rtt_seconds", (town, latest.school), sent[-1].rtt_p95_seconds


def _port(latest: Latest, town: str, result: PortResult) -> _Optional:
    """A classroom's switch port in its newest reading."""
    record = result.record
    if record is None or latest.subject == "uplink":
        return
    labels = (town, latest.school, latest.subject)
    yield "campus_classroom_port_up", labels, record.up
    if record.duplex is not None:
        yield "campus_classroom_port_full_duplex", labels, record.duplex == "full"
    yield "campus_classroom_port_error_ratio", labels, error_ratio(record)
    yield "campus_classroom_port_utilization_ratio", labels, record.utilization_ratio


def _link_speed(newest: Iterable[Latest], town: str) -> _Optional:
    """What a classroom's link negotiated: by its switch port, else by the gateway's own NIC as it was tested through."""
    speeds: dict[str, tuple[Latest, float | None]] = {}
    for latest in newest:
        valid = latest.ok
        if latest.subject == "uplink":
            continue
        if isinstance(valid, PortResult) and valid.record is not None and valid.record.speed_bits_per_second:
            speeds["port"] = (latest, valid.record.speed_bits_per_second)
        elif isinstance(valid, ThroughputResult) and valid.record is not None:
            speeds["gateway"] = (latest, valid.record.link_speed_bits_per_second)
    if speeds:
        latest, speed = speeds.get("port") or speeds["gateway"]
        yield "campus_classroom_link_speed_bits_per_second", (town, latest.school, latest.subject), speed


def _idle(newest: Iterable[Latest], town: str) -> _Optional:
    """The newest idle latency of a segment: measured on its own, or before a throughput test."""
    newest_idle: tuple[datetime, Latest, LatencyRecord] | None = None
    for latest in newest:
        valid = latest.ok
        if not isinstance(valid, LatencyResult | ThroughputResult) or valid.record is None or valid.record.idle is None:
            continue
        if newest_idle is None or newest_idle[0] < valid.started_at:
            newest_idle = (valid.started_at, latest, valid.record.idle)
    if newest_idle is not None:
        _, latest, idle = newest_idle
        prefix, labels = _where(latest.school, latest.subject, town)
        yield f"campus_{prefix}_rtt_seconds", labels, idle.rtt_median_seconds
        yield f"campus_{prefix}_jitter_seconds", labels, idle.jitter_seconds
        yield f"campus_{prefix}_loss_ratio", labels, idle.loss_ratio


def _where(school: str, subject: str, town: str) -> tuple[str, tuple[str, ...]]:
    if subject == "uplink":
        return "uplink", (town, school)
    return "classroom", (town, school, subject)


def _agent(agent: Agent, now: datetime) -> _Optional:
    labels = (agent.school,)
    yield "campus_agent_up", labels, agent.is_up(now)
    if agent.last_report_at is not None:
        yield "campus_agent_last_report_timestamp_seconds", labels, agent.last_report_at.timestamp()
    if agent.identity_shared_at is not None:
        yield "campus_agent_identity_shared_timestamp_seconds", labels, agent.identity_shared_at.timestamp()
    state = agent.state
    if state is None:
        return
    yield "campus_agent_info", (agent.school, state.version, state.os), 1
    yield "campus_agent_clock_offset_seconds", labels, state.clock_offset_seconds
    yield "campus_agent_spool_pending_results", labels, state.spool_pending_results
    yield "campus_agent_spool_dropped_results_total", labels, state.spool_dropped_results_total
    for segment, spent_bytes in sorted(state.test_bytes_total.items()):
        yield "campus_agent_test_bytes_total", (agent.school, segment), spent_bytes
