"""A break in the lab: machines are looked for, tested in turn, the uplink has its slot; a lesson's video ends a test at once."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from math import inf
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.flow.programs import python, running, until
from tests.flow.test_spine import bureau_files
from tests.lab.busy import first_usable
from tests.lab.school import BUREAU, DEFAULT_ROOMS, ONE_MEASUREMENT, LabSchool

pytestmark = pytest.mark.lab
ROOMS = [room for room in DEFAULT_ROOMS if room.id in ("c050", "c100", "c000")]


def noon_zone() -> ZoneInfo:
    """A zone in which it is about noon now: no window of this test ends at midnight."""
    hours = (12 - datetime.now(UTC).hour + 11) % 24 - 11
    return ZoneInfo(f"Etc/GMT{-hours:+d}" if hours else "UTC")


def timetable(folder: Path, zone: ZoneInfo) -> str:
    """A lesson has just ended, the next one begins in ten minutes; today is a school day, whatever the weekday."""
    now = datetime.now(zone)
    bell = [
        now - timedelta(minutes=40),
        now - timedelta(minutes=1),
        now + timedelta(minutes=10),
        now + timedelta(minutes=50),
    ]
    before, after = (f"{a:%H:%M}-{b:%H:%M}" for a, b in (bell[:2], bell[2:]))
    (folder / "terms.toml").write_text(f'[[school_day]]\nday = "{now.date()}"\n')
    return f'[timetable]\nperiods = ["{before}", "{after}"]\nholidays_file = "terms.toml"\n[cycle]\nship_seconds = 1\n'


def results_of(school: LabSchool, url: str) -> list[dict[str, Any]]:
    got = school.bureau.run(
        "curl", "-sk", "-H", "Authorization: Bearer the-read-token", f"{url}/v1/results?school=s001"
    )
    try:
        answer: list[dict[str, Any]] = json.loads(got.stdout)["results"]
    except (ValueError, KeyError):
        return []
    return answer


def test_a_break(tmp_path: Path) -> None:
    bureau_files(tmp_path)
    gateway = tmp_path / "gateway"
    gateway.mkdir()
    (gateway / "ca.pem").write_bytes((tmp_path / "cert.pem").read_bytes())
    where = ("--config", str(tmp_path / "collector.toml"))
    zone = noon_zone()
    with LabSchool(ROOMS, endpoint="respond") as school:
        url = f"https://{BUREAU}:8443"
        token = school.bureau.run(*python("campus_collector", "agent-token", "s001", "--town", "t01", *where))
        (gateway / "token").write_text(token.stdout)
        (gateway / "token").chmod(0o600)
        config = school.agent_toml(
            gateway,
            "campus",
            url,
            uplink=True,
            required_uplink_bits_per_second=200_000_000,
            more=timetable(gateway, zone),
        )
        config.write_text(config.read_text().replace("[agent]", f'[agent]\ntimezone = "{zone.key}"', 1))
        agent = school.gateway.argv(*python("campus_agent", "run", "--config", str(config)))
        collector = school.bureau.argv(*python("campus_collector", "serve", *where))
        with running(collector, tmp_path / "collector.log"), running(agent, tmp_path / "agent.log"):

            def all_told() -> dict[str, dict[str, Any]]:
                newest = {each["subject"]: each for each in results_of(school, url) if each["kind"] == "throughput"}
                return newest if len(newest) == 4 else {}

            actual = until(all_told, 240, "every classroom and the uplink has its result")
            assert actual["c000"]["skipped"] == "endpoint_off"
            assert actual["c000"]["failure"]["kind"] in ("timeout", "host_unreachable")
            lines = {"c050": (50e6, 50e6), "c100": (100e6, 100e6), "uplink": (196e6, inf)}
            sound = [name for name in lines if actual[name]["validity"] == "ok"]
            assert sound, actual
            for name, (least, most) in lines.items():
                result = actual[name]
                if name not in sound:  # a busy machine says so, and blames no line
                    assert result["validity"] in ("gateway_cpu", "inconclusive"), result
                    continue
                rate = result["record"]["down"]["line_rate_bits_per_second"]
                assert least * (1 - ONE_MEASUREMENT) < rate < most * (1 + ONE_MEASUREMENT), result
            page = school.bureau.run(
                "curl", "-sk", "-H", "Authorization: Bearer the-read-token", f"{url}/metrics"
            ).stdout
            assert "campus_slots_granted_total 1.0" in page
            assert "campus_slots_running 0.0" in page, "the slot is given back when the test has ended"
        answer = school.gateway.run(*python("campus_agent", "schedule", "--config", str(config), "--json"))
        plan = json.loads(answer.stdout)
        assert [window["state"] for window in plan["windows"]] == ["free", "lesson", "free", "lesson", "free"]


def test_a_reference_agrees_and_a_video_ends_it_at_once(tmp_path: Path) -> None:
    with LabSchool([room for room in ROOMS if room.id == "c100"], endpoint="respond") as school:
        config = school.agent_toml(tmp_path, "campus")
        command = python("campus_agent", "measure", "classroom", "c100", "--config", str(config), "--json")

        def both() -> tuple[dict[str, Any], dict[str, Any]]:
            quick, reference = (
                json.loads(school.gateway.run(*command, *mode).stdout) for mode in ((), ("--reference",))
            )
            assert (reference["engine"], reference["mode"]) == ("iperf3", "reference")
            assert {quick["verdict"], reference["verdict"]} <= {"met", "insufficient"}, (quick, reference)
            return quick, reference

        quick, reference = first_usable(both, lambda answers: all(each["verdict"] == "met" for each in answers), 4)
        assert reference["down"]["line_rate_bits_per_second"] == pytest.approx(100e6, rel=ONE_MEASUREMENT)
        assert reference["down"]["bytes"] > 20 * quick["down"]["bytes"]

        def disturbed() -> tuple[int, dict[str, Any]]:
            with subprocess.Popen(
                school.gateway.argv(*command, "--reference"),
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                text=True,
            ) as process:
                time.sleep(4)
                school.cross_traffic("c100", 80e6, 12)
                answer = json.loads(process.communicate(timeout=90)[0])
            return process.returncode, answer

        code, answer = first_usable(disturbed, lambda ended: ended[1]["validity"] == "cross_traffic", 3)
        assert (answer["verdict"], code) == ("insufficient", 3)
        assert answer["detail"].startswith("ended at once: ")
        assert 5_000_000 < answer["down"]["bytes"] < 0.8 * reference["down"]["bytes"], "what it cost is counted"


def test_octets_that_are_spent_end_a_test(tmp_path: Path) -> None:
    """The day has 12 MB left; a TCP test of 10 s would take 125."""
    with LabSchool([room for room in ROOMS if room.id == "c100"]) as school:
        config = school.agent_toml(tmp_path)
        config.write_text(config.read_text().replace("20_000_000_000", "12_000_000"))
        code = (
            "import asyncio, sys; from pathlib import Path; from campus_agent.config.read import load_config; "
            "from campus_agent.measure.probes import PROBES; from campus_agent.measure.runner import Runner; "
            "from campus_agent.measure.stamp import stamp; from campus_agent.clock.clock import system_clock; from functools import partial; "
            "config = load_config(Path(sys.argv[1])); runner = Runner(config, partial(stamp, system_clock(), None)); "
            "(result,) = asyncio.run(runner.run(PROBES['throughput'], 'c100', max_bytes=12_000_000)); "
            "print(result.validity, result.record.down.bytes)"
        )
        done = school.gateway.run(sys.executable, "-c", code, str(config))
        validity, octets = done.stdout.split()
        assert validity == "inconclusive"
        assert 12_000_000 < int(octets) < 60_000_000, "ended soon after the bytes were spent"
