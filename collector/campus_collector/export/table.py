"""Every metric this collector exports: the only place where their names are written.

Base units, but rates in bits per second, because the targets are written so. Absent means not measured, never zero.
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["gauge", "counter", "histogram", "info"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric; `help` states unit and source."""

    name: str
    kind: Kind
    labels: tuple[str, ...]
    help: str
    example: str = ""

    @property
    def unit(self) -> str:
        """By its name's end (Prometheus naming): what is counted has none."""
        name = self.name.removesuffix("_total")
        return next(
            (unit for end, unit in UNITS.items() if name.endswith(end)), "1" if self.kind != "counter" else "count"
        )


UNITS = {
    "_bits_per_second": "bit/s",
    "_timestamp_seconds": "s since 1970",
    "_seconds": "s",
    "_bytes": "bytes",
    "_bytes_per_result": "bytes",
    "_bytes_per_day": "bytes/day",
    "_in_days": "days",
    "_ratio": "ratio",
    "_celsius": "°C",
    "_results": "results",
    "_subjects": "subjects",
    "_comparisons": "comparisons",
    "_servers": "servers",
    "_open": "problems",
    "_overdue": "problems",
    "_owners": "owners",
    "_months": "months",
    "_corrections": "corrections",
}
"""What a metric's value counts, by how its name ends."""

_TOWN_SCHOOL_ROOM = ("town", "school", "classroom")
_UPLINK = ("town", "school")

_DEVICE = ("town", "school", "room", "device", "profile")


def _device(reading: str, text: str, example: str) -> Metric:
    return Metric(f"campus_device_{reading}", "gauge", _DEVICE, text, example)


METRICS: tuple[Metric, ...] = (
    Metric(
        "campus_target_subjects",
        "gauge",
        ("target", "town", "verdict"),
        "Subjects by the verdict of the current month.",
        'campus_target_subjects{town="",verdict="not_met"}',
    ),
    Metric(
        "campus_target_compliance_ratio",
        "gauge",
        ("target", "town"),
        "Met / (all - exempt) in the current month, ratio 0-1; town empty = county.",
        'campus_target_compliance_ratio{town=""}',
    ),
    Metric(
        "campus_coverage_ratio",
        "gauge",
        ("town",),
        "Classrooms with enough valid tests for a verdict / (all - exempt) in the current month, ratio 0-1; town empty = county.",
        'campus_coverage_ratio{town=""}',
    ),
    Metric(
        "campus_target_required_bits_per_second",
        "gauge",
        ("target",),
        "Required line rate of the policy in force, in bits per second.",
        "campus_target_required_bits_per_second",
    ),
    Metric(
        "campus_calendar_known_until_timestamp_seconds",
        "gauge",
        (),
        "End of the last day whose holidays and make-up workdays are known, Unix time in seconds; later workdays are taken to be Monday to Friday.",
        "campus_calendar_known_until_timestamp_seconds - time() < 30 * 86400",
    ),
    Metric(
        "campus_school_info",
        "gauge",
        ("town", "school", "name", "town_name", "carrier"),
        "Always 1; what a school and its town are called, and the carrier of its line where the inventory names it.",
        "campus_agent_up * on (school) group_left (name) campus_school_info",
    ),
    Metric(
        "campus_subject_info",
        "gauge",
        ("town", "school", "subject", "kind", "name"),
        "Always 1; what a classroom or platform is called.",
        'campus_subject_info{kind="classroom"}',
    ),
    Metric(
        "campus_classroom_measured_timestamp_seconds",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "When the latest valid throughput test was made, Unix time in seconds: results may arrive late.",
        "time() - campus_classroom_measured_timestamp_seconds > 7 * 86400",
    ),
    Metric(
        "campus_uplink_measured_timestamp_seconds",
        "gauge",
        _UPLINK,
        "When the latest valid uplink test was made, Unix time in seconds: results may arrive late.",
        "time() - campus_uplink_measured_timestamp_seconds > 7 * 86400",
    ),
    Metric(
        "campus_service_measured_timestamp_seconds",
        "gauge",
        ("town", "school", "service"),
        "When the latest request to the platform was made, Unix time in seconds: results may arrive late.",
        "time() - campus_service_measured_timestamp_seconds > 86400",
    ),
    Metric(
        "campus_subject_met",
        "gauge",
        ("target", "town", "school", "subject"),
        "1 when the current month's verdict is met, 0 when not met; absent when insufficient.",
        "campus_subject_met == 0",
    ),
    Metric(
        "campus_classroom_line_rate_bits_per_second",
        "gauge",
        (*_TOWN_SCHOOL_ROOM, "direction"),
        "Line rate of the latest valid throughput test, in bits per second.",
        "campus_classroom_line_rate_bits_per_second < 98e6",
    ),
    Metric(
        "campus_classroom_goodput_bits_per_second",
        "gauge",
        (*_TOWN_SCHOOL_ROOM, "direction"),
        "TCP or UDP payload rate of the latest valid test as measured, in bits per second (RFC 2647 3.17).",
        "campus_classroom_goodput_bits_per_second",
    ),
    Metric(
        "campus_classroom_link_speed_bits_per_second",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Negotiated speed of the gateway's port towards the classroom, in bits per second (RFC 2863 ifHighSpeed in meaning).",
        "campus_classroom_link_speed_bits_per_second",
    ),
    Metric(
        "campus_classroom_rtt_seconds",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Median round-trip time, idle, in seconds (RFC 2681).",
        "campus_classroom_rtt_seconds",
    ),
    Metric(
        "campus_classroom_working_rtt_seconds",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "95 % round-trip time while a throughput test runs, in seconds.",
        "campus_classroom_working_rtt_seconds - campus_classroom_rtt_seconds",
    ),
    Metric(
        "campus_classroom_jitter_seconds",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Interarrival jitter on round trips, idle, in seconds (RFC 3550 A.8).",
        "campus_classroom_jitter_seconds",
    ),
    Metric(
        "campus_classroom_loss_ratio",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Round-trip loss, idle, ratio 0-1 (RFC 6673).",
        "campus_classroom_loss_ratio > 0.01",
    ),
    Metric(
        "campus_classroom_port_up",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "1 when the classroom's switch port has a link (IF-MIB ifOperStatus), else 0.",
        "campus_classroom_port_up == 0",
    ),
    Metric(
        "campus_classroom_port_full_duplex",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "1 when the classroom's switch port runs at full duplex, 0 at half (EtherLike-MIB dot3StatsDuplexStatus).",
        "campus_classroom_port_full_duplex == 0",
    ),
    Metric(
        "campus_classroom_port_error_ratio",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Frames with errors of all frames from the classroom between the last two polls, ratio 0-1 (IF-MIB, EtherLike-MIB).",
        "campus_classroom_port_error_ratio > 0.0001",
    ),
    Metric(
        "campus_classroom_port_utilization_ratio",
        "gauge",
        _TOWN_SCHOOL_ROOM,
        "Busier direction of the classroom's switch port between the last two polls, share of its speed 0-1.",
        "campus_classroom_port_utilization_ratio > 0.8",
    ),
    Metric(
        "campus_uplink_line_rate_bits_per_second",
        "gauge",
        (*_UPLINK, "direction"),
        "Line rate of the latest valid uplink test, in bits per second.",
        "campus_uplink_line_rate_bits_per_second",
    ),
    Metric(
        "campus_uplink_goodput_bits_per_second",
        "gauge",
        (*_UPLINK, "direction"),
        "Payload rate of the latest valid uplink test, in bits per second.",
        "campus_uplink_goodput_bits_per_second",
    ),
    Metric(
        "campus_uplink_rtt_seconds",
        "gauge",
        _UPLINK,
        "Median round-trip time to the test server, idle, in seconds.",
        "campus_uplink_rtt_seconds",
    ),
    Metric(
        "campus_uplink_working_rtt_seconds",
        "gauge",
        _UPLINK,
        "95 % round-trip time under load, in seconds.",
        "campus_uplink_working_rtt_seconds",
    ),
    Metric(
        "campus_uplink_jitter_seconds",
        "gauge",
        _UPLINK,
        "Interarrival jitter, idle, in seconds (RFC 3550 A.8).",
        "campus_uplink_jitter_seconds",
    ),
    Metric(
        "campus_uplink_loss_ratio", "gauge", _UPLINK, "Round-trip loss, idle, ratio 0-1.", "campus_uplink_loss_ratio"
    ),
    Metric(
        "campus_lesson_minutes_total",
        "counter",
        (*_UPLINK, "quality"),
        "Minutes of today's lessons by quality: good, bad (beyond a limit of the policy), unknown (not observed); begins anew at midnight, and bad ones become unknown when an interruption elsewhere explains them.",
        'delta(campus_lesson_minutes_total{quality="bad"}[15m])',
    ),
    Metric(
        "campus_interruptions_total",
        "counter",
        (*_UPLINK, "where"),
        "Interruptions of 1 s and more that were reported today, by place: recorder, lan, uplink, collector, gateway; begins anew at midnight, and an interruption's place may change.",
        'delta(campus_interruptions_total{where="uplink"}[1h])',
    ),
    Metric(
        "campus_lesson_loss_ratio",
        "gauge",
        _UPLINK,
        "Round-trip loss of the lesson stream in its newest minute, ratio 0-1; absent when that is older than 15 minutes.",
        "campus_lesson_loss_ratio > 0.01",
    ),
    Metric(
        "campus_lesson_rtt_seconds",
        "gauge",
        _UPLINK,
        "95 % round-trip time of the lesson stream in its newest minute, in seconds; absent when that is older than 15 minutes.",
        "campus_lesson_rtt_seconds > 0.15",
    ),
    Metric(
        "campus_room_lessons_total",
        "counter",
        (*_UPLINK, "use"),
        "Lessons of today's timetable that have begun, one of each recording room, by what its recorders told: recorded, streamed (a stream flowed), unused, unknown (no recorder told); begins anew at midnight.",
        'campus_room_lessons_total{use="recorded"}',
    ),
    Metric(
        "campus_service_success",
        "gauge",
        ("town", "school", "service"),
        "1 when the latest request to the platform succeeded in every step, else 0.",
        "avg by (service) (campus_service_success)",
    ),
    Metric(
        "campus_service_phase_duration_seconds",
        "gauge",
        ("town", "school", "service", "phase"),
        "Duration of each step that was reached, in seconds: resolve, connect, tls, first_byte.",
        'campus_service_phase_duration_seconds{phase="first_byte"}',
    ),
    Metric(
        "campus_service_certificate_expiry_timestamp_seconds",
        "gauge",
        ("town", "school", "service"),
        "When the platform's certificate expires, Unix time in seconds.",
        "campus_service_certificate_expiry_timestamp_seconds - time() < 14 * 86400",
    ),
    _device(
        "up",
        "1 when the device answered as its profile asks in the newest poll round, else 0.",
        "campus_device_up == 0",
    ),
    _device("uptime_seconds", "Time since the device started, in seconds.", "campus_device_uptime_seconds < 600"),
    _device(
        "storage_free_ratio", "Free share of the fullest disk, ratio 0-1.", "campus_device_storage_free_ratio < 0.05"
    ),
    _device("storage_total_bytes", "Size of all disks, in bytes.", "campus_device_storage_total_bytes"),
    _device("load_ratio", "Mean load of the processors, ratio 0-1.", "campus_device_load_ratio > 0.9"),
    _device("temperature_celsius", "Temperature, in degrees Celsius.", "campus_device_temperature_celsius > 60"),
    _device("recording", "1 while the device records, else 0.", "campus_device_recording"),
    _device(
        "clock_offset_seconds",
        "How far the device's clock is ahead of the gateway's, in seconds.",
        "abs(campus_device_clock_offset_seconds) > 60",
    ),
    _device("battery_charge_ratio", "Charge of the battery, ratio 0-1.", "campus_device_battery_charge_ratio < 0.5"),
    _device("on_battery", "1 while the device runs on its battery, else 0.", "campus_device_on_battery == 1"),
    _device("stream_up", "1 when the live stream flows, else 0.", "campus_device_stream_up == 0"),
    _device(
        "stream_bits_per_second", "Rate of the live stream, in bits per second.", "campus_device_stream_bits_per_second"
    ),
    _device(
        "stream_loss_ratio", "Lost packets of the live stream, ratio 0-1.", "campus_device_stream_loss_ratio > 0.01"
    ),
    _device(
        "stream_jitter_seconds",
        "Interarrival jitter of the live stream, in seconds (RFC 3550).",
        "campus_device_stream_jitter_seconds",
    ),
    Metric(
        "campus_room_up",
        "gauge",
        ("town", "school", "room"),
        "1 when every required device of the recording room is up in the newest poll round, else 0.",
        "campus_room_up == 0",
    ),
    Metric(
        "campus_school_dhcp_servers",
        "gauge",
        _UPLINK,
        "DHCP servers that answer on the school's own link, once a day; more than one is a fault.",
        "campus_school_dhcp_servers > 1",
    ),
    Metric(
        "campus_school_dhcp_measured_timestamp_seconds",
        "gauge",
        _UPLINK,
        "When DHCP servers were last looked for, Unix time in seconds: results may arrive late, and the look may fail for weeks.",
        "time() - campus_school_dhcp_measured_timestamp_seconds > 3 * 86400",
    ),
    Metric(
        "campus_agent_info",
        "gauge",
        ("school", "version", "os"),
        "Always 1; what the agent runs.",
        "count by (version) (campus_agent_info)",
    ),
    Metric(
        "campus_agent_up",
        "gauge",
        ("school",),
        "1 when the agent reported within 15 minutes, else 0.",
        "campus_agent_up == 0",
    ),
    Metric(
        "campus_agent_last_report_timestamp_seconds",
        "gauge",
        ("school",),
        "When the agent reported last, Unix time in seconds.",
        "time() - campus_agent_last_report_timestamp_seconds",
    ),
    Metric(
        "campus_agent_identity_shared_timestamp_seconds",
        "gauge",
        ("school",),
        "When two machines were last noticed that report with the school's one identity, Unix time; absent when there never were.",
        "time() - campus_agent_identity_shared_timestamp_seconds < 86400",
    ),
    Metric(
        "campus_agent_clock_offset_seconds",
        "gauge",
        ("school",),
        "How far the collector's clock is ahead of the gateway's, in seconds.",
        "abs(campus_agent_clock_offset_seconds) > 60",
    ),
    Metric(
        "campus_agent_token_expiry_timestamp_seconds",
        "gauge",
        ("school",),
        "When the last token of the school's agent expires, Unix time in seconds; absent when one has no end.",
        "campus_agent_token_expiry_timestamp_seconds - time() < 14 * 86400",
    ),
    Metric(
        "campus_agent_spool_pending_results",
        "gauge",
        ("school",),
        "Results on the gateway that still wait to be sent.",
        "campus_agent_spool_pending_results > 1000",
    ),
    Metric(
        "campus_agent_spool_dropped_results_total",
        "counter",
        ("school",),
        "Results the gateway had to drop because its spool was full.",
        "increase(campus_agent_spool_dropped_results_total[1d]) > 0",
    ),
    Metric(
        "campus_agent_test_bytes_total",
        "counter",
        ("school", "segment"),
        "Octets that throughput tests put on the wire.",
        "rate(campus_agent_test_bytes_total[1d])",
    ),
    Metric(
        "campus_gateway_cpu_ratio",
        "gauge",
        ("school",),
        "The gateway's CPU in use, ratio 0-1 (latest host result).",
        "campus_gateway_cpu_ratio > 0.9",
    ),
    Metric(
        "campus_gateway_memory_available_bytes",
        "gauge",
        ("school",),
        "Memory the gateway has left, in bytes.",
        "campus_gateway_memory_available_bytes",
    ),
    Metric(
        "campus_gateway_disk_free_bytes",
        "gauge",
        ("school",),
        "Disk the gateway has left for the state folder, in bytes.",
        "campus_gateway_disk_free_bytes < 5e8",
    ),
    Metric(
        "campus_gateway_agent_memory_bytes",
        "gauge",
        ("school",),
        "Resident memory of the agent itself, in bytes.",
        "max(campus_gateway_agent_memory_bytes)",
    ),
    Metric(
        "campus_measurements_total",
        "counter",
        ("kind", "outcome"),
        "Results stored since the database was made, by kind and outcome.",
        "rate(campus_measurements_total[1h])",
    ),
    Metric(
        "campus_engine_agreement_ratio",
        "gauge",
        ("segment",),
        "Share of references (iperf3 TCP, 10 s) of the current month whose verdict the quick test of the same hour shares, ratio 0-1.",
        "campus_engine_agreement_ratio < 0.98",
    ),
    Metric(
        "campus_engine_agreement_comparisons",
        "gauge",
        ("segment",),
        "How many directions the agreement of the current month rests on.",
        "campus_engine_agreement_comparisons",
    ),
    Metric(
        "campus_engine_agreement_rate_ratio",
        "gauge",
        ("segment",),
        "Median of quick line rate / reference line rate where both are rates, current month; 1 is full agreement.",
        "abs(campus_engine_agreement_rate_ratio - 1) > 0.03",
    ),
    Metric(
        "campus_problems_open",
        "gauge",
        ("target", "town", "severity"),
        "Problems of the ledger that are not struck off; severity failing (measured below) or silent (no valid result).",
        "sum by (town) (campus_problems_open)",
    ),
    Metric(
        "campus_problems_overdue",
        "gauge",
        ("target", "town"),
        "Open problems whose due date is past; absent where nothing is open.",
        "campus_problems_overdue > 0",
    ),
    Metric(
        "campus_slots_granted_total",
        "counter",
        (),
        "Reservations of the uplink test server given, by all collectors on the database.",
        "rate(campus_slots_granted_total[1h])",
    ),
    Metric(
        "campus_slots_refused_total",
        "counter",
        (),
        "Requests for the uplink test server that could not begin in time, at all collectors on the database.",
        "rate(campus_slots_refused_total[1h])",
    ),
    Metric(
        "campus_commands",
        "gauge",
        ("kind", "state"),
        "What people asked of gateways, by kind and how far it came, since the database was begun.",
        'campus_commands{state="expired"}',
    ),
    Metric(
        "campus_slots_running",
        "gauge",
        (),
        "Schools whose turn on the uplink test server it is now.",
        "campus_slots_running",
    ),
    Metric(
        "campus_judge_waiting_schools",
        "gauge",
        (),
        "Schools with results that are not judged yet: until it is 0, verdicts and rates are still being worked out.",
        "campus_judge_waiting_schools > 0",
    ),
    Metric(
        "campus_chain_mismatch_timestamp_seconds",
        "gauge",
        ("school",),
        "When a gateway last showed a receipt that does not fit its school's chain of results, Unix time; absent when all fit.",
        "time() - campus_chain_mismatch_timestamp_seconds < 7 * 86400",
    ),
    Metric(
        "campus_ingest_results_total",
        "counter",
        ("outcome",),
        "Results that arrived since the database was made: stored, duplicate, quarantined.",
        'rate(campus_ingest_results_total{outcome="quarantined"}[1h])',
    ),
    Metric(
        "campus_ingest_request_duration_seconds",
        "histogram",
        (),
        "Time to answer a batch of results, in seconds.",
        "histogram_quantile(0.95, rate(campus_ingest_request_duration_seconds_bucket[5m]))",
    ),
    Metric(
        "campus_store_unpacked_results",
        "gauge",
        (),
        "Results that an older collector stored and that are not packed yet; those of schools that do not fit their chain stay so.",
        "campus_store_unpacked_results > 0",
    ),
    Metric(
        "campus_certificate_expires_timestamp_seconds",
        "gauge",
        (),
        "When the certificate that the collector serves expires (or its private authority, if earlier), Unix time in seconds; absent without TLS.",
        "campus_certificate_expires_timestamp_seconds - time() < 30 * 86400",
    ),
    Metric(
        "campus_store_bytes",
        "gauge",
        (),
        "What the collector's database takes on disk, in bytes.",
        "campus_store_bytes",
    ),
    Metric(
        "campus_store_free_bytes",
        "gauge",
        (),
        "What is left of the disk the database stands on, in bytes; absent where the database is on another machine.",
        "campus_store_free_bytes < 5e9",
    ),
    Metric(
        "campus_store_bytes_per_result",
        "gauge",
        (),
        "The database's bytes on disk, everything included, for each result it holds.",
        "campus_store_bytes_per_result",
    ),
    Metric(
        "campus_store_growth_bytes_per_day",
        "gauge",
        (),
        "How fast the database grows, in bytes a day: results of the last 30 days; absent on the first day.",
        "campus_store_growth_bytes_per_day * 30",
    ),
    Metric(
        "campus_store_full_in_days",
        "gauge",
        (),
        "In how many days the disk is full if the database grows on like this; absent where that is not known.",
        "campus_store_full_in_days < 60",
    ),
    Metric(
        "campus_upstream_waiting_months",
        "gauge",
        (),
        "Months and corrections that wait for the level above to acknowledge them; absent where none go up.",
        "campus_upstream_waiting_months",
    ),
    Metric(
        "campus_upstream_waiting_since_timestamp_seconds",
        "gauge",
        (),
        "Since when the oldest month or correction waits that the level above has not acknowledged, Unix time in seconds; absent while none waits.",
        "time() - campus_upstream_waiting_since_timestamp_seconds > 3 * 86400",
    ),
    Metric(
        "campus_area_info",
        "gauge",
        ("county", "name"),
        "Always 1; what a county is called whose months come in here.",
        "campus_area_missing_months * on (county) group_left (name) campus_area_info",
    ),
    Metric(
        "campus_area_compliance_ratio",
        "gauge",
        ("county", "target"),
        "Met / (all - exempt) of the newest month that has come from a county, ratio 0-1.",
        'campus_area_compliance_ratio{target="classroom_bandwidth"}',
    ),
    Metric(
        "campus_area_target_subjects",
        "gauge",
        ("county", "target", "verdict"),
        "Subjects by verdict of the newest month that has come from a county.",
        "sum by (target, verdict) (campus_area_target_subjects)",
    ),
    Metric(
        "campus_area_month_timestamp_seconds",
        "gauge",
        ("county",),
        "Beginning of the newest month that has come from a county, Unix time in seconds.",
        "campus_area_month_timestamp_seconds",
    ),
    Metric(
        "campus_area_received_timestamp_seconds",
        "gauge",
        ("county",),
        "When a month or correction last came from a county, Unix time in seconds.",
        "time() - campus_area_received_timestamp_seconds > 40 * 86400",
    ),
    Metric(
        "campus_area_missing_months",
        "gauge",
        ("county",),
        "Months of a county that should have come and have not.",
        "campus_area_missing_months > 0",
    ),
    Metric(
        "campus_area_missing_since_timestamp_seconds",
        "gauge",
        ("county",),
        "Since when the oldest month of a county is missing, Unix time in seconds; absent while none is.",
        "time() - campus_area_missing_since_timestamp_seconds > 7 * 86400",
    ),
    Metric(
        "campus_area_received_corrections",
        "gauge",
        ("county",),
        "Corrections that have come from a county.",
        "campus_area_received_corrections",
    ),
    Metric(
        "campus_scrape_left_out_owners",
        "gauge",
        (),
        "Classrooms, schools and others whose lines are left out of this page because they could not be made; the log names them.",
        "campus_scrape_left_out_owners > 0",
    ),
    Metric(
        "campus_scrape_duration_seconds",
        "gauge",
        (),
        "Time the collector took to build this page, in seconds.",
        "campus_scrape_duration_seconds",
    ),
)

SCOPES: dict[str, tuple[str, ...]] = {
    "names": ("campus_school_info", "campus_subject_info"),
    "compliance": (
        "campus_calendar_",
        "campus_coverage_",
        "campus_target_",
        "campus_subject_",
        "campus_engine_agreement_",
    ),
    "classrooms": ("campus_classroom_",),
    "uplinks": ("campus_uplink_", "campus_school_", "campus_lesson_", "campus_interruptions_"),
    "services": ("campus_service_",),
    "rooms": ("campus_device_", "campus_room_"),
    "agents": ("campus_agent_", "campus_gateway_", "campus_chain_"),
    "ledger": ("campus_problems_",),
    "area": ("campus_area_",),
    "collector": (
        "campus_upstream_",
        "campus_measurements_",
        "campus_slots_",
        "campus_commands",
        "campus_ingest_",
        "campus_scrape_",
        "campus_judge_",
        "campus_certificate_",
        "campus_store_",
    ),
}
"""Parts of the page that can be asked for alone (`/metrics?scope=NAME`), by how the names of their metrics begin."""


def scope_of(metric: Metric) -> str:
    """The one scope a metric belongs to: that with the longest beginning of its name."""
    scopes = [
        (len(begin), name) for name, begins in SCOPES.items() for begin in begins if metric.name.startswith(begin)
    ]
    return max(scopes)[1]


BY_NAME = {metric.name: metric for metric in METRICS}
