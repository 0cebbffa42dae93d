"""A gateway whose clock was never set tests nothing that could fall into a lesson, until the collector has told the time."""

from pathlib import Path

import pytest

from campus_agent.clock.clock import Clock
from campus_agent.config.read import load_config
from campus_agent.daemon import Daemon
from campus_agent.spool.spool import open_spool

LESSONS = '[timetable]\nperiods = ["08:00-08:45"]\n'
EXAMINATION = '[timetable]\nblackout = ["2026-06-07"]\n'


@pytest.mark.parametrize(
    ("timetable", "wall", "unknown"),
    [
        (LESSONS, 1_000.0, True),
        (EXAMINATION, 1_000.0, True),
        ("", 1_000.0, False),  # any time is free
        (LESSONS, 1_795_000_000.0, False),
    ],
)
def test_a_clock_of_1970(tmp_path: Path, timetable: str, wall: float, unknown: bool) -> None:
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[agent]\nschool = "s001"\nstate_dir = "state"\n{timetable}[[classroom]]\nid = "c1"\nhost = "127.0.0.1"\n'
    )
    config = load_config(file)
    with open_spool(config.state_dir, config.spool) as spool:
        daemon = Daemon(config, spool, Clock("boot", lambda: wall, lambda: 100.0))
        assert daemon.gate.time_is_unknown() is unknown
