"""The machine itself as Linux reports it: processors, memory, the hottest sensor (proc(5), Documentation/hwmon/sysfs-interface.rst)."""

import os
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

QUIET_CHECK_SECONDS = 1.0
"""How long the gateway's CPU and interface are watched before a load: whoever else uses them is seen."""
_IDLE, _IOWAIT, _GUEST = 3, 4, 8
"""Columns of the `cpu` line of /proc/stat; what follows the eighth is counted in the first two already."""
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_MAX_SENSORS = 256
_POSSIBLE_CELSIUS = 200.0


class CpuTime(NamedTuple):
    """All processors' time since boot in clock ticks. `idle` holds the waits for disks."""

    total: int
    idle: int


def cpu_time() -> CpuTime | None:
    """The counts now; None where the system gives none."""
    with suppress(OSError, ValueError, IndexError), open("/proc/stat", encoding="ascii", errors="replace") as file:
        columns = [int(column) for column in file.readline().split()[1 : _GUEST + 1]]
        return CpuTime(sum(columns), columns[_IDLE] + columns[_IOWAIT])
    return None


def cpu_ratio(before: CpuTime | None, after: CpuTime | None) -> float | None:
    """The share of all processors' time between two readings that was not idle, 0 to 1; None where nothing is known."""
    if before is None or after is None or after.total <= before.total:
        return None
    return min(1.0, max(0.0, 1 - (after.idle - before.idle) / (after.total - before.total)))


def cpu_over_limit(ratio: float, limit: float) -> str:
    """A load above its limit in words, with as many decimals as show that it is above."""
    decimals = next((n for n in range(6) if float(f"{ratio * 100:.{n}f}") > limit * 100), 6)
    return f"CPU {ratio:.{decimals}%}, limit {limit * 100:g}%"


def memory_bytes() -> tuple[int, int]:
    """Total and available. Raises OSError or LookupError where the system gives none."""
    with open("/proc/meminfo", encoding="ascii", errors="replace") as file:
        figures = {name: int(rest.split()[0]) * 1024 for name, _, rest in (line.partition(":") for line in file)}
    return figures["MemTotal"], figures["MemAvailable"]


def resident_bytes() -> int:
    """Of this process. Raises OSError."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * _PAGE_BYTES


def temperature_celsius() -> float | None:
    """The hottest sensor, where the machine has any: its chips' sensors, or the thermal zones of a board without."""
    sys = Path("/sys/class")
    for pattern in ("hwmon/hwmon*/temp*_input", "hwmon/hwmon*/device/temp*_input", "thermal/thermal_zone*/temp"):
        readings = [_celsius(path) for path, _ in zip(sys.glob(pattern), range(_MAX_SENSORS), strict=False)]
        hottest = max((reading for reading in readings if reading is not None), default=None)
        if hottest is not None:
            return hottest
    return None


def _celsius(path: Path) -> float | None:
    """A sensor that fails when it is read, or gives what no sensor can see, is left out."""
    try:
        celsius = int(path.read_text(encoding="ascii", errors="replace")[:32]) / 1000
    except (OSError, ValueError):
        return None
    return celsius if -100 < celsius < _POSSIBLE_CELSIUS else None
