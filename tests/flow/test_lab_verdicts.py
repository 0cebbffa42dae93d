"""In the lab every classroom's verdict is the truth of its shaping; the naive rule, side by side, is not."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.lab.school import LabSchool, Room

pytestmark = pytest.mark.lab
ATTEMPTS = 4
OF_THIS_MACHINE = ("gateway_cpu", "inconclusive")
OPTIONS = "[throughput]\nduration_seconds = 3\nwarmup_seconds = 1\n"


def measure(school: LabSchool, config: Path, room: Room) -> tuple[int, dict[str, Any]]:
    """One measurement by the command, as a person makes it: exit code and object."""
    command = (sys.executable, "-m", "campus_agent", "measure", "classroom", room.id)
    done = school.gateway.run(*command, "--config", str(config), "--json")
    return done.returncode, json.loads(done.stdout)


def row(room: Room, said: dict[str, Any]) -> tuple[str, bool]:
    """A line of the table, and whether verdict and rate are the line's."""
    rates = [said[way]["line_rate_bits_per_second"] for way in ("down", "up")]
    naive = all(said[way]["goodput_bits_per_second"] >= 100e6 for way in ("down", "up"))
    tolerance = 0.03 if room.line_rate_bits_per_second <= 10e6 else 0.015
    at_least = [said[way].get("lower_bound", False) for way in ("down", "up")]  # below the line, such a rate is right
    offs = [rate / room.line_rate_bits_per_second - 1 for rate in rates]
    off = max(off if bound else abs(off) for off, bound in zip(offs, at_least, strict=True))
    line = (
        f"{room.id:<6}{room.line_rate_bits_per_second / 1e6:>6g}{rates[0] / 1e6:>9.2f}{rates[1] / 1e6:>9.2f}"
        f"  {said['verdict']:<12}  {'met' if naive else 'not_met'}"
    )
    return line, said["verdict"] == room.truth and off <= tolerance


def test_every_classroom_s_verdict_is_the_truth_of_its_line(tmp_path: Path) -> None:
    """A measurement that says of itself that the machine was too busy is made again; a wrong verdict fails at once."""
    table = [f"{'room':<6}{'true':>6}{'down':>9}{'up':>9}  verdict       naive goodput >= 100"]
    wrong = []
    with LabSchool() as school:
        config = school.agent_toml(tmp_path, more=OPTIONS)
        for room in school.rooms:
            code, answer = measure(school, config, room)
            if not room.on:
                assert (answer["verdict"], answer["validity"], code) == ("insufficient", "endpoint_off", 3)
                assert answer["failure"]["kind"] in ("host_unreachable", "timeout")
                continue
            for _ in range(ATTEMPTS - 1):
                assert answer["verdict"] in (room.truth, "insufficient"), answer
                line, right = row(room, answer)
                table.append(line)
                if right:
                    break
                assert answer["verdict"] == room.truth or answer["validity"] in OF_THIS_MACHINE, answer
                code, answer = measure(school, config, room)
            line, right = row(room, answer)
            wrong += [] if right else [room.id]
            assert code == {"met": 0, "not_met": 1, "insufficient": 3}[answer["verdict"]]
            if room.line_rate_bits_per_second == 100e6:
                assert line.endswith("not_met"), "a perfect 100 Mbit/s line must show why the naive rule is wrong"
    print("\n" + "\n".join(table))
    assert wrong == [], "\n".join(table)
