"""What somebody measured from a browser in a classroom: shown beside the automatic results, never judged, never among their metrics."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from campus_collector.http.pages.words import browser_words
from campus_wire.records import InspectionRecord, InspectionResult
from tests.collector.world import World, throughput

EDGE = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36 Edg/120.0"


def inspection(down: float, up: float, own: bool = True, browser: str = EDGE) -> InspectionResult:
    now = datetime.now(UTC) - timedelta(minutes=3)
    measured = throughput(down, up, at=now)
    assert measured.record is not None
    record = InspectionRecord(msgspec.structs.replace(measured.record, engine="browser"), browser, "10.0.1.2", own)
    common = {
        name: getattr(measured, name)
        for name in ("id", "started_at", "boot_id", "monotonic_seconds", "duration_seconds", "school", "validity")
    }
    return InspectionResult(subject="c101", record=record, **common)


def test_it_is_shown_and_not_judged(world: World) -> None:
    world.send(inspection(50e6, 49e6, browser=EDGE + " <script>"))
    world.service.verdicts.catch_up()
    page = world.get("/schools/s001/subjects/c101", Accept_Language="zh").body.decode()
    assert "现场浏览器检测（3 分钟前）：下行 50 Mbps，上行 49 Mbps，不合格（教室电脑；Edge 120 · Windows）" in page
    assert "<script>" not in page
    subjects = [subject for subject in world.get("/v1/compliance").json["subjects"] if subject["subject"] == "c101"]
    assert [(subject["verdict"], subject["valid_results"]) for subject in subjects] == [("insufficient", 0)]
    metrics = world.get("/metrics").body.decode()
    assert 'campus_measurements_total{kind="inspection",outcome="ok"}' in metrics or 'kind="inspection"' in metrics
    assert "campus_classroom_bandwidth_bits_per_second{" not in metrics
    (kept,) = world.get("/v1/results?school=s001&kind=inspection&from=2026-01-01").json["results"]
    assert (kept["record"]["measured"]["engine"], kept["record"]["client"]) == ("browser", "10.0.1.2")


def test_a_machine_that_could_not_fill_the_line_is_told_as_at_least(world: World) -> None:
    slow = inspection(50e6, 49e6)
    measured = slow.record.measured
    bounded = {
        name: msgspec.structs.replace(getattr(measured, name), lower_bound=True, limited_by="the browser's machine")
        for name in ("down", "up")
    }
    record = msgspec.structs.replace(slow.record, measured=msgspec.structs.replace(measured, **bounded))
    world.send(msgspec.structs.replace(slow, record=record))
    page = world.get("/schools/s001/subjects/c101", Accept_Language="zh").body.decode()
    assert "下行 ≥ 50 Mbps，上行 ≥ 49 Mbps，无结论" in page


def test_a_phone_is_told_as_one(world: World) -> None:
    world.send(
        inspection(
            99e6, 99e6, own=False, browser="Mozilla/5.0 (Linux; Android 14) Chrome/130 Mobile MicroMessenger/8.0.1"
        )
    )
    page = world.get("/schools/s001/subjects/c101", Accept_Language="en").body.decode()
    assert "met (another machine, perhaps on Wi-Fi; MicroMessenger 8.0.1 · Android)" in page


@pytest.mark.parametrize(
    ("agent", "words"),
    [
        (EDGE, "Edge 120 · Windows"),
        ("", "?"),
        ("curl/8", "curl/8"),
        ("Mozilla/5.0 (iPhone) Version/17 Safari/604", "Safari 604 · iPhone"),
    ],
)
def test_browsers(agent: str, words: str) -> None:
    assert browser_words(agent) == words
