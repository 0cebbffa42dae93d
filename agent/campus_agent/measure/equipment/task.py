"""What the worker for equipment is asked and what it answers."""

import msgspec

from campus_wire.failures import Failure


class DeviceSpec(msgspec.Struct, frozen=True):
    """One device to ask. `snmp`, `rtsp`, `onvif` are as in agent.toml, files with whole paths; empty: not to be asked so."""

    id: str
    host: str
    profile: str
    snmp: dict[str, str] = {}
    rtsp: dict[str, str] = {}
    onvif: dict[str, str] = {}


class DevicesTask(msgspec.Struct, frozen=True):
    """A poll round. `time_zone` is the school's: some devices give local time without saying so."""

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
