"""How is the gateway itself? CPU, memory, disk, temperature, interfaces with speed, duplex and counters.

Asked because a weak or busy gateway must never be read as a slow line.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from typing import TypeVar

from campus_agent.measure import machine
from campus_agent.measure.link.ethtool import RUNNING, nic_settings
from campus_agent.measure.link.interface_counters import LOOPBACK, link_of
from campus_agent.measure.link.netlink import counters_of
from campus_agent.measure.probe import Finding, Probe, ProbeFailed, Run
from campus_wire.failures import FailureKind, Operation
from campus_wire.records import HostRecord, HostResult, InterfaceRecord

MAX_INTERFACES = 64
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """Whose disk to look at, and over how long the CPU is averaged (0.1 to 10 s)."""

    state_dir: Path
    cpu_window_seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Raw:
    """What the kernel answered about processors, memory, storage and interfaces."""

    cpu_ratio: float
    cpu_count: int
    load_1min: float | None
    memory_total_bytes: int
    memory_available_bytes: int
    disk_total_bytes: int
    disk_free_bytes: int
    uptime_seconds: float
    agent_memory_bytes: int
    temperature_celsius: float | None
    interfaces: tuple[InterfaceRecord, ...]


def deadline_seconds(settings: Settings) -> float:
    """The longest a run may take."""
    return settings.cpu_window_seconds + 5.0


async def measure(settings: Settings, run: Run) -> Raw:
    """Ask the system, the CPU over a window."""
    before = machine.cpu_time()
    await asyncio.sleep(settings.cpu_window_seconds)
    busy = machine.cpu_ratio(before, machine.cpu_time())
    memory = _answer_of(machine.memory_bytes, None)
    if busy is None or memory is None:
        detail = "/proc/stat or /proc/meminfo could not be read: is /proc mounted?"
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)
    disk = os.statvfs(_existing(settings.state_dir))
    return Raw(
        cpu_ratio=busy,
        cpu_count=os.cpu_count() or 1,
        load_1min=_answer_of(lambda: os.getloadavg()[0], None),
        memory_total_bytes=memory[0],
        memory_available_bytes=memory[1],
        disk_total_bytes=disk.f_blocks * disk.f_frsize,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        uptime_seconds=clock_gettime(CLOCK_BOOTTIME),
        agent_memory_bytes=_answer_of(machine.resident_bytes, 0),
        temperature_celsius=_answer_of(machine.temperature_celsius, None),
        interfaces=tuple(_answer_of(_interfaces, [])),
    )


def interpret(raw: Raw) -> Finding:
    """Ratios instead of percent; nothing negative."""
    record = HostRecord(
        cpu_ratio=min(1.0, raw.cpu_ratio),
        cpu_count=raw.cpu_count,
        load_1min=raw.load_1min,
        memory_total_bytes=raw.memory_total_bytes,
        memory_available_bytes=raw.memory_available_bytes,
        disk_total_bytes=raw.disk_total_bytes,
        disk_free_bytes=raw.disk_free_bytes,
        uptime_seconds=max(0.0, raw.uptime_seconds),
        agent_memory_bytes=raw.agent_memory_bytes,
        temperature_celsius=raw.temperature_celsius,
        interfaces=list(raw.interfaces),
    )
    return Finding(record=record)


def _answer_of(ask: Callable[[], T], absent: T) -> T:
    """The answer, or `absent`: a system with an odd /proc or /sys gives the rest all the same."""
    try:
        return ask()
    except (OSError, ValueError, LookupError, RuntimeError, NotImplementedError, AttributeError):
        return absent


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _interfaces() -> list[InterfaceRecord]:
    names = sorted(name for _, name in socket.if_nameindex() if name != LOOPBACK)
    records = (_interface(name) for name in names[:MAX_INTERFACES])
    return [record for record in records if record is not None]


def _interface(name: str) -> InterfaceRecord | None:
    """None when it is gone, or counts nothing."""
    settings, counters = nic_settings(name), counters_of(name)
    if settings is None or counters is None:
        return None
    link = link_of(name, settings)
    return InterfaceRecord(
        name=name,
        up=bool(settings.flags & RUNNING),
        speed_bits_per_second=link.speed_bits_per_second,
        duplex=link.duplex,
        mtu_bytes=link.mtu_bytes,
        received_bytes=counters.received_octets,
        sent_bytes=counters.sent_octets,
        receive_errors=counters.receive_errors,
        send_errors=counters.send_errors,
        receive_drops=counters.receive_drops,
        send_drops=counters.send_drops,
    )


PROBE = Probe(
    name="host",
    version=1,
    settings=Settings,
    measure=measure,
    interpret=interpret,
    deadline_seconds=deadline_seconds,
    result=HostResult,
)
