"""Fourteen days without the collector, in small: every result is delivered or counted as dropped, and a busy collector is waited for."""

from pathlib import Path

import pytest

from tests.bench.outage import measure


def test_a_fleet_delivers_what_it_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measure(tmp_path, count=8, days=14, a_day=12)
    printed = capsys.readouterr().out
    assert "8 gateways, 14 days without the collector, 168 results each: 1344 put, 1302 kept, 42 dropped" in printed
    assert "stored 1302: everything that was kept; the collector was told of 42 dropped" in printed
    assert "retried too early: 0" in printed
