"""One envelope with one result of every kind and outcome, fixed for ever: what version 1 looks like on the wire."""

from datetime import UTC, datetime, timedelta

import msgspec

from campus_wire.codec import encode_result
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import (
    AgentState,
    AnnouncedClassroom,
    AnnouncedService,
    Announcement,
    AnyResult,
    DirectionRecord,
    Envelope,
    HostRecord,
    HostResult,
    InterfaceRecord,
    Interruption,
    InterruptionResult,
    Interval,
    LatencyProbeRecord,
    LatencyRecord,
    LatencyResult,
    LessonMinute,
    LessonStreamRecord,
    LessonStreamResult,
    ServiceRecord,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

AT = datetime(2026, 11, 23, 1, 2, 3, 456789, tzinfo=UTC)
COMMON = {
    "started_at": AT,
    "boot_id": "0f9a3c5e-1111-4222-8333-944444444444",
    "monotonic_seconds": 86400.25,
    "duration_seconds": 8.5,
    "validity": Validity.OK,
    "school": "s001",
}
LATENCY = LatencyRecord("icmp", 20, 19, 0.0008, 0.0011, 0.0019, 0.0031, 0.0002, 0.05)


def throughput(**changes: object) -> ThroughputResult:
    """A classroom at 94.15 Mbit/s of goodput each way: a perfect 100 Mbit/s line."""
    direction = DirectionRecord(
        goodput_bits_per_second=94_150_000.0,
        bytes=50_123_456,
        duration_seconds=3.0,
        warmup_seconds=1.0,
        retransmits=3,
        cross_traffic_bits_per_second=12_000.0,
        intervals=[Interval(0.0, 0.5, 5_884_375), Interval(0.5, 0.5, 5_884_000)],
    )
    record = ThroughputRecord(
        segment="classroom",
        engine="iperf3",
        engine_version="iperf 3.12",
        required_bits_per_second=100_000_000,
        encapsulation=Encapsulation(),
        down=direction,
        up=msgspec.structs.replace(direction, intervals_seen_by="sender"),
        congestion_control="cubic",
        idle=LATENCY,
        working=LATENCY,
        cross_traffic_bits_per_second=12_000.0,
        cpu_ratio=0.25,
        link_speed_bits_per_second=1e9,
        link_duplex="full",
    )
    values = {"id": "0192f000-0000-7000-8000-000000000001", "subject": "c101", "record": record}
    return ThroughputResult(**(COMMON | values | changes))


MINUTE = datetime(2026, 11, 23, 1, 2, tzinfo=UTC)
INTERRUPTION = Interruption(
    "0192f000-0000-7000-8000-0000000000aa", AT, AT + timedelta(seconds=20.05), "both", "uplink", 401
)


RESULTS: list[AnyResult] = [
    throughput(),
    throughput(
        id="0192f000-0000-7000-8000-000000000002",
        subject="c102",
        validity=Validity.ENDPOINT_OFF,
        record=None,
        failure=Failure(Operation.CONNECT, FailureKind.CONNECTION_REFUSED, "unable to connect to server"),
    ),
    throughput(
        id="0192f000-0000-7000-8000-000000000003",
        subject="uplink",
        validity=Validity.NOT_MEASURED,
        record=None,
        skipped=SkipReason.LESSON,
        clock_offset_seconds=-3600.5,
    ),
    LatencyResult(
        id="0192f000-0000-7000-8000-000000000004",
        subject="c101",
        record=LatencyProbeRecord("classroom", LATENCY),
        **COMMON,
    ),
    HostResult(
        id="0192f000-0000-7000-8000-000000000005",
        subject="gateway",
        record=HostRecord(
            cpu_ratio=0.1,
            cpu_count=2,
            load_1min=0.5,
            memory_total_bytes=2**31,
            memory_available_bytes=2**30,
            disk_total_bytes=2**34,
            disk_free_bytes=2**33,
            uptime_seconds=86400.0,
            agent_memory_bytes=30_000_000,
            interfaces=[InterfaceRecord("eth0", True, 1e9, "full", 1500, 1, 2)],
        ),
        **COMMON,
    ),
    ServiceResult(
        id="0192f000-0000-7000-8000-000000000006",
        subject="smartedu-cn",
        record=ServiceRecord(
            "https://basic.smartedu.cn/", True, 0.01, 0.02, 0.03, 0.2, 0.3, 200, "192.0.2.1", "ipv4", AT
        ),
        **COMMON,
    ),
    ServiceResult(
        id="0192f000-0000-7000-8000-000000000007",
        subject="smartedu-cn",
        failure=Failure(Operation.RESOLVE, FailureKind.NAME_NOT_FOUND, "basic.smartedu.cn"),
        record=ServiceRecord("https://basic.smartedu.cn/", False),
        **COMMON,
    ),
    throughput(
        id="0192f000-0000-7000-8000-000000000008",
        subject="uplink",
        record=ThroughputRecord("uplink", "campus", "1", 1e9, Encapsulation(), transport="udp", server="198.51.100.10"),
    ),
    LessonStreamResult(
        id="0192f000-0000-7000-8000-000000000009",
        subject="uplink",
        record=LessonStreamRecord(
            "198.51.100.10",
            20,
            100,
            True,
            [
                LessonMinute(
                    MINUTE, 1200, 0, 1, 2, 0, 0.00412, 0.0045, 0.00531, 0.0093, 0.0312, 0.00021, 0.101, 120, 1
                ),
                LessonMinute(MINUTE + timedelta(minutes=1), 0, unknown_seconds=60.0),
            ],
            [
                INTERRUPTION,
                Interruption("0192f000-0000-7000-8000-0000000000ab", AT, None, "both", "recorder", 3, "rec-1"),
            ],
        ),
        **COMMON,
    ),
    InterruptionResult(
        id="0192f000-0000-7000-8000-00000000000a",
        subject="uplink",
        record=INTERRUPTION,
        **COMMON,
    ),
]

ENVELOPE = Envelope(
    schema_version=1,
    agent_id="s001",
    boot_id="0f9a3c5e-1111-4222-8333-944444444444",
    sent_at=AT,
    results=[msgspec.Raw(encode_result(result)) for result in RESULTS],
    agent=AgentState(
        "0.1.0",
        "Debian GNU/Linux 12",
        7,
        0,
        -0.25,
        {"classroom": 123_456_789, "uplink": 5},
        disk_free_bytes=9_000_000_000,
        endpoints={"campus": ["c101"], "iperf3": ["c102"]},
    ),
    announcement=Announcement(
        town="t01",
        classrooms=[AnnouncedClassroom("c101", "一年级1班", 1e8), AnnouncedClassroom("c102", "一年级2班")],
        services=[AnnouncedService("smartedu-cn", "国家智慧教育平台")],
        uplink=True,
        uplink_required_bits_per_second=1e9,
    ),
)
