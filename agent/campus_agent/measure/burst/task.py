"""What the burst worker is asked and what it answers."""

import msgspec

from campus_wire.failures import Failure, Validity
from campus_wire.records import Segment, ThroughputRecord


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
