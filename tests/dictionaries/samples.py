"""Results to train dictionaries on, by kind: those of a simulated county, half of them with ids as gateways give them, and invented ones of other kinds.

A simulated result carries an id and a boot id that no gateway has: trained on them alone a dictionary would flatter the bench.
"""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import msgspec

from campus_collector.domain.days import EPOCH
from campus_collector.store.open import open_store
from campus_wire.codec import encode_result
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import (
    AnyResult,
    DeviceRecord,
    DeviceResult,
    DhcpOffer,
    DirectionRecord,
    HostRecord,
    HostResult,
    InspectionRecord,
    InspectionResult,
    InterfaceRecord,
    Interruption,
    InterruptionResult,
    LatencyProbeRecord,
    LatencyRecord,
    LatencyResult,
    LessonMinute,
    LessonStreamRecord,
    LessonStreamResult,
    NetworkRecord,
    NetworkResult,
    PortRecord,
    PortResult,
    ServiceRecord,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)


def simulated(state_dir: Path, random: Random, number: int) -> Iterator[tuple[str, bytes]]:
    """So many results of each kind from a simulated county, as `campus-collector simulate` leaves it; each also as a gateway would write it."""
    store = open_store(state_dir / "campus.db", must_exist=True)
    by_kind: dict[str, list[bytes]] = {}
    for school in store.schools.all(EPOCH):
        for leaf in store.chain.leaves(school.id):
            if leaf.raw is not None:
                by_kind.setdefault(msgspec.json.decode(leaf.raw, type=_Kind).kind, []).append(leaf.raw)
    store.close()
    for kind, raws in sorted(by_kind.items()):
        for raw in random.sample(raws, min(number, len(raws))):
            yield kind, raw
            yield kind, with_real_ids(raw, random)


class _Kind(msgspec.Struct):
    kind: str


def with_real_ids(raw: bytes, random: Random) -> bytes:
    """The same result with an id, a boot and an engine as a gateway has them."""
    result = msgspec.json.decode(raw)
    at = datetime.fromisoformat(result["started_at"])
    result |= {
        "id": result_id(at, random),
        "boot_id": boot_id(random),
        "monotonic_seconds": round(random.uniform(0, 5e6), 6),
        "duration_seconds": round(random.expovariate(0.3), 6),
        "school": f"s{random.randrange(1, 400):03}",
    }
    record = result.get("record") or {}
    if "engine_version" in record:
        record["engine_version"] = random.choice(["campus 0.2.1", "campus 0.3.0", "iperf 3.12"])
    return msgspec.json.encode(result)


def result_id(at: datetime, random: Random) -> str:
    """A UUID of version 7 for a moment."""
    stamp = int(at.timestamp() * 1000) & (1 << 48) - 1
    value = stamp << 80 | 0x7 << 76 | random.getrandbits(12) << 64 | 0b10 << 62 | random.getrandbits(62)
    return str(uuid.UUID(int=value))


def boot_id(random: Random) -> str:
    """One of some gateways' boots, in the kernel's form."""
    return str(uuid.UUID(int=Random(random.randrange(400)).getrandbits(128), version=4))


def invented(random: Random, number: int) -> Iterator[tuple[str, bytes]]:
    """So many results of every kind, as gateways measure them; failures among them."""
    makers = {
        "throughput": _throughput,
        "latency": _latency,
        "host": _host,
        "service": _service,
        "device": _device,
        "port": _port,
        "network": _network,
        "inspection": _inspection,
        "lesson_stream": _lesson_stream,
        "interruption": _interruption,
    }
    for kind, make in makers.items():
        for _ in range(number):
            yield kind, encode_result(make(random))


def _common(random: Random, subject: str) -> dict[str, Any]:
    at = BEGIN + timedelta(microseconds=random.randrange(200 * 86_400_000_000))
    common = {
        "id": result_id(at, random),
        "subject": subject,
        "started_at": at,
        "boot_id": boot_id(random),
        "monotonic_seconds": round(random.uniform(0, 5e6), 6),
        "duration_seconds": round(random.expovariate(0.3), 6),
        "validity": Validity.OK,
        "school": f"s{random.randrange(1, 400):03}",
    }
    if random.random() < 0.3:
        common["clock_offset_seconds"] = round(random.gauss(0, 0.3), 6)
    return common


def _classroom(random: Random) -> str:
    return random.choice(
        ["uplink", f"c{random.randrange(101, 650)}", f"g{random.randrange(1, 7)}-{random.randrange(1, 9)}"]
    )


def _failure(random: Random) -> Failure:
    return Failure(
        random.choice(list(Operation)),
        random.choice(list(FailureKind)),
        random.choice(["", "timed out", "Connection refused"]),
    )


def _delays(random: Random) -> LatencyRecord:
    rtt = random.expovariate(300)
    sent = 20
    received = sent - (random.randrange(3) if random.random() < 0.1 else 0)
    values = (rtt, rtt * 1.1, rtt * 1.4, rtt * 2, rtt * 0.1)
    return LatencyRecord(
        random.choice(["icmp", "udp"]), sent, received, *(round(value, 9) for value in values), 1 - received / sent
    )


def _direction(random: Random, rate: float, path: Encapsulation) -> DirectionRecord:
    seconds = round(random.choice([0.105, 3.0]) * random.uniform(0.99, 1.01), 6)
    return DirectionRecord(
        goodput_bits_per_second=round(rate * 0.9413, random.choice([0, 3])),
        bytes=int(rate * seconds / 8),
        duration_seconds=seconds,
        line_rate_bits_per_second=round(rate),
        cross_traffic_bits_per_second=random.choice([None, 0.0, round(random.expovariate(1e-5), 1)]),
        warmup_seconds=random.choice([0.0, 1.0]),
        retransmits=random.choice([None, 0, random.randrange(50)]),
        confidence_ratio=random.choice([None, round(random.uniform(0.9, 1), 3)]),
        cpu_waited_ratio=random.choice([None, round(random.random() / 9, 4)]),
    )


def _measured(random: Random, subject: str) -> ThroughputRecord:
    required = 1e9 if subject == "uplink" else 1e8
    rate, path = required * random.choice([1, 1, 1, random.random()]) * random.uniform(0.99, 1), Encapsulation()
    return ThroughputRecord(
        segment="uplink" if subject == "uplink" else "classroom",
        engine="campus",
        engine_version=random.choice(["campus 0.2.1", "campus 0.3.0"]),
        required_bits_per_second=required,
        encapsulation=path,
        down=_direction(random, rate, path),
        up=_direction(random, rate, path),
        mode=random.choice(["quick", "quick", "reference"]),
        congestion_control=random.choice([None, "cubic", "bbr"]),
        idle=_delays(random),
        working=_delays(random),
        cross_traffic_bits_per_second=round(random.expovariate(1e-5), 1),
        cpu_ratio=round(random.random(), 4),
        link_speed_bits_per_second=random.choice([1e8, 1e9]),
        link_duplex="full",
        transport=random.choice(["udp", "tcp"]),
    )


def _throughput(random: Random) -> AnyResult:
    subject = _classroom(random)
    if random.random() < 0.15:
        return ThroughputResult(
            **_common(random, subject) | {"validity": Validity.ENDPOINT_OFF}, failure=_failure(random)
        )
    return ThroughputResult(**_common(random, subject), record=_measured(random, subject))


def _latency(random: Random) -> AnyResult:
    subject = _classroom(random)
    return LatencyResult(
        **_common(random, subject),
        record=LatencyProbeRecord("uplink" if subject == "uplink" else "classroom", _delays(random)),
    )


def _host(random: Random) -> AnyResult:
    record = HostRecord(
        cpu_ratio=round(random.random(), 4),
        cpu_count=random.choice([2, 4, 8]),
        load_1min=round(random.expovariate(2), 2),
        memory_total_bytes=random.choice([2_061_111_296, 4_103_208_960, 8_218_550_272]),
        memory_available_bytes=random.randrange(10**9) * 4096 // 4096,
        disk_total_bytes=31_573_901_312,
        disk_free_bytes=random.randrange(31_573_901_312),
        uptime_seconds=round(random.uniform(0, 5e6), 2),
        agent_memory_bytes=random.randrange(28_000_000, 40_000_000),
        temperature_celsius=random.choice([None, round(random.uniform(30, 70), 1)]),
        interfaces=[
            InterfaceRecord(name, True, 1e9, "full", 1500, random.randrange(10**12), random.randrange(10**12))
            for name in random.choice([["enp1s0", "enp2s0"], ["eth0", "eth1"], ["eno1"]])
        ],
    )
    return HostResult(**_common(random, "gateway"), record=record)


def _service(random: Random) -> AnyResult:
    subject, url = random.choice(
        [
            ("smartedu-cn", "https://basic.smartedu.cn/"),
            ("county", "https://edu.county.example/"),
            ("province", "https://www.province.example/"),
        ]
    )
    if random.random() < 0.1:
        return ServiceResult(**_common(random, subject), failure=_failure(random), record=ServiceRecord(url, False))
    steps = [round(random.expovariate(40), 6) for _ in range(4)]
    record = ServiceRecord(
        url,
        True,
        *steps,
        round(sum(steps), 6),
        200,
        f"192.0.2.{random.randrange(255)}",
        "ipv4",
        BEGIN + timedelta(days=random.randrange(300)),
    )
    return ServiceResult(**_common(random, subject), record=record)


def _device(random: Random) -> AnyResult:
    subject = random.choice(["cam-teacher", "cam-students", "recorder", "panel", "microphone"])
    readings = {
        "uptime_seconds": float(random.randrange(10**7)),
        "temperature_celsius": round(random.uniform(25, 70), 1),
        "storage_free_bytes": float(random.randrange(10**12)),
        "stream_bits_per_second": round(random.uniform(2e6, 8e6), 1),
        "stream_up": 1.0,
    }
    words = {
        "model": random.choice(["DS-2CD3", "IPC-HFW", "RTC-1000"]),
        "firmware": f"V{random.randrange(9)}.{random.randrange(99)}",
    }
    up = random.random() > 0.05
    chosen = random.sample(sorted(readings), random.randrange(2, 6))
    record = DeviceRecord(
        room=f"r{random.randrange(1, 4)}",
        profile=random.choice(["onvif-camera", "rtsp-camera", "snmp-host", "http-recorder"]),
        up=up,
        readings={name: readings[name] for name in chosen} if up else {},
        words=words if up else {},
        failed={} if up else {"stream_up": _failure(random)},
    )
    return DeviceResult(**_common(random, subject), failure=None if up else _failure(random), record=record)


def _port(random: Random) -> AnyResult:
    record = PortRecord(
        f"sw-{random.randrange(1, 5)}",
        f"GigabitEthernet{random.randrange(2)}/0/{random.randrange(1, 49)}",
        random.choice(["inventory", "lldp", "forwarding_table"]),
        True,
        random.choice([1e8, 1e9]),
        "full",
        300.0,
        *(random.randrange(10**10) for _ in range(3)),
        0, 0, 0, 0,
        round(random.random(), 5),
        float(random.randrange(10**7)),
    )  # fmt: skip
    return PortResult(**_common(random, _classroom(random)), record=record)


def _network(random: Random) -> AnyResult:
    def mac() -> str:
        return ":".join(f"{random.randrange(256):02x}" for _ in range(6))

    offers = [
        DhcpOffer(name, f"192.168.{random.randrange(9)}.1", mac(), f"192.168.{random.randrange(9)}.1")
        for name in random.choice([["enp2s0"], ["eth1"], ["eth1", "eth1"]])
    ]
    return NetworkResult(**_common(random, "lan"), record=NetworkRecord(offers))


def _inspection(random: Random) -> AnyResult:
    subject = f"c{random.randrange(101, 650)}"
    measured = msgspec.structs.replace(_measured(random, subject), engine="browser", transport="tcp")
    record = InspectionRecord(
        measured,
        f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{random.randrange(90, 140)}.0.0.0 Safari/537.36",
        f"192.168.{random.randrange(9)}.{random.randrange(255)}",
        random.random() < 0.7,
        *(round(random.uniform(1e7, 1e8), 1) for _ in range(2)),
        round(random.expovariate(300), 6),
    )
    return InspectionResult(**_common(random, subject), record=record)


def _lesson_stream(random: Random) -> AnyResult:
    at = BEGIN + timedelta(minutes=5 * random.randrange(200 * 288))
    line = random.choice([0.003, 0.008, 0.02, 0.045]) * random.uniform(0.8, 1.2)
    broken = [] if random.random() < 0.9 else [interruption(random, at) for _ in range(random.choice([1, 1, 2, 5]))]
    server = random.choice(["198.51.100.10", "10.8.0.5", "measure.edu.example.cn"])
    minutes = [lesson_minute(random, at + timedelta(minutes=index), line) for index in range(5)]
    record = LessonStreamRecord(server, 20, 100, random.random() < 0.8, minutes, broken)
    common = _common(random, "uplink")
    common |= {"duration_seconds": 300.0, "started_at": at + timedelta(microseconds=random.randrange(1_000_000))}
    return LessonStreamResult(**common, record=record)


def lesson_minute(random: Random, at: datetime, rtt_seconds: float) -> LessonMinute:
    """A minute of 20 packets a second on a line of this usual round trip; some of them lossy, some hardly observed."""
    if random.random() < 0.01:
        return LessonMinute(at, 0, unknown_seconds=60.0)
    shortest = rtt_seconds * random.uniform(1, 1.02)
    median = shortest * random.uniform(1.03, 1.2)
    p95 = median * random.uniform(1.05, 1.6)
    p99 = p95 * random.uniform(1.05, 2)
    longest = p99 * random.uniform(1.1, 4)
    lossy = random.random() < 0.15
    return LessonMinute(
        at,
        1200 if random.random() < 0.95 else random.randrange(900, 1202),
        random.choice([1, 1, 2, 5, random.randrange(1200)]) if lossy else 0,
        random.choice([1, 1, 2, 5, random.randrange(100)]) if lossy else 0,
        random.randrange(9) if random.random() < 0.03 else 0,
        round(random.uniform(0, 60), 1) if random.random() < 0.03 else 0,
        *(float(f"{value:.3g}") for value in (shortest, median, p95, p99, longest)),
        float(f"{shortest * random.uniform(0.01, 0.2):.2g}"),
        round(0.05 * random.choice([2, 3, 21]) if lossy else 0.05 + longest - shortest, 3),
        lan_sent=random.choice([60, 60, 120, 180, 0]),
        lan_lost=random.randrange(60) if random.random() < 0.03 else 0,
    )


def interruption(random: Random, at: datetime) -> Interruption:
    """One of 1 to 300 s near a moment; one in ten still going on."""
    began = at + timedelta(milliseconds=random.randrange(300_000))
    seconds = random.choice([random.uniform(1, 10), random.uniform(1, 300)])
    where = random.choices(["recorder", "lan", "uplink", "collector", "gateway"], [2, 1, 6, 1, 1])[0]
    return Interruption(
        result_id(began, random),
        began,
        None if random.random() < 0.1 else began + timedelta(milliseconds=int(seconds * 1000)),
        random.choice(["up", "down", "both"]),
        where,  # type: ignore[arg-type]
        int(seconds * (20 if where != "recorder" else 1)),
        random.choice(["rec-1", "rec-2", "r1-camera"]) if where == "recorder" else None,
    )


def _interruption(random: Random) -> AnyResult:
    common = _common(random, "uplink")
    return InterruptionResult(**common, record=interruption(random, common["started_at"]))
