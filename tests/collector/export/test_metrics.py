"""The whole page against a golden file, promtool, the table, and a real Prometheus."""

import os
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from campus_collector.export.table import METRICS, SCOPES
from campus_wire.failures import FailureKind, Validity
from campus_wire.records import HostRecord, HostResult, Interruption
from tests.collector.lessons import FROZEN, lesson_streams
from tests.collector.world import AT, World, days, service, throughput

OWN = (b" campus_ingest_request_duration_seconds", b" campus_scrape_duration_seconds")
GOLDEN = Path(__file__).parent / "golden" / "metrics.txt"


def seed(world: World) -> None:
    host = HostRecord(0.25, 2, 0.5, 2**31, 2**30, 2**34, 2**33, 1000.0, 30_000_000)
    world.send(
        *(throughput(at=at) for at in days(4, 2)),
        throughput(50e6, 50e6, subject="c102"),
        throughput(subject="c102", at=AT + timedelta(hours=1), failure=FailureKind.TIMEOUT),
        throughput(subject="c102", at=AT + timedelta(hours=2), validity=Validity.CROSS_TRAFFIC),
        throughput(950e6, 940e6, subject="uplink"),
        service(),
        *lesson_streams(
            AT - timedelta(minutes=5),
            10,
            {3: FROZEN, 4: {"sent": 0, "unknown_seconds": 60.0}},
            [Interruption("i-1", AT - timedelta(seconds=110), AT - timedelta(seconds=90), "up", "uplink", 400)],
        ),
        HostResult(
            id="host-0001",
            subject="gateway",
            started_at=AT,
            boot_id="b",
            monotonic_seconds=1,
            duration_seconds=1,
            validity=Validity.OK,
            record=host,
        ),
        b'{"kind":"weather"}',
    )


def page(world: World, monkeypatch: pytest.MonkeyPatch) -> str:
    """The fleet as it was while the results were a minute old."""
    (agent,) = world.service.store.agents.all()
    assert agent.last_report_at is not None
    now = agent.last_report_at + timedelta(minutes=1)
    from campus_collector.judge.month import month_of

    month = month_of(AT, world.service.verdicts.zone)
    monkeypatch.setattr(world.service.verdicts, "this_month", lambda: month)

    scopes = [scope for scope in SCOPES if scope != "collector"]
    parts = [*world.service.metrics.render(scopes, now=now), *world.service.metrics.render(["collector"], now=now)]
    blocks = b"".join(parts).split(b"# HELP")
    return b"# HELP".join(block for block in blocks if not block.startswith(OWN)).decode()


def test_the_fleet_is_exported_as_ever(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    seed(world)
    text = re.sub(r"(last_report_timestamp_seconds\{.*\}) .*", r"\1 REPORTED", page(world, monkeypatch))
    text = re.sub(r"^campus_store_free_bytes .*\n", "", text, flags=re.MULTILINE)  # a server's disk is not known
    text = re.sub(r"^(campus_store_\w+) .*", r"\1 BYTES", text, flags=re.MULTILINE)
    if os.environ.get("CAMPUS_REWRITE_GOLDEN"):
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(text)
    assert text == GOLDEN.read_text()


def test_every_metric_of_the_table_is_on_the_page_with_its_labels(world: World) -> None:
    seed(world)
    text = world.get("/metrics").body.decode()
    families = {family.name: family for family in text_string_to_metric_families(text)}
    for metric in METRICS:
        family = families[metric.name.removesuffix("_total")]
        assert family.documentation == metric.help
        assert family.type == metric.kind
        for sample in family.samples:
            assert set(sample.labels) - {"le"} == set(metric.labels)


def test_promtool_finds_nothing_but_the_written_exception(world: World) -> None:
    """Rates in bits per second, because the targets are written so (design section 8): promtool would have bytes. Minutes of lessons are
    counted as they are judged, each good or bad: they are no duration."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "promtool (package prometheus) must be there under CI"
        pytest.skip("NO PROMTOOL: install the package prometheus")
    seed(world)
    checked = subprocess.run(
        ["promtool", "check", "metrics"], input=world.get("/metrics").body, capture_output=True, check=False
    )
    complaints = (checked.stdout + checked.stderr).decode().strip().splitlines()
    exception = re.compile(
        r'^campus_\w+_bits_per_second use base unit "bytes" instead of "bits"$'
        r'|^campus_lesson_minutes_total use base unit "seconds" instead of "minutes"$'
    )
    assert [line for line in complaints if not exception.match(line)] == []


def test_a_silent_agent_is_down_and_its_gauges_go_after_a_day(world: World) -> None:
    seed(world)
    (agent,) = world.service.store.agents.all()
    assert agent.last_report_at is not None

    def names(silence: timedelta) -> dict[str, float]:
        found = {}
        page = b"".join(world.service.metrics.render(now=agent.last_report_at + silence)).decode()
        for family in text_string_to_metric_families(page):
            for sample in family.samples:
                found[sample.name] = sample.value
        return found

    assert names(timedelta(minutes=14))["campus_agent_up"] == 1
    quiet = names(timedelta(minutes=16))
    assert quiet["campus_agent_up"] == 0
    assert "campus_classroom_line_rate_bits_per_second" in quiet
    gone = names(timedelta(days=1, seconds=1))
    assert gone["campus_agent_up"] == 0
    assert not [name for name in gone if name.startswith(("campus_classroom_", "campus_uplink_", "campus_service_"))]


def test_the_documentation_lists_every_metric() -> None:
    from tests.collector.export.metrics_doc import FILE, text

    if os.environ.get("CAMPUS_REWRITE_GOLDEN"):
        FILE.write_text(text(), encoding="utf-8")
    assert FILE.read_text(encoding="utf-8") == text()
