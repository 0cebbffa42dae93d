"""In the lab every classroom's verdict is the truth of its shaping; the naive rule, side by side, is not."""

import json
import sys
from pathlib import Path

import pytest

from tests.lab.school import LabSchool

pytestmark = pytest.mark.lab
OPTIONS = "[throughput]\nduration_seconds = 2\nwarmup_seconds = 1\n"


def test_every_classroom_s_verdict_is_the_truth_of_its_line(tmp_path: Path) -> None:
    table = [f"{'room':<6}{'true':>6}{'down':>9}{'up':>9}  verdict       naive goodput >= 100"]
    wrong = []
    with LabSchool() as school:
        config = school.agent_toml(tmp_path, more=OPTIONS)
        for room in school.rooms:
            done = school.gateway.run(
                *(sys.executable, "-m", "campus_agent", "measure", "classroom", room.id),
                *("--config", str(config), "--json"),
            )
            said = json.loads(done.stdout)
            verdict = said["verdict"]
            if not room.on:
                assert (verdict, said["validity"]) == ("insufficient", "endpoint_off")
                assert said["failure"]["kind"] == "host_unreachable"
                assert done.returncode == 3
                continue
            rates = [said[way]["line_rate_bits_per_second"] for way in ("down", "up")]
            naive = all(said[way]["goodput_bits_per_second"] >= 100e6 for way in ("down", "up"))
            table.append(
                f"{room.id:<6}{room.line_rate_bits_per_second / 1e6:>6g}{rates[0] / 1e6:>9.2f}{rates[1] / 1e6:>9.2f}"
                f"  {verdict:<12}  {'met' if naive else 'not_met'}"
            )
            tolerance = 0.03 if room.line_rate_bits_per_second <= 10e6 else 0.015
            off = max(abs(rate / room.line_rate_bits_per_second - 1) for rate in rates)
            if verdict != room.truth or off > tolerance:
                wrong.append(room.id)
            assert done.returncode == {"met": 0, "not_met": 1, "insufficient": 3}[verdict]
            if room.id in ("c100", "c101"):
                assert not naive, "a perfect 100 Mbit/s line must show why the naive rule is wrong"
    print("\n" + "\n".join(table))
    assert wrong == [], "\n".join(table)
