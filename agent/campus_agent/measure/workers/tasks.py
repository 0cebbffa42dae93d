"""What workers are told and what they answer: apart from the workers, which load what the resident agent must not."""

import msgspec

from campus_agent.discover.found import Task as DiscoverTask
from campus_agent.engine.waiting import Waiting
from campus_agent.ports.reading import PortsTask
from campus_wire.failures import Failure, Validity
from campus_wire.records import Segment, ThroughputRecord

CONGESTION_CONTROL = "cubic"  # BBR hides standing queues, and a result must not depend on a gateway's default


class Iperf3Task(msgspec.Struct, frozen=True):
    """What to do. `reverse`: the server sends. `max_bits_per_second` of goodput, 0: as fast as it goes."""

    host: str
    port: int
    duration_seconds: int
    warmup_seconds: int
    reverse: bool
    interval_seconds: float = 0.5
    max_bits_per_second: int = 0


METER_SECONDS = 0.1
"""How often a worker says what has passed."""


class Meter(msgspec.Struct, frozen=True):
    """How many octets of payload had passed, by the kernel's count, at a moment of the machine's monotonic clock (seconds)."""

    payload_bytes: int
    at: float = 0.0


class Observed(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the kernel saw of a load after its warm-up: segments a second, slot by slot of `slot_seconds`; who waited for a processor."""

    segments_per_second: list[float] = []
    slot_seconds: float = 0.0
    waiting: Waiting = Waiting()


class CampusTask(msgspec.Struct, frozen=True):
    """What to do; the key is read here, from its file, and goes nowhere else. `vlan_tags`, `pppoe`: what each frame carries on the way."""

    host: str
    port: int
    segment: Segment
    required_bits_per_second: float
    tolerance_ratio: float
    deadline_seconds: float
    key_file: str | None
    max_bytes: int | None = None
    max_cross_traffic_ratio: float | None = None
    vlan_tags: int = 0
    pppoe: bool = False


class CampusAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the engine concluded."""

    record: ThroughputRecord | None
    validity: Validity
    failure: Failure | None = None
    detail: str = ""


class DeviceSpec(msgspec.Struct, frozen=True):
    """One device to ask. `snmp`, `rtsp`, `onvif` are as in agent.toml, files with whole paths; empty: not to be asked so."""

    id: str
    host: str
    profile: str
    snmp: dict[str, str] = {}
    rtsp: dict[str, str] = {}
    onvif: dict[str, str] = {}


class DevicesTask(msgspec.Struct, frozen=True):
    """A poll round. `time_zone` is the school's: some devices tell local time without saying so."""

    devices: list[DeviceSpec]
    profile_folder: str | None = None
    time_zone: str = "Asia/Shanghai"


class DeviceSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a device said. `failure`: why it is down; `failed`: readings that did not come, by name."""

    id: str
    up: bool
    failure: Failure | None = None
    readings: dict[str, float] = {}
    words: dict[str, str] = {}
    failed: dict[str, Failure] = {}
    remarks: list[str] = []
    seconds: float = 0.0


class DevicesAnswer(msgspec.Struct, frozen=True):
    """All of a round, in the order asked."""

    seen: list[DeviceSeen]


TASKS: dict[str, type[msgspec.Struct]] = {
    "iperf3": Iperf3Task,
    "campus": CampusTask,
    "devices": DevicesTask,
    "ports": PortsTask,
    "discover": DiscoverTask,
}
"""What each worker reads, by its name."""
