"""What one measurement says, for ever: the records that travel and are archived.

Rules: a field keeps its name and meaning once released; unit is the suffix; absent (`null`) means not measured, never zero;
counts stand beside ratios so that a figure can be worked out again later. Rates are bits per second, sizes bytes, times
seconds. `down` is towards the classroom, or towards the school on the uplink.

`gc=False`: a record holds nothing that leads back to it, so Python's search for cycles need not look through the many that there are at once.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campus_wire.encapsulation import AddressFamily, Encapsulation
from campus_wire.failures import Failure, SkipReason, Validity
from campus_wire.ids import ID_PATTERN

Id = Annotated[str, Meta(pattern=ID_PATTERN)]
RESULT_ID_PATTERN = r"^[A-Za-z0-9_.:-]+\Z"
ResultId = Annotated[str, Meta(min_length=1, max_length=96, pattern=RESULT_ID_PATTERN)]
Moment = Annotated[datetime, Meta(tz=True)]
"""A time with its zone: without one it names no moment."""
Word = Annotated[str, Meta(max_length=300)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Seconds = Annotated[float, Meta(ge=0, le=1e12)]
SignedSeconds = Annotated[float, Meta(ge=-1e12, le=1e12)]
Ratio = Annotated[float, Meta(ge=0, le=1)]
Rate = Annotated[float, Meta(ge=0, le=1e13)]

SHA256_PATTERN = r"^[0-9a-f]{64}\Z"

MAX_INTERVALS = 1000
Segment = Literal["classroom", "uplink"]


class Interval(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One slice of a throughput test; `start_seconds` counts from the start of the load."""

    start_seconds: Seconds
    duration_seconds: Seconds
    payload_bytes: Count


class LatencyRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Round trips of small probes. RTT is RFC 2681; loss is round trip (RFC 6673).

    `jitter_seconds` is the smoothed interarrival jitter of RFC 3550 A.8, computed on round-trip times (the two clocks are one).
    """

    method: Literal["icmp", "udp", "tcp", "tcp_info"]
    packets_sent: Count
    packets_received: Count
    rtt_min_seconds: Seconds | None = None
    rtt_median_seconds: Seconds | None = None
    rtt_p95_seconds: Seconds | None = None
    rtt_max_seconds: Seconds | None = None
    jitter_seconds: Seconds | None = None
    loss_ratio: Ratio | None = None


class DirectionRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One direction of a throughput test, as the receiver counted it.

    `goodput_bits_per_second` is application bytes x 8 / elapsed (RFC 2647 section 3.17), without warm-up.
    `line_rate_bits_per_second` is set by an engine that measures the line itself; where it is absent the line rate follows from
    goodput and the encapsulation. `bytes` counts every byte the test put on the wire in this direction, warm-up included.
    `cpu_waited_ratio`: for how much of the time an end that carried the load may have waited for a processor, as far as is known.
    """

    goodput_bits_per_second: Rate
    bytes: Count
    duration_seconds: Seconds
    line_rate_bits_per_second: Rate | None = None
    lower_bound: bool = False
    cross_traffic_bits_per_second: Rate | None = None
    warmup_seconds: Seconds = 0.0
    retransmits: Count | None = None
    limited_by: Word | None = None
    confidence_ratio: Ratio | None = None
    burst_line_rate_bits_per_second: Rate | None = None
    cpu_waited_ratio: Ratio | None = None
    intervals: Annotated[list[Interval], Meta(max_length=MAX_INTERVALS)] = []
    intervals_seen_by: Literal["receiver", "sender"] = "receiver"


class ThroughputRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A throughput test of one segment in both directions, with all that a later verdict needs.

    `server` is the test server of an uplink, by the name or address that the gateway was given; a classroom's machine is not named.
    """

    segment: Segment
    engine: Annotated[str, Meta(max_length=32)]
    engine_version: Annotated[str, Meta(max_length=80)]
    required_bits_per_second: Rate
    encapsulation: Encapsulation
    down: DirectionRecord | None = None
    up: DirectionRecord | None = None
    mode: Literal["quick", "reference"] = "quick"
    congestion_control: Annotated[str, Meta(max_length=32)] | None = None
    idle: LatencyRecord | None = None
    working: LatencyRecord | None = None
    cross_traffic_bits_per_second: Rate | None = None
    cpu_ratio: Ratio | None = None
    link_speed_bits_per_second: Rate | None = None
    link_duplex: Literal["full", "half"] | None = None
    transport: Literal["udp", "tcp"] | None = None
    server: Annotated[str, Meta(max_length=255)] | None = None


class LatencyProbeRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A latency measurement on its own, nothing else running."""

    segment: Segment
    idle: LatencyRecord


class InterfaceRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One network interface of the gateway; counters since boot as the kernel gives them (RFC 2863 ifHC* in meaning)."""

    name: Annotated[str, Meta(max_length=64)]
    up: bool
    speed_bits_per_second: Rate | None = None
    duplex: Literal["full", "half"] | None = None
    mtu_bytes: Count | None = None
    received_bytes: Count = 0
    sent_bytes: Count = 0
    receive_errors: Count = 0
    send_errors: Count = 0
    receive_drops: Count = 0
    send_drops: Count = 0


class HostRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The gateway's own state. Ratios are of the whole machine; `disk` is the file system of the state folder."""

    cpu_ratio: Ratio
    cpu_count: Count
    load_1min: Seconds | None
    memory_total_bytes: Count
    memory_available_bytes: Count
    disk_total_bytes: Count
    disk_free_bytes: Count
    uptime_seconds: Seconds
    agent_memory_bytes: Count
    temperature_celsius: Annotated[float, Meta(ge=-100, le=200)] | None = None
    interfaces: Annotated[list[InterfaceRecord], Meta(max_length=64)] = []


class ServiceRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """One request to a cloud platform, step by step; a step that was not reached is absent, not zero.

    Success means that every step worked and the answer was the platform's: its status is below 400, or one that the inventory expects;
    it holds the expected text; it does not lead to another site without proof that the platform itself said so. `leads_to` is the address
    that the answer redirects to. `first_byte_seconds` counts from the end of the request.
    """

    url: Annotated[str, Meta(max_length=500)]
    success: bool
    resolve_seconds: Seconds | None = None
    connect_seconds: Seconds | None = None
    tls_seconds: Seconds | None = None
    first_byte_seconds: Seconds | None = None
    total_seconds: Seconds | None = None
    http_status: Annotated[int, Meta(ge=100, le=999)] | None = None
    address: Annotated[str, Meta(max_length=64)] | None = None
    address_family: AddressFamily | None = None
    certificate_expires_at: Moment | None = None
    leads_to: Annotated[str, Meta(max_length=500)] | None = None


READING_PATTERN = r"^[a-z][a-z0-9_]{0,63}\Z"
Reading = Annotated[str, Meta(pattern=READING_PATTERN)]
ShortText = Annotated[str, Meta(max_length=120)]


class DeviceRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What a device of a recording room said, in base units; a reading that it does not give is absent, not zero.

    `failed` names the readings that did not come, and why: such a device is up all the same. `remarks` are readings beyond the limits of
    its profile, as `reading value`.
    """

    room: Id
    profile: Id
    up: bool
    required: bool = True
    readings: Annotated[dict[Reading, Annotated[float, Meta(ge=-1e18, le=1e18)]], Meta(max_length=64)] = {}
    words: Annotated[dict[Reading, ShortText], Meta(max_length=32)] = {}
    failed: Annotated[dict[Reading, Failure], Meta(max_length=64)] = {}
    remarks: Annotated[list[ShortText], Meta(max_length=32)] = []


class RoomRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A recording room in one poll round: up when every required device of it is. `down` names those that are not."""

    up: bool
    devices: Count
    down: Annotated[list[Id], Meta(max_length=200)] = []


class PortRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """The switch port a classroom hangs on, in the switch's own words (IF-MIB RFC 2863, EtherLike-MIB RFC 3635).

    Counts lie between two polls, `interval_seconds` apart; None: first poll, restart, discontinuity. `received` is by the switch from the classroom.
    """

    switch: Id
    port: Annotated[str, Meta(max_length=64)]
    found_by: Literal["inventory", "lldp", "forwarding_table"]
    up: bool
    speed_bits_per_second: Rate | None = None
    duplex: Literal["full", "half"] | None = None
    interval_seconds: Seconds | None = None
    received_bytes: Count | None = None
    sent_bytes: Count | None = None
    received_packets: Count | None = None
    receive_errors: Count | None = None
    send_errors: Count | None = None
    fcs_errors: Count | None = None
    late_collisions: Count | None = None
    utilization_ratio: Ratio | None = None
    last_change_seconds: Seconds | None = None


class DhcpOffer(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A server that offered an address on one of the gateway's links."""

    interface: Annotated[str, Meta(max_length=64)]
    server: Annotated[str, Meta(max_length=64)]
    mac: Annotated[str, Meta(max_length=32)]
    router: Annotated[str, Meta(max_length=64)] = ""


class NetworkRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """What answers on the school's own links: every DHCP server that offered an address to one DHCPDISCOVER a link."""

    dhcp: Annotated[list[DhcpOffer], Meta(max_length=64)] = []

    @property
    def most_dhcp_servers(self) -> int:
        """On the link that has most; more than one is a fault: machines get wrong addresses at random."""
        by_link: dict[str, set[str]] = {}
        for offer in self.dhcp:
            by_link.setdefault(offer.interface, set()).add(offer.server)
        return max((len(servers) for servers in by_link.values()), default=0)


class InspectionRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A test that a person began on the classroom's page: what the gateway measured of that browser's line, and whose it was.

    `measured` is the gateway's own measurement (TCP_INFO of its sockets), its engine is `browser`. What the browser itself counted stands beside it
    and decides nothing. `own_machine`: the browser ran on the classroom's known machine; else it may have been a phone on Wi-Fi.
    """

    measured: ThroughputRecord
    browser: Word = ""
    client: Annotated[str, Meta(max_length=64)] = ""
    own_machine: bool = False
    browser_down_bits_per_second: Rate | None = None
    browser_up_bits_per_second: Rate | None = None
    browser_rtt_median_seconds: Seconds | None = None


class LessonMinute(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One minute of the lesson stream, UTC; on the wire an array in this order, so a later field is added at the end, with a default.

    Each packet counts in the minute in which it was sent. `lost_up` did not reach the server and `lost_down` left it, by its sequence numbers
    (RFC 8762); packets of which nothing was known when the record was closed count as `lost_up`. A packet whose answer comes after a second
    is lost. `reordered`: answers that came after a later one (RFC 4737). RTT without the server's own time; None: no answer.
    `jitter_seconds` is that of RFC 3550 A.8, on round-trip times. `longest_gap_seconds`: the longest time between two answers, also one that
    began in an earlier minute. `unknown_seconds`: the gateway did not send, because it was off or busy; nothing is said of them.
    `lan_sent` and `lan_lost` are the echoes to required recorders.
    """

    minute: Moment
    sent: Count
    lost_up: Count = 0
    lost_down: Count = 0
    reordered: Count = 0
    unknown_seconds: Seconds = 0.0
    rtt_min_seconds: Seconds | None = None
    rtt_median_seconds: Seconds | None = None
    rtt_p95_seconds: Seconds | None = None
    rtt_p99_seconds: Seconds | None = None
    rtt_max_seconds: Seconds | None = None
    jitter_seconds: Seconds | None = None
    longest_gap_seconds: Seconds | None = None
    lan_sent: Count = 0
    lan_lost: Count = 0


class Interruption(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """A second or more without an answer, by the times of sending; of several records with one `id` the latest holds.

    `ended_at` None: it was still going on. `direction` `both`: packets were lost in both, or nobody can know (an echo has one number only).
    When nothing reaches the server, it sends nothing: then `up` says nothing about the way down.
    `where`: one `recorder`, the whole `lan` (all required recorders), the `uplink`, the `collector` (its machine answers, the test server does not,
    or began again), the `gateway` (it could not send). `lost`: packets, or echoes. `device`: the recorder.
    """

    id: ResultId
    began_at: Moment
    ended_at: Moment | None
    direction: Literal["up", "down", "both"]
    where: Literal["recorder", "lan", "uplink", "collector", "gateway"]
    lost: Count
    device: Id | None = None


MAX_MINUTES, MAX_INTERRUPTIONS = 10, 200


class LessonStreamRecord(msgspec.Struct, frozen=True, omit_defaults=True, gc=False):
    """Some minutes of the small continuous stream (STAMP, RFC 8762) between the gateway and the uplink's test server, and their interruptions.

    `packet_bytes`: what is sent each way, without IP and UDP. An interruption that began earlier and ended here stands here.
    """

    server: Annotated[str, Meta(max_length=255)]
    packets_per_second: Count
    packet_bytes: Count
    authenticated: bool
    minutes: Annotated[list[LessonMinute], Meta(max_length=MAX_MINUTES)] = []
    interruptions: Annotated[list[Interruption], Meta(max_length=MAX_INTERRUPTIONS)] = []


class Result(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False, tag_field="kind"):
    """One measurement of one subject at one time, success or failure; immutable.

    `started_at` is UTC by the agent's clock at sending, corrected by the agent when it learnt the collector's time; `boot_id` and
    `monotonic_seconds` (since boot) say when it was within one run of the gateway, whatever its wall clock did.
    `clock_offset_seconds` is how far the collector's clock was ahead of that wall clock: 2 s or less is only told, more is already
    added in `started_at`; absent where it was not known. `command` is the id of the command that caused it; "" for what the schedule began.
    """

    id: ResultId
    subject: Id
    started_at: Moment
    boot_id: Annotated[str, Meta(max_length=64)]
    monotonic_seconds: Seconds
    duration_seconds: Seconds
    validity: Validity
    school: Id | None = None
    detail: Word = ""
    failure: Failure | None = None
    skipped: SkipReason | None = None
    clock_offset_seconds: SignedSeconds | None = None
    command: Annotated[str, Meta(max_length=32)] = ""


class ThroughputResult(Result, frozen=True, kw_only=True, tag="throughput"):
    """A throughput test: subject is a classroom id or `uplink`."""

    record: ThroughputRecord | None = None


class LatencyResult(Result, frozen=True, kw_only=True, tag="latency"):
    """An idle latency measurement: subject is a classroom id or `uplink`."""

    record: LatencyProbeRecord | None = None


class HostResult(Result, frozen=True, kw_only=True, tag="host"):
    """The gateway's state: subject is `gateway`."""

    record: HostRecord | None = None


class ServiceResult(Result, frozen=True, kw_only=True, tag="service"):
    """A platform request: subject is the service id. Here a failure is the finding: it is judged, and has a record."""

    record: ServiceRecord | None = None


class DeviceResult(Result, frozen=True, kw_only=True, tag="device"):
    """One device in one poll round: subject is its id. A failure is the finding: the device is down, and has a record."""

    record: DeviceRecord | None = None


class RoomResult(Result, frozen=True, kw_only=True, tag="room"):
    """One recording room in one poll round: subject is its id."""

    record: RoomRecord | None = None


class PortResult(Result, frozen=True, kw_only=True, tag="port"):
    """The switch port of a classroom, or of the uplink: subject is the classroom's id, or `uplink`."""

    record: PortRecord | None = None


class NetworkResult(Result, frozen=True, kw_only=True, tag="network"):
    """The school's own links: subject is `lan`."""

    record: NetworkRecord | None = None


class InspectionResult(Result, frozen=True, kw_only=True, tag="inspection"):
    """A classroom's line as somebody tested it from a browser there: subject is the classroom's id. Shown, never judged."""

    record: InspectionRecord | None = None


class LessonStreamResult(Result, frozen=True, kw_only=True, tag="lesson_stream"):
    """Five minutes of the lesson stream: subject is `uplink`."""

    record: LessonStreamRecord | None = None


class InterruptionResult(Result, frozen=True, kw_only=True, tag="interruption"):
    """An interruption that became complete after its record had gone out, such as over a restart: subject is `uplink`."""

    record: Interruption | None = None


AnyResult = (
    ThroughputResult
    | LatencyResult
    | HostResult
    | ServiceResult
    | DeviceResult
    | RoomResult
    | PortResult
    | NetworkResult
    | InspectionResult
    | LessonStreamResult
    | InterruptionResult
)
Outcome = Literal["ok", "failed", "invalid", "skipped"]
KINDS = (
    "throughput",
    "latency",
    "host",
    "service",
    "device",
    "room",
    "port",
    "network",
    "inspection",
    "lesson_stream",
    "interruption",
)


def kind_of(result: Result) -> str:
    """The kind of a result, as on the wire."""
    return str(result.__struct_config__.tag)


def test_bytes_of(result: Result) -> int:
    """What a throughput test or an inspection put on the wire, both directions; 0 for anything else."""
    return bytes_of_record(result.record if isinstance(result, ThroughputResult | InspectionResult) else None)


def bytes_of_record(record: object) -> int:
    """The same of a record; 0 for one of another kind, or none."""
    measured = record.measured if isinstance(record, InspectionRecord) else record
    if not isinstance(measured, ThroughputRecord):
        return 0
    return sum(direction.bytes for direction in (measured.down, measured.up) if direction is not None)


def outcome_of(result: Result) -> Outcome:
    """The one outcome under which a result is counted, the first that applies. `ok` without a record is invalid.

    Such a result is malformed (`says_nothing`); collectors up to 0.2.1 stored it.
    """
    if result.skipped is not None:
        return "skipped"
    if result.failure is not None:
        return "failed"
    return "ok" if result.validity is Validity.OK and getattr(result, "record", None) is not None else "invalid"


def says_nothing(result: Result) -> bool:
    """Is it `ok`, with neither the record of its kind nor a failure nor a reason why it was skipped? The contract allows no such result."""
    empty = getattr(result, "record", None) is None and result.failure is None and result.skipped is None
    return empty and result.validity is Validity.OK


class AnnouncedClassroom(msgspec.Struct, frozen=True, omit_defaults=True):
    """A classroom of the agent's own configuration."""

    id: Id
    name: Annotated[str, Meta(max_length=100)] = ""
    required_bits_per_second: Rate | None = None


class AnnouncedService(msgspec.Struct, frozen=True, omit_defaults=True):
    """A cloud platform of the agent's own configuration."""

    id: Id
    name: Annotated[str, Meta(max_length=100)] = ""


class Announcement(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which subjects does this agent measure? Sent with each batch; an imported inventory outranks it."""

    town: Id | None = None
    classrooms: Annotated[list[AnnouncedClassroom], Meta(max_length=1000)] = []
    services: Annotated[list[AnnouncedService], Meta(max_length=200)] = []
    uplink: bool = False
    uplink_required_bits_per_second: Rate | None = None
    recording_rooms: Annotated[list[Id], Meta(max_length=100)] = []


EndpointKind = Annotated[str, Meta(pattern=r"^[a-z][a-z0-9_]{0,19}\Z")]
"""What answers a classroom's tests: an engine of the gateway's configuration. Collectors show those that they do not know by this name."""


class AgentState(msgspec.Struct, frozen=True, omit_defaults=True):
    """The agent's own health at the moment of sending. Totals count since the state folder was made."""

    version: Annotated[str, Meta(max_length=40)]
    os: Annotated[str, Meta(max_length=80)] = ""
    spool_pending_results: Count = 0
    spool_dropped_results_total: Count = 0
    clock_offset_seconds: SignedSeconds | None = None
    test_bytes_total: dict[Segment, Count] = {}
    config_problem_en: Annotated[str, Meta(max_length=200)] = ""
    config_problem_zh: Annotated[str, Meta(max_length=200)] = ""
    """Why the collector's configuration is not in force; "" when it is, or there is none."""
    disk_free_bytes: Count | None = None
    """Of the file system that holds the spool."""
    endpoints: Annotated[dict[EndpointKind, Annotated[list[Id], Meta(max_length=1000)]], Meta(max_length=8)] | None = (
        None
    )
    """The classrooms that this gateway tests, by what answers there; None: it does not say."""


class ChainHead(msgspec.Struct, frozen=True):
    """How far a school's chain of results reaches: the number of its last result, and the head there (SHA-256, hexadecimal)."""

    sequence: Count
    head: Annotated[str, Meta(pattern=SHA256_PATTERN)]


class Envelope(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One batch. Results stay undecoded here so that one bad result never costs its neighbours."""

    schema_version: int
    agent_id: Annotated[str, Meta(max_length=100)]
    boot_id: Annotated[str, Meta(max_length=64)]
    sent_at: Moment
    results: list[msgspec.Raw]
    agent: AgentState | None = None
    announcement: Announcement | None = None
    chain: ChainHead | None = None
    """What the last receipt of this collector said: it compares that with its chain."""


class Quarantined(msgspec.Struct, frozen=True):
    """A result the collector keeps apart and will not store: acknowledged, so it need not be sent again.

    `index` is its place in the batch, for a result whose id could not be read.
    """

    id: str | None
    reason: str
    index: int = -1


class Receipt(msgspec.Struct, frozen=True):
    """The collector's answer to a batch: every result is in exactly one of the three."""

    stored: int
    duplicate: int
    quarantined: list[Quarantined]
    server_time: Moment
    chain: ChainHead | None = None
    """The school's chain after this batch; None from a collector before 0.2.1."""
    chain_fits: bool | None = None
    """Does the chain of the envelope fit the collector's? None: none was sent, or it is too old to compare."""


MAX_SLOT_SECONDS = 120.0
"""The longest turn on the uplink's test server: a reference with a quick test before it takes less."""


class SlotRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """An agent asks for the uplink's test server: for how long, how fast, and by when it would have to begin."""

    seconds: Annotated[float, Meta(gt=0, le=MAX_SLOT_SECONDS)]
    bits_per_second: Annotated[float, Meta(gt=0, le=1e12)]
    latest_start_seconds: Annotated[float, Meta(ge=0, le=3600)] = 0.0


class Slot(msgspec.Struct, frozen=True):
    """The server is this agent's for `seconds`, beginning in `start_in_seconds`: no clock needs to be right for it."""

    id: str
    start_in_seconds: float
    seconds: float


class FetchedAgent(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whose gateway it is."""

    school: Id
    town: str | None = None


class FetchedClassroom(msgspec.Struct, frozen=True, omit_defaults=True):
    """A classroom of the collector's inventory that can be measured."""

    id: Id
    name: Annotated[str, Meta(max_length=200)]
    host: Annotated[str, Meta(max_length=255)]
    port: int | None = None
    required_bits_per_second: int | None = None


class FetchedDevice(msgspec.Struct, frozen=True, omit_defaults=True):
    """A piece of equipment of the inventory; its secrets are in the gateway's own file."""

    id: Id
    name: Annotated[str, Meta(max_length=200)]
    room: str
    profile: Id
    host: Annotated[str, Meta(max_length=255)]
    required: bool = True


class FetchedExpectation(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a platform's answer is like: statuses, a text that it holds; empty: nothing is said of that."""

    status: Annotated[Sequence[Annotated[int, Meta(ge=100, le=599)]], Meta(max_length=20)] = ()
    text: Annotated[str, Meta(max_length=200)] = ""


class FetchedService(msgspec.Struct, frozen=True, omit_defaults=True):
    """A platform of the collector's inventory."""

    id: Id
    name: Annotated[str, Meta(max_length=200)]
    url: Annotated[str, Meta(max_length=2000)]
    expect: FetchedExpectation | None = None


class FetchedUplink(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the policy asks of the line to the bureau."""

    required_bits_per_second: int


class FetchedTimetable(msgspec.Struct, frozen=True, omit_defaults=True):
    """When the school's lessons are (08:00-08:45), and days without tests (2026-06-07/2026-06-09)."""

    periods: Annotated[Sequence[Annotated[str, Meta(max_length=11)]], Meta(max_length=40)] = ()
    blackout: Annotated[Sequence[Annotated[str, Meta(max_length=21)]], Meta(max_length=100)] = ()


class FetchedLessonStream(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether and how the county's gateways run the lesson stream; None: the gateway's own file says."""

    enabled: bool | None = None
    packets_per_second: Annotated[int, Meta(ge=5, le=50)] | None = None
    packet_bytes: Annotated[int, Meta(ge=44, le=1200)] | None = None
    always: bool | None = None
    in_blackout: bool | None = None


class FetchedConfig(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the collector says to a school's gateway, in the shape of `agent.toml`; None: it says nothing of that."""

    agent: FetchedAgent
    classroom: Sequence[FetchedClassroom] | None = None
    device: Sequence[FetchedDevice] | None = None
    service: Sequence[FetchedService] | None = None
    uplink: FetchedUplink | None = None
    timetable: FetchedTimetable | None = None
    lesson_stream: FetchedLessonStream | None = None
    policy_version: str = ""
    schema_version: int = 1


class EnrollRequest(msgspec.Struct, frozen=True, omit_defaults=True):
    """A gateway shows the code that it was given at the bureau."""

    code: Annotated[str, Meta(min_length=1, max_length=40)]
    version: Annotated[str, Meta(max_length=100)] = ""
    os: Annotated[str, Meta(max_length=100)] = ""


class Enrolled(msgspec.Struct, frozen=True, omit_defaults=True):
    """The gateway's school and its token, which is shown this once."""

    school: Id
    town: str
    agent_id: Id
    token: str
    server_time: Moment
    release_key: Annotated[str, Meta(max_length=16_384)] = ""
    """The OpenPGP key, armored, that signs what this gateway may be upgraded to; "" of a collector that has none."""


class UpgradeQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """POST /v1/upgrade: what a gateway runs, and what became of its last upgrade ("" of none)."""

    version: Annotated[str, Meta(max_length=40)]
    architecture: Annotated[str, Meta(pattern=r"^[a-z0-9]{1,16}\Z")]
    returned_from: Annotated[str, Meta(max_length=40)] = ""
    reason: Word = ""


class UpgradeAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What it shall run: `version` "" for what it has. `withdrawn`: the release it runs was stopped, so it shall go back to the one before.

    This is advice: what is installed comes from the signed repository, or was kept from there.
    """

    version: Annotated[str, Meta(max_length=40)] = ""
    withdrawn: bool = False


class Rotated(msgspec.Struct, frozen=True, omit_defaults=True):
    """The answer to POST /v1/token: the old token is refused as soon as this one was used."""

    token: Annotated[str, Meta(min_length=20, max_length=200)]
    server_time: Moment


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """An HTTP error body (RFC 9457, `application/problem+json`)."""

    title: str
    status: int
    detail: str = ""
    type: str = "about:blank"
