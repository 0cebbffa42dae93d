"""Pages that stay open in real Chromiums on lines of 97 and 110 Mbit/s: the agent tests them by itself; where none is open it says so."""

import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest

from campus_agent.config.read import load_config
from campus_agent.spool.spool import open_spool
from campus_wire.bandwidth import line_rate_of, verdict_of
from campus_wire.codec import decode_result
from campus_wire.records import ThroughputResult
from tests.bench.browser_endpoint import PORT, configured, rooms_of, staying
from tests.flow.programs import python, running, until
from tests.lab.school import ONE_MEASUREMENT, LabSchool

pytestmark = [pytest.mark.lab, pytest.mark.browser]
LIMIT_SECONDS = 240
CYCLE = "[cycle]\nthroughput_seconds = 10\nlatency_seconds = 604800"


def results_of(file: Path) -> list[ThroughputResult]:
    config = load_config(file)
    with open_spool(config.state_dir, config.spool, role="reader") as spool:
        results = [decode_result(entry.body) for entry in spool.peek(500)]
    return [result for result in results if isinstance(result, ThroughputResult)]


@pytest.mark.skipif(shutil.which("chromium") is None, reason="NO CHROMIUM")
def test_the_agent_measures_by_pages_that_wait(tmp_path: Path) -> None:
    rooms = rooms_of([97, 110, 100])
    with LabSchool(rooms, endpoint="none") as school, ExitStack() as stack:
        file, keys = configured(school, tmp_path)
        file.write_text(file.read_text().replace("[page]", f"{CYCLE}\n[page]"))
        command = school.gateway.argv(*python("campus_agent", "run", "--config", str(file)))
        stack.enter_context(running(command, tmp_path / "log"))
        until(lambda: '"listen"' in (tmp_path / "log").read_text(), 60, f"the page is served on port {PORT}")
        for room in ("c097", "c110"):
            stack.enter_context(staying(school, room, keys[room]))

        def decided() -> bool:
            verdicts = {result.subject: str(verdict_of(result)) for result in results_of(file) if result.record}
            return {"c097": "not_met", "c110": "met"}.items() <= verdicts.items()

        until(decided, LIMIT_SECONDS, "both have a verdict")
        results = results_of(file)
    truths = {room.id: room for room in rooms}
    for result in results:
        room, verdict = truths[result.subject], str(verdict_of(result))
        assert verdict in (room.truth, "insufficient"), (room.id, result)
        if verdict == "insufficient" or result.record is None:
            continue
        assert result.record.engine == "browser"
        for direction in (result.record.down, result.record.up):
            if direction is not None and not direction.lower_bound:
                rate = line_rate_of(direction, result.record.encapsulation)
                assert rate == pytest.approx(room.line_rate_bits_per_second, rel=ONE_MEASUREMENT)
    absent = [result for result in results if result.subject == "c100"]
    assert absent
    assert {str(result.skipped) for result in absent} == {"endpoint_off"}
    assert "page" in str(absent[0].failure), "none is open, or the page's process had not begun yet"
    text = (tmp_path / "log").read_text()
    assert "Traceback" not in text
