"""What the system says of itself, against psutil, which reads the same of the kernel by its own code."""

import os
import socket

import psutil
import pytest

from campus_agent.measure.link.ethtool import RUNNING, nic_settings
from campus_agent.measure.link.interface_counters import read_counters
from campus_agent.measure.link.rtnetlink import ipv4_addresses
from campus_agent.measure.machine import CpuTime, cpu_ratio, cpu_time, memory_bytes, resident_bytes, temperature_celsius


@pytest.mark.parametrize(
    ("before", "after", "ratio"),
    [
        (CpuTime(0, 0), CpuTime(100, 75), 0.25),
        (CpuTime(0, 0), CpuTime(100, 0), 1.0),
        (CpuTime(100, 50), CpuTime(200, 40), 1.0),  # iowait may go backwards (proc(5))
        (CpuTime(0, 0), CpuTime(0, 0), None),
        (CpuTime(100, 50), CpuTime(90, 40), None),
        (None, CpuTime(100, 50), None),
        (CpuTime(100, 50), None, None),
    ],
)
def test_cpu_is_what_was_not_idle(before: CpuTime | None, after: CpuTime | None, ratio: float | None) -> None:
    assert cpu_ratio(before, after) == ratio


def test_processors_and_memory() -> None:
    before, truth, after = cpu_time(), psutil.cpu_times(), cpu_time()
    assert before is not None
    assert after is not None
    ticks = os.sysconf("SC_CLK_TCK")
    idle, total = truth.idle + truth.iowait, sum(truth) - truth.guest - truth.guest_nice
    assert before.idle - 2 <= idle * ticks <= after.idle + 2
    assert before.total - 2 <= total * ticks <= after.total + 8
    total_bytes, available = memory_bytes()
    assert total_bytes == psutil.virtual_memory().total
    assert 0 < available < total_bytes
    assert 0 < resident_bytes() < available
    assert temperature_celsius() is None or -100 < temperature_celsius() < 200  # type: ignore[operator]


def test_every_interface_of_this_machine() -> None:
    stats, addresses = psutil.net_if_stats(), psutil.net_if_addrs()
    before = psutil.net_io_counters(pernic=True, nowrap=False)
    for _, name in socket.if_nameindex():
        settings, counters = nic_settings(name), read_counters(name)
        assert settings is not None
        assert counters is not None
        assert settings.mtu_bytes == stats[name].mtu
        assert bool(settings.flags & RUNNING) == stats[name].isup
        assert (settings.speed_bits_per_second or 0.0) == stats[name].speed * 1e6
        duplex = {True: psutil.NIC_DUPLEX_FULL, False: psutil.NIC_DUPLEX_HALF, None: psutil.NIC_DUPLEX_UNKNOWN}
        assert duplex[settings.full_duplex] == stats[name].duplex
        assert counters.received_bytes >= before[name].bytes_recv
        assert counters.sent_packets >= before[name].packets_sent
        known = {item.address for item in addresses.get(name, []) if item.family == socket.AF_INET}
        assert known <= {address.partition("/")[0] for address in ipv4_addresses(name)}


@pytest.mark.parametrize("name", ["nowhere0", "", "a-name-of-more-than-fifteen-letters", "\udcff", "\x00"])
def test_no_such_interface(name: str) -> None:
    assert nic_settings(name) is None
    assert read_counters(name) is None
