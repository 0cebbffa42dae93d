"""What the agents of a simulated county would report in a month. Pure: county, days and seed in, results out, school by school.

Healthy tests fail 2 % of the time; `noise` classrooms pass four of five, so that either verdict is right for them.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from itertools import count
from random import Random
from zoneinfo import ZoneInfo

from campus_collector.domain.inventory import Classroom, InventorySchool, InventoryService
from campus_collector.judge.policy import Policy
from campus_collector.simulate import LABEL
from campus_collector.simulate.county import NO_FAULT, County
from campus_collector.simulate.lessons import LessonStream
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import (
    AgentState,
    AnyResult,
    DirectionRecord,
    HostRecord,
    HostResult,
    LatencyRecord,
    PortRecord,
    PortResult,
    RoomRecord,
    RoomResult,
    ServiceRecord,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
)
from campus_wire.version import VERSION

PATH = Encapsulation()
TEST_SERVER = "test-server.example"
"""What the simulated uplinks are tested against."""
HEALTHY_FAILS = 0.02
DAY_MINUTES = 24 * 60
FAULTS_OF_PORTS = ("port_speed_10", "half_duplex", "cable_errors")
BREAKS = (time(7, 40), time(9, 45), time(10, 40), time(12, 10), time(15, 20), time(16, 15))
BUCKET_RATIO = 1.6
HOST = HostRecord(0.1, 4, 0.2, 2_000_000_000, 1_200_000_000, 16_000_000_000, 9_000_000_000, 1e6, 34_000_000)

OS = LABEL


@dataclass(frozen=True, slots=True)
class Frequency:
    """So many tests of each subject on a school day; so many minutes between what is asked all day. The defaults are those of agents."""

    classroom_tests: int = 12
    port_readings: int = 4
    uplink_tests: int = 6
    service_minutes: int = 15
    room_minutes: int = 5
    host_minutes: int = 10
    first_minute: int = 0
    last_minute: int = DAY_MINUTES
    healthy_ports_share: float = 1.0
    """Of the readings of ports that have no fault."""
    lesson_stream_since: date | None = None
    """The lesson stream runs in school hours from this day on; None: it does not."""

    def thinned(self, density: float) -> "Frequency":
        """So large a share of it, and at least one of each a day; a stream is there or not."""

        def tests(number: int) -> int:
            return max(1, round(number * density))

        def minutes(number: int) -> int:
            return max(1, round(number / density))

        return replace(
            self,
            classroom_tests=tests(self.classroom_tests),
            port_readings=tests(self.port_readings),
            uplink_tests=tests(self.uplink_tests),
            service_minutes=minutes(self.service_minutes),
            room_minutes=minutes(self.room_minutes),
            host_minutes=minutes(self.host_minutes),
            lesson_stream_since=self.lesson_stream_since if density >= 1 else None,
        )

    def minutes(self, between: int) -> range:
        """Of a day, at which something is asked."""
        return range(self.first_minute, self.last_minute, between)


@dataclass(frozen=True, slots=True)
class _Idle:
    """Round trips of a segment: seconds idle, 95 % under load, jitter, loss."""

    rtt: float = 0.001
    loaded: float = 0.012
    jitter: float = 0.0001
    loss: float = 0.0

    def records(self, random: Random) -> tuple[LatencyRecord, LatencyRecord]:
        rtt, loaded = self.rtt * random.uniform(0.9, 1.1), self.loaded * random.uniform(0.9, 1.1)
        idle = LatencyRecord(
            "icmp", 20, round(20 * (1 - self.loss)), rtt * 0.9, rtt, rtt * 1.3, rtt * 1.5, self.jitter, self.loss
        )
        working = LatencyRecord("icmp", 20, 20, rtt, loaded * 0.8, loaded, loaded * 1.1, self.jitter * 4, self.loss)
        return idle, working


class Generator:
    """The results of one school."""

    def __init__(
        self, county: County, school: InventorySchool, policy: Policy, zone: ZoneInfo, seed: int, frequency: Frequency
    ) -> None:
        self._county, self.school, self._policy, self._zone = county, school, policy, zone
        self._random = Random(f"{seed}/{school.id}")
        self._frequency = frequency
        self._lessons = LessonStream(school.id, TEST_SERVER, seed, zone, policy.school_hours)
        self._numbers = count(1)
        self._prefix = f"sim-{seed}-{school.id}"
        self._rooms = [room for room in county.inventory.classrooms or () if room.school == school.id]

    def agent_state(self) -> AgentState:
        """What the gateway says of itself: each fourth classroom has a stock iperf3."""
        iperf3 = [room.id for number, room in enumerate(self._rooms) if number % 4 == 3 and room.host]
        campus = [room.id for room in self._rooms if room.id not in iperf3 and room.host]
        endpoints = {engine: rooms for engine, rooms in (("campus", campus), ("iperf3", iperf3)) if rooms}
        return AgentState(
            VERSION, OS, clock_offset_seconds=0.0, disk_free_bytes=HOST.disk_free_bytes, endpoints=endpoints
        )

    def is_silent(self, day: date) -> bool:
        """Does the gateway report nothing on this day?"""
        fault = self._county.schools.get(self.school.id, NO_FAULT)
        return fault.name == "agent_silent" and fault.on(day)

    def day(self, day: date) -> Iterator[AnyResult]:
        fault = self._county.schools.get(self.school.id, NO_FAULT)
        if self.is_silent(day):
            return
        prefix = f"{self._prefix}-{day:%Y%m%d}"
        self._numbers = count(1)
        self._day_prefix = prefix
        if self._policy.is_school_day(day):
            for room in self._rooms:
                yield from self._classroom(room, day)
            yield from self._uplink(day, fault.name if fault.on(day) else "")
            since = self._frequency.lesson_stream_since
            if since is not None and since <= day:
                is_late = fault.name == "uplink_delay" and fault.on(day)
                yield from self._lessons.day(day, is_late=is_late)
        for service in self._county.inventory.services or ():
            if service.town in ("", self.school.town):
                yield from self._service(service, day, fault.name if fault.on(day) else "")
        if self.school.town_seat:
            yield from self._recording_room(day)
        yield from self._host(day)

    def _times(self, number: int) -> list[time]:
        return [BREAKS[n % len(BREAKS)] for n in range(number)]

    def _stamp(self, day: date, at: time, subject: str, seconds: float) -> dict[str, object]:
        local = datetime.combine(day, at, self._zone) + timedelta(seconds=self._random.uniform(0, 550))
        number = next(self._numbers)
        return {
            "id": f"{self._day_prefix}-{number}",
            "subject": subject,
            "school": self.school.id,
            "started_at": local.astimezone(ZoneInfo("UTC")),
            "boot_id": LABEL,
            "monotonic_seconds": float(number),
            "duration_seconds": seconds,
        }

    def _classroom(self, room: Classroom, day: date) -> Iterator[AnyResult]:
        if room.exempt_reason:
            return
        fault = self._county.of_classroom(room, day)
        if fault == "too_few" and day.day > 2:
            return
        for at in self._times(self._frequency.classroom_tests):
            yield self._test(room.id, "classroom", 100e6, fault, day, at)
        share = 1.0 if fault in FAULTS_OF_PORTS else self._frequency.healthy_ports_share
        for at in self._times(self._frequency.port_readings):
            if share == 1.0 or self._random.random() < share:
                yield self._port(room.id, fault, day, at)

    def _uplink(self, day: date, fault: str) -> Iterator[AnyResult]:
        for at in self._times(self._frequency.uplink_tests):
            yield self._test("uplink", "uplink", 1e9, fault if fault.startswith("uplink") else "", day, at)

    def _test(self, subject: str, segment: str, required: float, fault: str, day: date, at: time) -> ThroughputResult:
        stamp = self._stamp(day, at, subject, 0.2)
        broken = self._unmeasured(fault, stamp)
        if broken is not None:
            return broken
        rate, burst, idle = self._line(fault, required)
        before, during = idle.records(self._random)
        down, up = (self._direction(rate * self._random.uniform(0.998, 1.0), burst) for _ in range(2))
        record = ThroughputRecord(
            segment=segment,  # type: ignore[arg-type]
            engine="campus",
            engine_version=LABEL,
            required_bits_per_second=required,
            encapsulation=PATH,
            down=down,
            up=up,
            idle=before,
            working=during,
            cpu_ratio=0.95 if fault == "gateway_busy" else 0.2,
            cross_traffic_bits_per_second=0.0,
            link_speed_bits_per_second=1e9,
            link_duplex="full",
            transport="udp",
            server=TEST_SERVER if segment == "uplink" else None,
        )
        validity = Validity.GATEWAY_CPU if fault == "gateway_busy" else Validity.OK
        return ThroughputResult(**stamp, validity=validity, record=record)  # type: ignore[arg-type]

    def _unmeasured(self, fault: str, stamp: dict[str, object]) -> ThroughputResult | None:
        if fault in ("endpoint_off", "all_endpoints_off"):
            failure = Failure(Operation.CONNECT, FailureKind.TIMEOUT)
            return ThroughputResult(
                **stamp, validity=Validity.ENDPOINT_OFF, failure=failure, skipped=SkipReason.ENDPOINT_OFF  # type: ignore[arg-type]
            )  # fmt: skip
        if fault == "endpoint_not_running":
            failure = Failure(Operation.CONNECT, FailureKind.CONNECTION_REFUSED)
            return ThroughputResult(**stamp, validity=Validity.NOT_MEASURED, failure=failure)  # type: ignore[arg-type]
        return None

    def _line(self, fault: str, required: float) -> tuple[float, float | None, _Idle]:
        """The rate a test finds, its burst, its round trips."""
        random = self._random
        healthy = required if random.random() >= HEALTHY_FAILS else required * random.uniform(0.5, 0.9)
        if fault in ("port_speed_10", "half_duplex"):
            return 10e6 if fault == "port_speed_10" else random.uniform(4e6, 9e6), None, _Idle()
        if fault == "cable_errors":
            return random.uniform(20e6, 90e6), None, _Idle(loss=0.002)
        if fault in ("shaped", "uplink_shaped"):
            return 0.5 * required, 0.5 * required * BUCKET_RATIO, _Idle()
        if fault == "flat_rate":
            return 80e6, None, _Idle()
        if fault == "uplink_flat":
            return 500e6, None, _Idle()
        if fault == "uplink_bottleneck":
            return 60e6, None, _Idle()
        if fault == "shared_bottleneck":
            return 70e6, None, _Idle()
        if fault == "wireless_or_cable":
            return random.uniform(20e6, 95e6), None, _Idle(rtt=0.004, jitter=0.009, loss=0.01)
        if fault == "overloaded_line":
            return random.uniform(30e6, 90e6), None, _Idle(loaded=0.25)
        if fault == "unstable_rate":
            return random.uniform(40e6, 95e6), None, _Idle()
        if fault == "uplink_delay":
            return healthy, None, _Idle(rtt=0.01, loaded=0.3)
        if fault == "noise":
            return required if random.random() < 0.8 else 0.7 * required, None, _Idle()
        return healthy, None, _Idle(rtt=0.008, loaded=0.03) if required > 5e8 else _Idle()

    def _direction(self, rate: float, burst: float | None) -> DirectionRecord:
        seconds = 0.105
        return DirectionRecord(
            goodput_bits_per_second=round(goodput_from_line_rate(rate, PATH)),
            bytes=round(rate * seconds / 8),
            duration_seconds=seconds,
            line_rate_bits_per_second=round(rate),
            burst_line_rate_bits_per_second=burst,
        )

    def _port(self, subject: str, fault: str, day: date, at: time) -> PortResult:
        off = fault in ("endpoint_off", "all_endpoints_off")
        errors = self._random.randrange(40, 400) if fault == "cable_errors" else 0
        record = PortRecord(
            switch="sw-1",
            port=f"GigabitEthernet0/0/{abs(hash(subject)) % 48 + 1}",
            found_by="inventory",
            up=not off,
            speed_bits_per_second=None if off else 10e6 if fault in ("port_speed_10", "half_duplex") else 1e9,
            duplex=None if off else "half" if fault == "half_duplex" else "full",
            interval_seconds=300.0,
            received_packets=20_000,
            receive_errors=errors,
            fcs_errors=errors,
        )
        return PortResult(**self._stamp(day, at, subject, 0.1), validity=Validity.OK, record=record)  # type: ignore[arg-type]

    def _service(self, service: InventoryService, day: date, fault: str) -> Iterator[ServiceResult]:
        slow = fault == "platform_slow" and service.id == "county"
        for minute in self._frequency.minutes(self._frequency.service_minutes):
            stamp = self._stamp(day, time(minute // 60, minute % 60), service.id, 0.2)
            if fault == "dns":
                failure = Failure(Operation.RESOLVE, FailureKind.NAME_NOT_FOUND)
                record = ServiceRecord(service.url, False, 0.02)
            else:
                failure = None
                first = self._random.uniform(1.2, 2.5) if slow else self._random.uniform(0.05, 0.3)
                record = ServiceRecord(service.url, True, 0.01, 0.02, 0.03, first, first + 0.1, 200)
            yield ServiceResult(**stamp, validity=Validity.OK, failure=failure, record=record)  # type: ignore[arg-type]

    def _recording_room(self, day: date) -> Iterator[RoomResult]:
        fault = self._county.rooms.get(self.school.id, NO_FAULT)
        name = fault.name if fault.on(day) else ""
        if name == "no_reports":
            return
        for minute in self._frequency.minutes(self._frequency.room_minutes):
            up = not (name == "recorder_down" and self._random.random() < 0.4)
            at = time(minute // 60, minute % 60)
            for subject, down in (("r1", "rec-1"), ("recording_room", "r1")):
                record = RoomRecord(up, 3 if subject == "r1" else 1, [] if up else [down])
                yield RoomResult(**self._stamp(day, at, subject, 0.0), validity=Validity.OK, record=record)  # type: ignore[arg-type]

    def _host(self, day: date) -> Iterator[HostResult]:
        for minute in self._frequency.minutes(self._frequency.host_minutes):
            stamp = self._stamp(day, time(minute // 60, minute % 60), "gateway", 0.0)
            yield HostResult(**stamp, validity=Validity.OK, record=HOST)  # type: ignore[arg-type]

    def host_at(self, moment: datetime) -> HostResult:
        """What the gateway says of itself at any moment."""
        return HostResult(
            id=f"{self._prefix}-host-{moment:%Y%m%d%H%M%S}",
            subject="gateway",
            school=self.school.id,
            started_at=moment,
            boot_id=LABEL,
            monotonic_seconds=moment.timestamp(),
            duration_seconds=0.0,
            validity=Validity.OK,
            record=HOST,
        )
