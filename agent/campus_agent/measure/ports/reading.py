"""A worker's task and answer about ports, and the part of it that is remembered between polls."""

from typing import Literal

import msgspec

from campus_wire.failures import Failure

FoundBy = Literal["inventory", "lldp", "forwarding_table"]


class PortQuery(msgspec.Struct, frozen=True):
    """A classroom whose port is looked for: its address, and what the inventory says (both may be empty)."""

    subject: str
    host: str
    switch: str = ""
    port: str = ""


class PortLocation(msgspec.Struct, frozen=True):
    """The port that a classroom is connected to: a switch's id, the port's ifIndex, and who says so. `mac` shows when it is another machine."""

    switch: str
    if_index: int
    found_by: FoundBy
    mac: str = ""


class SwitchSpec(msgspec.Struct, frozen=True):
    """A switch to ask; `snmp` as in agent.toml, files with whole paths."""

    id: str
    host: str
    snmp: dict[str, str]


class PortsTask(msgspec.Struct, frozen=True):
    """A round: the places known from earlier rounds need no search."""

    switches: list[SwitchSpec]
    queries: list[PortQuery]
    locations: dict[str, PortLocation] = {}


class PortReading(msgspec.Struct, frozen=True, omit_defaults=True):
    """A port at one moment: states, and counters as they stand (64 bits wide, or 32). Ticks are hundredths of a second of the switch's uptime."""

    name: str
    up: bool
    speed_bits_per_second: float | None
    duplex: Literal["full", "half"] | None
    uptime_ticks: int
    last_change_ticks: int | None = None
    discontinuity_ticks: int | None = None
    octet_bits: int = 64
    received_octets: int | None = None
    sent_octets: int | None = None
    packet_bits: int = 64
    received_packets: int | None = None
    receive_errors: int | None = None
    send_errors: int | None = None
    fcs_errors: int | None = None
    late_collisions: int | None = None


class PortSeen(msgspec.Struct, frozen=True, omit_defaults=True):
    """One classroom's port, or why there is none."""

    subject: str
    location: PortLocation | None = None
    reading: PortReading | None = None
    failure: Failure | None = None
    seconds: float = 0.0


class PortsAnswer(msgspec.Struct, frozen=True):
    """An answer for each query, in that order; a classroom whose port is not known has neither location nor failure."""

    seen: list[PortSeen]
