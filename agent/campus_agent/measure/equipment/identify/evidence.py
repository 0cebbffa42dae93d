"""What the worker that identifies a device is asked, what is known of the device, and the answer."""

import msgspec

from campus_agent.measure.equipment.readings import Value
from campus_wire.failures import Failure


class IdentifyTask(msgspec.Struct, frozen=True):
    """A device (`host`), or what somebody recorded of one (`walk_file`, `capture_file`).

    `snmp`, `rtsp`, `onvif` are as in agent.toml, files with whole paths; empty: asked without credentials. `language` is that of the
    draft's comments, `name` the draft's title.
    """

    name: str
    host: str | None = None
    walk_file: str | None = None
    capture_file: str | None = None
    snmp: dict[str, str] = {}
    rtsp: dict[str, str] = {}
    onvif: dict[str, str] = {}
    profile_folder: str | None = None
    time_zone: str = "Asia/Shanghai"
    language: str = "en"


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """Whether a device speaks a protocol, what it said (`detail`), or why it did not."""

    protocol: str
    speaks: bool
    detail: str = ""
    failure: Failure | None = None


class Evidence(msgspec.Struct):
    """All that is known of a device. `readings` are those that did not come by SNMP; `stream_path`: of its live stream, with the query."""

    answers: dict[str, Answered] = {}
    objects: dict[str, Value] = {}
    readings: dict[str, float | str] = {}
    ports: list[int] = []
    stream_path: str = ""
    notes: list[str] = []

    def speaks(self, protocol: str) -> bool:
        answer = self.answers.get(protocol)
        return answer is not None and answer.speaks


class Fit(msgspec.Struct, frozen=True):
    """How well a profile fits: the readings the device gives by it, and those it lacks though the profile needs them."""

    profile: str
    readings: dict[str, float | str]
    missing: tuple[str, ...]
    unconfirmed: tuple[str, ...] = ()
    """What the profile reads by a protocol that the device speaks, without credentials here to see it."""


class Identified(msgspec.Struct, frozen=True):
    """The worker's answer; the best fit first. `draft` is a whole TOML file."""

    answers: list[Answered]
    ports: list[int]
    objects: int
    fits: list[Fit]
    draft: str
    unknown: list[str]
    notes: list[str]
