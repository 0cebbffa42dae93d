"""How is the gateway itself? CPU, memory, disk, temperature, interfaces with speed, duplex and counters (psutil).

Asked because a weak or busy gateway must never be read as a slow line.
"""

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import CLOCK_BOOTTIME, clock_gettime
from typing import Any, TypeVar

import psutil

from campus_agent.measure.link import Link, describe
from campus_agent.measure.probe import Finding, Probe, Run
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
    """What the system told."""

    cpu_percent: float
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
    psutil.cpu_percent(None)
    await asyncio.sleep(settings.cpu_window_seconds)
    memory = psutil.virtual_memory()
    disk = os.statvfs(_existing(settings.state_dir))
    return Raw(
        cpu_percent=psutil.cpu_percent(None),
        cpu_count=psutil.cpu_count() or 1,
        load_1min=_told(lambda: os.getloadavg()[0], None),
        memory_total_bytes=memory.total,
        memory_available_bytes=memory.available,
        disk_total_bytes=disk.f_blocks * disk.f_frsize,
        disk_free_bytes=disk.f_bavail * disk.f_frsize,
        uptime_seconds=clock_gettime(CLOCK_BOOTTIME),
        agent_memory_bytes=psutil.Process().memory_info().rss,
        temperature_celsius=_told(_temperature, None),
        interfaces=tuple(_told(_interfaces, [])),
    )


def interpret(raw: Raw) -> Finding:
    """Ratios instead of percent; nothing negative."""
    record = HostRecord(
        cpu_ratio=min(1.0, raw.cpu_percent / 100),
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


def _told(ask: Callable[[], T], absent: T) -> T:
    """What a system tells; one with an odd /proc or /sys tells the rest all the same."""
    try:
        return ask()
    except (OSError, ValueError, LookupError, RuntimeError, NotImplementedError, AttributeError):
        return absent


def _existing(folder: Path) -> Path:
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder


def _temperature() -> float | None:
    """The hottest sensor, where the machine has any."""
    sensors: dict[str, Any] = getattr(psutil, "sensors_temperatures", dict)()
    found = [reading.current for group in sensors.values() for reading in group if -100 < reading.current < 200]
    return max(found, default=None)


def _interfaces() -> list[InterfaceRecord]:
    counters = psutil.net_io_counters(pernic=True)
    stats = psutil.net_if_stats()
    records = []
    for name in sorted(counters)[:MAX_INTERFACES]:
        link: Link | None = describe(name)
        if name == "lo" or link is None:
            continue
        seen = counters[name]
        records.append(
            InterfaceRecord(
                name=name,
                up=stats[name].isup if name in stats else False,
                speed_bits_per_second=link.speed_bits_per_second,
                duplex=link.duplex,
                mtu_bytes=link.mtu_bytes,
                received_bytes=seen.bytes_recv,
                sent_bytes=seen.bytes_sent,
                receive_errors=seen.errin,
                send_errors=seen.errout,
                receive_drops=seen.dropin,
                send_drops=seen.dropout,
            )
        )
    return records


PROBE = Probe(
    name="host",
    version=1,
    settings=Settings,
    measure=measure,
    interpret=interpret,
    deadline_seconds=deadline_seconds,
    result=HostResult,
)
