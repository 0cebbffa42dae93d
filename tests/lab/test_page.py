"""The classroom's page in a real Chromium across real lines of 10, 97, 100 and 300 Mbit/s; the agent's own process serves it."""

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from campus_agent.config.read import load_config
from campus_agent.spool.spool import open_spool
from campus_wire.codec import decode_result
from campus_wire.records import InspectionResult
from tests.flow.programs import python, running, until
from tests.lab.busy import first_usable
from tests.lab.school import DEFAULT_ROOMS, LAN, LabSchool, Room

pytestmark = [pytest.mark.lab, pytest.mark.browser]
ROOMS = [room for room in DEFAULT_ROOMS if room.id in ("c010", "c097", "c100", "c300")]
GATEWAY = f"{LAN}1"
BUCKET_BITS = 16_000 * 8


def allowed(truth: float) -> float:
    """How far a rate may be off: beside 2 % the shaper's bucket, full once a second."""
    return 0.02 * truth + BUCKET_BITS


def is_near(result: dict[str, Any], way: str, truth: float) -> bool:
    """Is the rate that of the line? At 300 Mbit/s Chromium, gateway and shapers share two cores: then it is the least the line carries."""
    rate = result[f"{way}_bits_per_second"]
    if result[f"{way}_at_least"]:
        return truth > 200e6 and 100e6 < rate < truth + allowed(truth)
    return abs(rate - truth) < allowed(truth)


def asked(school: LabSchool, room: Room) -> dict[str, Any]:
    """What the page says; asked again where a busy machine gave no verdict, or shook a rate. A wrong verdict is never asked again."""

    def ask() -> dict[str, Any]:
        said = browse(school, room.id)
        assert said["result"] is not None, said
        assert said["result"]["verdict"] in (room.truth, "insufficient"), (room.id, said)
        return said

    def is_usable(said: dict[str, Any]) -> bool:
        found, truth = said["result"], room.line_rate_bits_per_second
        return found["verdict"] == room.truth and all(is_near(found, way, truth) for way in ("down", "up"))

    return first_usable(ask, is_usable, attempts=4)


@pytest.mark.skipif(shutil.which("chromium") is None, reason="NO CHROMIUM")
def test_what_a_browser_is_told_is_the_truth_of_its_line(tmp_path: Path) -> None:
    with LabSchool(ROOMS, endpoint="none") as school:
        rooms = "".join(
            f'[[classroom]]\nid = "{room.id}"\nname = "{room.name}"\nhost = "{school.room(room.id).host}"\n'
            for room in ROOMS
        )
        file = tmp_path / "agent.toml"
        file.write_text(
            f'[agent]\nschool = "s001"\nstate_dir = "state"\n[limits]\nmax_cpu_ratio = 1.0\n[page]\nport = 8090\n[cycle]\nthroughput_seconds = 604800\nlatency_seconds = 604800\n{rooms}'
        )
        with running(school.gateway.argv(*python("campus_agent", "run", "--config", str(file))), tmp_path / "log"):
            until(lambda: '"listen"' in (tmp_path / "log").read_text(), 60, "the page is served")
            actual = {room.id: asked(school, room) for room in ROOMS}
            elsewhere = browse(school, "c300", "c100")
        config = load_config(file)
        with open_spool(config.state_dir, config.spool, role="reader") as spool:
            kept = [decode_result(entry.body) for entry in spool.peek()]
            spent = sum(spool.test_bytes_total().values())
    assert_ended(tmp_path / "log")
    for room in ROOMS:
        found = actual[room.id]["result"]
        assert found is not None, actual[room.id]
        truth = room.line_rate_bits_per_second
        assert found["verdict"] == room.truth, (room.id, actual[room.id])
        for way in ("down", "up"):
            assert is_near(found, way, truth), (room.id, way, found)
        assert found["own_machine"] is True
        assert ("合格" in actual[room.id]["verdict"]) is True
        assert actual[room.id]["width"] <= 420
        assert 0 < found["rtt_seconds"] < 0.5
    assert elsewhere["result"]["own_machine"] is False
    assert "无线网络" in elsewhere["note"]
    inspections = [each for each in kept if isinstance(each, InspectionResult)]
    subjects = [result.subject for result in inspections]
    assert list(dict.fromkeys(subjects)) == [room.id for room in ROOMS], "a test that was asked again is kept too"
    assert subjects[-1] == "c100"
    assert all(inspection.record is not None and "Chrome" in inspection.record.browser for inspection in inspections)
    assert spent == sum(
        each.bytes for result in inspections for each in (result.record.measured.down, result.record.measured.up)
    )


def browse(school: LabSchool, machine: str, room: str | None = None) -> dict:
    """From a classroom's machine, its own page or another's."""
    command = [sys.executable, "-m", "tests.lab.browse", f"http://{GATEWAY}:8090/?room={room or machine}"]
    done = school.inside(machine).run(*command, timeout=240.0)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def assert_ended(log: Path) -> None:
    text = log.read_text()
    assert "agent stopped" in text
    assert "Traceback" not in text
