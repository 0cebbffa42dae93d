"""From what the store holds to metric families: the fleet as it is now. Rules of absence are here.

A classroom's gauges show its latest valid result; when its agent has been silent for a day they disappear, because nobody knows
any more. `campus_agent_up` is 0 after 15 minutes of silence.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from statistics import median
from time import monotonic

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family

from campus_collector.export.table import BY_NAME, METRICS
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.service import Service
from campus_collector.store.interface import Agent, Latest
from campus_wire.bandwidth import Verdict, line_rate_of
from campus_wire.ports import error_ratio
from campus_wire.records import (
    DeviceResult,
    HostResult,
    LatencyRecord,
    LatencyResult,
    NetworkResult,
    PortResult,
    RoomResult,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

UP_WITHIN = timedelta(minutes=15)
STALE_AFTER = timedelta(days=1)
SCHOOL_SUBJECT = "recording_room"
"""What the target of this name judges: whether the school has some room that works. Its rooms are shown one by one."""
PHASES = ("resolve", "connect", "tls", "first_byte")
_OWN = ("campus_ingest_request_duration_seconds", "campus_scrape_duration_seconds")


class Families:
    """All families of the table, empty ones included, filled sample by sample."""

    def __init__(self) -> None:
        """Every family exists from the start, so that names never depend on data."""
        self._families: dict[str, GaugeMetricFamily | CounterMetricFamily] = {}
        for metric in METRICS:
            if metric.name in _OWN:
                continue
            make = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
            self._families[metric.name] = make(metric.name, metric.help, labels=metric.labels)

    def add(self, name: str, labels: Iterable[str], value: float | None) -> None:
        """One sample; None is absence."""
        if value is not None:
            labels = list(labels)
            if len(labels) != len(BY_NAME[name].labels):
                raise ValueError(f"{name} takes the labels {BY_NAME[name].labels}")
            self._families[name].add_metric(labels, float(value))

    def __iter__(self) -> Iterator[Family]:
        """In the order of the table."""
        return iter(self._families.values())


def collect(service: Service, now: datetime | None = None) -> Families:
    """The whole fleet now."""
    now = now or datetime.now(UTC)
    families = Families()
    towns = {school.id: school.town for school in service.store.schools()}
    agents = service.store.agents()
    fresh = {one.school for one in agents if one.last_report_at and now - one.last_report_at <= STALE_AFTER}
    _targets(families, service)
    polled = now - UP_WITHIN
    known = {(one.school, one.id) for one in service.store.subjects()}
    newest = [one for one in service.store.latest() if one.school in fresh and _is_known(one, known)]
    for latest in newest:
        _latest(families, latest, towns.get(latest.school, ""))
        _equipment(families, latest, towns.get(latest.school, ""), polled)
    for school, subject, speed in _link_speeds(newest):
        families.add("campus_classroom_link_speed_bits_per_second", (towns.get(school, ""), school, subject), speed)
    for (school, subject), (_, idle) in sorted(_idle_records(newest).items()):
        _idle(families, school, subject, towns.get(school, ""), idle)
    for agent in agents:
        _agent(families, agent, now)
    for (kind, outcome), value in sorted(service.store.measurement_totals().items()):
        families.add("campus_measurements_total", (kind, outcome), value)
    _agreement(families, service)
    _problems(families, service, now)
    families.add("campus_slots_granted_total", (), service.slots.granted)
    families.add("campus_slots_refused_total", (), service.slots.refused)
    families.add("campus_slots_running", (), len(service.slots.running(monotonic())))
    ingested = service.store.ingest_totals()
    for label in ("stored", "duplicate", "quarantined"):
        families.add("campus_ingest_results_total", (label,), ingested.get(label, 0))
    return families


def _is_known(latest: Latest, known: set[tuple[str, str]]) -> bool:
    """Is it still a subject? What is judged can be removed; the gateway, its rooms and devices come and go with their results."""
    return latest.kind not in ("throughput", "latency", "service", "port") or (latest.school, latest.subject) in known


def _targets(families: Families, service: Service) -> None:
    month = service.verdicts.this_month()
    policy = service.verdicts.policy
    for name in TARGET_NAMES:
        target = policy.in_force(name, month.first_day)
        if target and target.required_bits_per_second is not None:
            families.add("campus_target_required_bits_per_second", (name,), target.required_bits_per_second)
    for area in service.verdicts.areas(month):
        for verdict in Verdict:
            families.add("campus_target_subjects", (area.target, area.town, verdict), getattr(area, verdict))
        families.add("campus_target_compliance_ratio", (area.target, area.town), area.compliance_ratio)
    for one in service.verdicts.subjects(month):
        if one.verdict in (Verdict.MET, Verdict.NOT_MET):
            labels = (one.target, one.town, one.school, one.subject)
            families.add("campus_subject_met", labels, 1 if one.verdict is Verdict.MET else 0)


def _agreement(families: Families, service: Service) -> None:
    """Absent as long as there is nothing to compare."""
    for segment, found in service.verdicts.agreement(service.verdicts.this_month()).items():
        families.add("campus_engine_agreement_ratio", (segment,), found.ratio)
        families.add("campus_engine_agreement_comparisons", (segment,), found.compared)
        rate = median(found.rate_ratios) if found.rate_ratios else None
        families.add("campus_engine_agreement_rate_ratio", (segment,), rate)


def _problems(families: Families, service: Service, now: datetime) -> None:
    """The ledger: what is open, and what is overdue, by target and town."""
    today = now.astimezone(service.verdicts.zone).date()
    problems = service.store.ledger.problems(open_only=True)
    counted = Counter((one.target, one.town, one.severity) for one in problems)
    for labels, count in sorted(counted.items()):
        families.add("campus_problems_open", labels, count)
    overdue = Counter((one.target, one.town) for one in problems if one.overdue_on(today))
    for place in sorted({(target, town) for target, town, _ in counted}):
        families.add("campus_problems_overdue", place, overdue[place])


def _latest(families: Families, latest: Latest, town: str) -> None:
    newest, valid = latest.any, latest.ok
    if isinstance(valid, ThroughputResult) and valid.record is not None:
        _throughput(families, latest, town, valid.record)
    elif isinstance(newest, ServiceResult) and newest.skipped is None:
        labels = (town, latest.school, latest.subject)
        success = newest.record is not None and newest.record.success and newest.failure is None
        families.add("campus_service_success", labels, 1 if success else 0)
        if newest.record is None:
            return
        for phase in PHASES:
            seconds = getattr(newest.record, f"{phase}_seconds")
            families.add("campus_service_phase_duration_seconds", (*labels, phase), seconds)
        expires = newest.record.certificate_expires_at
        families.add(
            "campus_service_certificate_expiry_timestamp_seconds", labels, expires.timestamp() if expires else None
        )
    elif isinstance(valid, NetworkResult) and valid.record is not None:
        families.add("campus_school_dhcp_servers", (town, latest.school), valid.record.most_dhcp_servers)
    elif isinstance(valid, HostResult) and valid.record is not None:
        families.add("campus_gateway_cpu_ratio", (latest.school,), valid.record.cpu_ratio)
        families.add("campus_gateway_memory_available_bytes", (latest.school,), valid.record.memory_available_bytes)
        families.add("campus_gateway_disk_free_bytes", (latest.school,), valid.record.disk_free_bytes)
        families.add("campus_gateway_agent_memory_bytes", (latest.school,), valid.record.agent_memory_bytes)


def _equipment(families: Families, latest: Latest, town: str, since: datetime) -> None:
    """Devices and rooms of the newest poll rounds; one that is no longer polled is not known any more."""
    result = latest.any
    if isinstance(result, PortResult):
        _port(families, latest, town, result, since)
        return
    if not isinstance(result, DeviceResult | RoomResult) or result.record is None or result.started_at < since:
        return
    if isinstance(result, RoomResult):
        if latest.subject == SCHOOL_SUBJECT:
            return
        families.add("campus_room_up", (town, latest.school, latest.subject), 1 if result.record.up else 0)
        return
    record = result.record
    labels = (town, latest.school, record.room, latest.subject, record.profile)
    families.add("campus_device_up", labels, 1 if record.up else 0)
    for reading, value in record.readings.items():
        if f"campus_device_{reading}" in BY_NAME:
            families.add(f"campus_device_{reading}", labels, value)


def _port(families: Families, latest: Latest, town: str, result: PortResult, since: datetime) -> None:
    """A classroom's switch port in its newest reading."""
    record = result.record
    if record is None or result.started_at < since or latest.subject == "uplink":
        return
    labels = (town, latest.school, latest.subject)
    families.add("campus_classroom_port_up", labels, 1 if record.up else 0)
    if record.duplex is not None:
        families.add("campus_classroom_port_full_duplex", labels, 1 if record.duplex == "full" else 0)
    families.add("campus_classroom_port_error_ratio", labels, error_ratio(record))
    families.add("campus_classroom_port_utilization_ratio", labels, record.utilization_ratio)


def _link_speeds(newest: Iterable[Latest]) -> list[tuple[str, str, float | None]]:
    """What each classroom's link negotiated: by its switch port, else by the gateway's own NIC as it was tested through."""
    found: dict[tuple[str, str], float | None] = {}
    for latest in newest:
        valid, key = latest.ok, (latest.school, latest.subject)
        if latest.subject == "uplink":
            continue
        if isinstance(valid, PortResult) and valid.record is not None and valid.record.speed_bits_per_second:
            found[key] = valid.record.speed_bits_per_second
        elif isinstance(valid, ThroughputResult) and valid.record is not None:
            found.setdefault(key, valid.record.link_speed_bits_per_second)
    return [(school, subject, speed) for (school, subject), speed in sorted(found.items())]


def _throughput(families: Families, latest: Latest, town: str, record: ThroughputRecord) -> None:
    prefix, labels = _where(latest.school, latest.subject, town)
    for name, direction in (("down", record.down), ("up", record.up)):
        if direction is not None:
            rate = line_rate_of(direction, record.encapsulation)
            families.add(f"campus_{prefix}_line_rate_bits_per_second", (*labels, name), rate)
            families.add(f"campus_{prefix}_goodput_bits_per_second", (*labels, name), direction.goodput_bits_per_second)
    if record.working is not None:
        working = record.working.rtt_p95_seconds or record.working.rtt_median_seconds
        families.add(f"campus_{prefix}_working_rtt_seconds", labels, working)


def _idle_records(newest: list[Latest]) -> dict[tuple[str, str], tuple[datetime, LatencyRecord]]:
    """The newest idle latency of each segment: measured on its own, or before a throughput test."""
    found: dict[tuple[str, str], tuple[datetime, LatencyRecord]] = {}
    for latest in newest:
        valid = latest.ok
        if not isinstance(valid, LatencyResult | ThroughputResult) or valid.record is None or valid.record.idle is None:
            continue
        key = (latest.school, latest.subject)
        if key not in found or found[key][0] < valid.started_at:
            found[key] = (valid.started_at, valid.record.idle)
    return found


def _idle(families: Families, school: str, subject: str, town: str, idle: LatencyRecord) -> None:
    prefix, labels = _where(school, subject, town)
    families.add(f"campus_{prefix}_rtt_seconds", labels, idle.rtt_median_seconds)
    families.add(f"campus_{prefix}_jitter_seconds", labels, idle.jitter_seconds)
    families.add(f"campus_{prefix}_loss_ratio", labels, idle.loss_ratio)


def _where(school: str, subject: str, town: str) -> tuple[str, tuple[str, ...]]:
    if subject == "uplink":
        return "uplink", (town, school)
    return "classroom", (town, school, subject)


def _agent(families: Families, agent: Agent, now: datetime) -> None:
    labels = (agent.school,)
    up = agent.last_report_at is not None and now - agent.last_report_at <= UP_WITHIN
    families.add("campus_agent_up", labels, 1 if up else 0)
    if agent.last_report_at is not None:
        families.add("campus_agent_last_report_timestamp_seconds", labels, agent.last_report_at.timestamp())
    state = agent.state
    if state is None:
        return
    families.add("campus_agent_info", (agent.school, state.version, state.os), 1)
    families.add("campus_agent_clock_offset_seconds", labels, state.clock_offset_seconds)
    families.add("campus_agent_spool_pending_results", labels, state.spool_pending_results)
    families.add("campus_agent_spool_dropped_results_total", labels, state.spool_dropped_results_total)
    for segment, octets in sorted(state.test_bytes_total.items()):
        families.add("campus_agent_test_bytes_total", (agent.school, segment), octets)
