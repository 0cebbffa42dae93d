"""The gateway itself: CPU, memory, disk, temperature, interfaces with speed, duplex and counters.

A weak or busy gateway must never be read as a slow line.
"""

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from typing import TypeVar

import msgspec

from campus_agent.measure import machine
from campus_agent.measure.link.ethtool import RUNNING, nic_settings
from campus_agent.measure.link.interface_counters import read_counters
from campus_agent.measure.link.path import LOOPBACK, link_of
from campus_agent.measure.probe import AnyFinding, Finding, Probe, ProbeFailed, Run
from campus_agent.schedule.jobs import Job
from campus_wire.failures import FailureKind, Operation
from campus_wire.records import HostRecord, InterfaceRecord

MAX_INTERFACES = 64
MARGIN_SECONDS = 5.0
T = TypeVar("T")


class HostSettings(msgspec.Struct, frozen=True):
    """The folder whose disk is measured, and over how long the CPU is averaged (0.1 to 10 s)."""

    state_dir: Path
    cpu_window_seconds: float = 1.0


async def measure(settings: HostSettings, run: Run) -> list[AnyFinding]:
    """Raises ProbeFailed where /proc gives neither processors nor memory."""
    before = machine.cpu_time()
    await asyncio.sleep(settings.cpu_window_seconds)
    cpu_ratio = machine.cpu_ratio(before, machine.cpu_time())
    memory = _answer_of(machine.memory_bytes, None)
    if cpu_ratio is None or memory is None:
        detail = "/proc/stat or /proc/meminfo could not be read: is /proc mounted?"
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, detail)
    disk = os.statvfs(_existing(settings.state_dir))
    record = HostRecord(
        cpu_ratio=min(1.0, cpu_ratio),
        cpu_count=os.cpu_count() or 1,
        load_1min=_answer_of(lambda: os.getloadavg()[0], None),
        memory_total_bytes=memory[0],
        memory_available_bytes=memory[1],
        disk_total_bytes=disk.f_blocks * disk.f_frsize,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        uptime_seconds=max(0.0, clock_gettime(CLOCK_BOOTTIME)),
        agent_memory_bytes=_answer_of(machine.resident_bytes, 0),
        temperature_celsius=_answer_of(machine.temperature_celsius, None),
        interfaces=_answer_of(_interfaces, []),
    )
    return [Finding(record)]


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
    settings, counters = nic_settings(name), read_counters(name)
    if settings is None or counters is None:
        return None
    link = link_of(name, settings)
    return InterfaceRecord(
        name=name,
        up=bool(settings.flags & RUNNING),
        speed_bits_per_second=link.speed_bits_per_second,
        duplex=link.duplex,
        mtu_bytes=link.mtu_bytes,
        received_bytes=counters.received_bytes,
        sent_bytes=counters.sent_bytes,
        receive_errors=counters.receive_errors,
        send_errors=counters.send_errors,
        receive_drops=counters.receive_drops,
        send_drops=counters.send_drops,
    )


PROBE = Probe(
    name="host",
    kind="host",
    jobs=lambda config: [Job("host", "gateway", config.cycle.host_seconds, on_blackout="measure")],
    settings=lambda config, subject, max_bytes: HostSettings(config.state_dir),
    measure=measure,
    deadline_seconds=lambda settings: settings.cpu_window_seconds + MARGIN_SECONDS,
)
