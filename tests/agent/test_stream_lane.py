"""When the lesson stream runs: by timetable, blackout days and the day's bytes."""

import asyncio
import contextlib
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from campus_agent.clock.clock import Clock, ClockEstimate
from campus_agent.config.read import load_config
from campus_agent.gate.gate import Gate
from campus_agent.gate.school_time import SchoolTime
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.runner import Runner
from campus_agent.measure.stamp import stamp
from campus_agent.measure.stream.observer import Answer, Observed, StreamObserver
from campus_agent.schedule.calendar import calendar_of
from campus_agent.spool.spool import Spool, open_spool
from campus_agent.spool.time_floor import TimeFloor
from campus_agent.stream_lane import StreamLane, StreamState, required_recorders
from campus_wire.records import AnyResult, LessonMinute

ZONE = ZoneInfo("Asia/Shanghai")
LESSONS = '[timetable]\nperiods = ["08:00-08:45", "15:00-15:45"]\nblackout = ["2026-06-08/2026-06-09"]\n'
DEVICES = """
[[device]]
id = "rec-1"
room = "r1"
profile = "recorder-generic"
host = "10.0.1.50"
[[device]]
id = "ups-1"
room = "r1"
profile = "ups-generic"
host = "10.0.1.51"
required = false
[[device]]
id = "sw-1"
profile = "switch-generic"
host = "10.0.1.254"
"""


def lane(
    tmp_path: Path, spool: Spool, at: str, *, timetable: str = LESSONS, more: str = ""
) -> tuple[StreamLane, list[AnyResult]]:
    (tmp_path / "agent.toml").write_text(
        '[agent]\nschool = "s001"\nstate_dir = "state"\n[limits]\ndaily_test_bytes = 1000000\n[uplink]\nhost = "127.0.0.1"\n'
        f"[lesson_stream]\nenabled = true\n{more}\n{timetable}{DEVICES}"
    )
    config = load_config(tmp_path / "agent.toml", {})
    wall = datetime.fromisoformat(at).replace(tzinfo=ZONE).timestamp()
    clock = Clock("boot", lambda: wall, lambda: 1000.0, lambda: True)
    floor = TimeFloor("boot", 0.0, 0.0)
    estimate = ClockEstimate("boot", 1000.0, wall - 1000.0, 0.01)
    school_time = SchoolTime(clock, ZONE, lambda: (estimate, floor))
    calendar = calendar_of(config)
    gate = Gate(config, lambda: calendar, school_time, lambda: contextlib.nullcontext(spool))
    stored: list[AnyResult] = []

    async def store(*results: AnyResult) -> None:
        stored.extend(results)

    async def on_disk(work: Any, *arguments: Any) -> Any:
        return work(*arguments)

    runner = Runner(config, lambda seconds: stamp(clock, estimate, seconds))
    common: dict[str, Any] = {"runner": runner, "spool": spool, "store": store, "on_disk": on_disk, "running": {}}
    return StreamLane(config, clock, gate, school_time, calendar, **common), stored


@pytest.mark.parametrize(
    ("at", "more", "timetable", "runs"),
    [
        ("2026-06-03 08:10", "", LESSONS, True),
        ("2026-06-03 12:00", "", LESSONS, True),
        ("2026-06-03 07:59", "", LESSONS, False),
        ("2026-06-03 15:45", "", LESSONS, False),
        ("2026-06-06 08:10", "", LESSONS, False),
        ("2026-06-08 08:10", "", LESSONS, False),
        ("2026-06-08 08:10", "in_blackout = true", LESSONS, True),
        ("2026-06-08 20:10", "in_blackout = true", LESSONS, False),
        ("2026-06-03 23:00", "always = true", LESSONS, True),
        ("2026-06-09 23:00", "always = true", LESSONS, False),
        ("2026-06-03 17:59", "", "", True),
        ("2026-06-03 18:00", "", "", False),
        ("2026-06-06 10:00", "", "", False),
    ],
    ids=[
        *("lesson", "noon", "before school", "after school", "Saturday", "examination", "examination allowed"),
        *(
            "evening of it",
            "always",
            "never on an examination",
            "no timetable",
            "no timetable, evening",
            "no timetable, Saturday",
        ),
    ],
)
def test_it_runs_in_school_hours(tmp_path: Path, at: str, more: str, timetable: str, runs: bool) -> None:
    with open_spool(tmp_path / "state") as spool:
        about, stored = lane(tmp_path, spool, at, timetable=timetable, more=more)
        assert asyncio.run(about._may_stream()) is runs
        assert stored == []


def test_it_does_not_go_beyond_the_day_s_bytes_and_says_so_once(tmp_path: Path) -> None:
    with open_spool(tmp_path / "state") as spool:
        about, stored = lane(tmp_path, spool, "2026-06-03 08:10")
        spool.add_test_bytes("classroom", datetime(2026, 6, 3).date(), 1_000_000)
        assert [asyncio.run(about._may_stream()) for _ in range(3)] == [False] * 3
    (skipped,) = stored
    assert (skipped.subject, skipped.skipped, skipped.__struct_config__.tag) == (
        "uplink",
        "byte_budget",
        "lesson_stream",
    )


def test_the_recorders_are_the_required_equipment_of_rooms(tmp_path: Path) -> None:
    with open_spool(tmp_path / "state") as spool:
        about, _ = lane(tmp_path, spool, "2026-06-03 08:10")
        assert [device.id for device in required_recorders(about._config)] == ["rec-1"]


class Sessions:
    """A socket of which only the number of its sessions is of interest."""

    def __init__(self) -> None:
        self.begun, self.address = 0, Address("127.0.0.1", socket.AF_INET, 0.0)

    def begin_session(self) -> None:
        self.begun += 1


@pytest.mark.parametrize(
    ("answered", "echo", "begun"),
    [(False, False, 1), (True, True, 1), (True, False, 0)],
    ids=["never an answer", "the machine is there", "the line is down"],
)
def test_a_silent_reflector_gets_another_session_id(tmp_path: Path, answered: bool, echo: bool, begun: int) -> None:
    """Two gateways may have drawn the same one. Not where the line is down: a new numbering would look like a restart of the server."""
    with open_spool(tmp_path / "state") as spool:
        about, _ = lane(tmp_path, spool, "2026-06-03 08:10")
        wall_at_zero = about._time.now().timestamp() - 1000.0
        observer = StreamObserver(0.05, (), lambda begin: "id", 980.0, wall_at_zero)
        for number in range(400):
            observer.sent(number, 980.0 + number * 0.05)
        if answered:
            observer.answered(Answer(0, 0, 980.01, 0.01))
        if echo:
            observer.host_answered(990.0, 990.01)
        sock: Any = Sessions()
        assert asyncio.run(about._may_go_on(observer, sock, wall_at_zero)) is True
    assert sock.begun == begun


def test_minutes_of_a_clock_that_was_ahead_do_not_silence_the_present(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with open_spool(tmp_path / "state") as spool:
        about, _ = lane(tmp_path, spool, "2026-06-03 08:10")
        now = about._time.now()
        about._state = StreamState(has_answered=True, newest_minute=now.timestamp() + 14 * 86_400)
        row = LessonMinute(now - timedelta(minutes=1), 1200)
        observer = StreamObserver(0.05, (), lambda begin: "id", 1000.0, 0.0)
        findings = about._record(observer, Observed(900.0, [row], []), 1000.0)
        assert about._state.newest_minute == row.minute.timestamp()
    assert [finding.record.minutes for finding in findings] == [[row]]  # type: ignore[union-attr]
    assert "reported minutes lie in the future" in caplog.text
