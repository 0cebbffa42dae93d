"""The gateway's own state, from the real system and from figures made to measure."""

import asyncio
from pathlib import Path

import pytest

from campus_agent.measure.probe import Run
from campus_agent.measure.probes import host


def test_the_real_system(tmp_path: Path) -> None:
    settings = host.HostSettings(tmp_path / "not" / "yet", cpu_window_seconds=0.1)
    (finding,) = asyncio.run(host.measure(settings, Run(5.0)))
    record = finding.record
    assert record is not None
    assert 0 <= record.cpu_ratio <= 1
    assert 0 < record.memory_available_bytes <= record.memory_total_bytes
    assert 0 < record.disk_free_bytes <= record.disk_total_bytes
    assert record.uptime_seconds > 0
    assert 5e6 < record.agent_memory_bytes < 1e9
    assert "lo" not in [interface.name for interface in record.interfaces]


def test_a_clock_before_boot_gives_no_negative_uptime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "clock_gettime", lambda _: -1.0)
    monkeypatch.setattr("campus_agent.measure.machine.cpu_ratio", lambda *_: 2.5)
    (finding,) = asyncio.run(host.measure(host.HostSettings(tmp_path, 0.1), Run(5.0)))
    assert (finding.record.uptime_seconds, finding.record.cpu_ratio) == (0.0, 1.0)
