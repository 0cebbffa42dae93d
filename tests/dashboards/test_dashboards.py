"""The dashboards: generated, sound, and no panel is empty when a real Prometheus has scraped a real collector."""

import json
import os
import re
import shutil
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from campus_collector.domain.inventory import InventorySchool
from campus_collector.export.table import BY_NAME
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    DeviceRecord,
    DeviceResult,
    DhcpOffer,
    NetworkRecord,
    NetworkResult,
    PortRecord,
    PortResult,
    RoomRecord,
    RoomResult,
)
from tests.agent.measure.equipment.peers import free_port
from tests.collector.export.test_devices import common
from tests.collector.lessons import lesson_streams
from tests.collector.world import World, collector, service, throughput
from tests.flow.programs import running, until

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "dashboards"
sys.path.insert(0, str(FOLDER))
import build  # noqa: E402

FILES = sorted(FOLDER.glob("??/*.json"))
BOARDS = {path.relative_to(FOLDER).as_posix(): json.loads(path.read_text(encoding="utf-8")) for path in FILES}
OF_AREAS = ("zh/area.json", "en/area.json")
"""A county's collector has no values for these."""
RECORDED = set(re.findall(r"record: (campus:[\w:]+)", (ROOT / "deploy/prometheus/recording.rules.yml").read_text()))


def panels(name: str) -> Iterator[dict[str, Any]]:
    yield from BOARDS[name]["panels"]


def expressions() -> Iterator[tuple[str, str, str]]:
    for name in BOARDS:
        for panel in panels(name):
            for target in panel["targets"]:
                yield name, panel["title"], target["expr"]


def test_the_files_are_what_the_source_says() -> None:
    assert len(FILES) == 16
    for language in build.LANGUAGES:
        for name in build.BUILDERS:
            text = (FOLDER / language / f"{name}.json").read_text(encoding="utf-8")
            assert text == build.text_of(name, language), f"run: python dashboards/build.py ({language}/{name})"


def test_uids_and_panel_ids_are_unique() -> None:
    uids = [board["uid"] for board in BOARDS.values()]
    assert len(set(uids)) == len(uids)
    for name in BOARDS:
        ids = [panel["id"] for panel in panels(name)]
        assert len(set(ids)) == len(ids), name


def test_panels_do_not_overlap_and_fill_their_rows() -> None:
    for name in BOARDS:
        taken: set[tuple[int, int]] = set()
        for panel in panels(name):
            place = panel["gridPos"]
            assert 0 <= place["x"] <= place["x"] + place["w"] <= 24, name
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            assert not cells & taken, f"{name}: {panel['title']}"
            taken |= cells
        lowest = max(y for _, y in taken) + 1
        assert taken == {(x, y) for x in range(24) for y in range(lowest)}, f"{name} has holes"


def test_both_languages_are_complete() -> None:
    for name in build.BUILDERS:
        chinese, english = BOARDS[f"zh/{name}.json"], BOARDS[f"en/{name}.json"]
        assert english["uid"] == f"{chinese['uid']}-en"
        assert [p["gridPos"] for p in chinese["panels"]] == [p["gridPos"] for p in english["panels"]]
        assert [[t["expr"] for t in p["targets"]] for p in chinese["panels"]] == [
            [t["expr"] for t in p["targets"]] for p in english["panels"]
        ]
        for panel in english["panels"]:
            assert all(ord(letter) < 0x2E80 for letter in panel["title"] + panel["description"]), panel["title"]
        for panel in chinese["panels"]:
            assert re.search(r"[\u4e00-\u9fff]", panel["title"] + panel["description"]), panel["title"]


def test_units_descriptions_and_words_for_no_data() -> None:
    for name in BOARDS:
        for panel in panels(name):
            defaults = panel["fieldConfig"]["defaults"]
            assert defaults["unit"], panel["title"]
            assert defaults["noValue"], panel["title"]
            assert panel["description"], panel["title"]


def test_every_rate_over_time_has_its_target_line() -> None:
    for name in BOARDS:
        for panel in panels(name):
            if panel["type"] == "timeseries" and "line_rate" in panel["targets"][0]["expr"]:
                assert any("campus_target_required" in target["expr"] for target in panel["targets"]), panel["title"]
                assert any(override["matcher"]["id"] == "byName" for override in panel["fieldConfig"]["overrides"])


def test_variables_and_links_resolve() -> None:
    uids = {board["uid"] for board in BOARDS.values()}
    for name, board in BOARDS.items():
        known = {each["name"] for each in board["templating"]["list"]} | {"__url_time_range"}
        text = json.dumps(board)
        used = set(re.findall(r"\$\{?(\w+)", text)) - {"__field", "__data", "__all"}
        assert used <= known, f"{name}: {used - known}"
        for uid in re.findall(r'"/d/([\w-]+)', text):
            assert uid in uids, f"{name}: {uid}"
            assert uid.endswith("-en") == (name.startswith("en/")), f"{name} leads to the other language"


def test_every_metric_and_label_exists() -> None:
    for name, title, expression in expressions():
        for metric in re.findall(r"\bcampus_[a-z_]+", expression):
            assert metric in BY_NAME, f"{name}: {title}: {metric}"
        assert set(re.findall(r"\bcampus:[\w:]+", expression)) <= RECORDED, title
        for metric, labels in re.findall(r"\b(campus_[a-z_]+)\{([^}]*)\}", expression):
            for label in re.findall(r"(\w+)(?:=~|!=|=)", labels):
                assert label in (*BY_NAME[metric].labels, "county"), f"{name}: {title}: {metric} has no label {label}"


def simulate(state: Path) -> None:
    """Last month and this one of a small county, with its faults, through the real ingest API: verdicts, problems, trends."""
    today = datetime.now(UTC).date()
    for month in (today.replace(day=1) - timedelta(days=1), today):
        command = [
            sys.executable,
            "-m",
            "campus_collector",
            "simulate",
            "--schools",
            "3",
            "--density",
            "0.4",
            "--month",
            f"{month:%Y-%m}",
        ]
        subprocess.run([*command, "--state-dir", str(state)], check=True, timeout=300)


def feed(world: World) -> None:
    """A round of the present, as a gateway with equipment sends it: what is not polled now is not shown."""
    now = datetime.now(UTC)
    month_start = max(now.replace(day=1, hour=2), now - timedelta(days=20))
    slow = [
        throughput(10e6, 10e6, at=month_start + timedelta(hours=n))
        for n in range(0, 120, 12)
        if month_start + timedelta(hours=n) < now
    ]
    values: dict[str, float] = {
        "uptime_seconds": 1e5, "storage_free_ratio": 0.4, "temperature_celsius": 40, "stream_up": 1, "recording": 1,
        "stream_loss_ratio": 0.001,
    }  # fmt: skip
    device = DeviceRecord("r1", "recorder-generic", True, True, values)
    port = PortRecord("sw-1", "Gi1", "lldp", True, 1e9, "full", receive_errors=0, received_packets=100)
    offer = DhcpOffer("lan", "10.0.0.1", "02:00:00:00:00:01")
    results: list[AnyResult] = [
        *slow,
        throughput(at=now),
        throughput(1e9, 1e9, at=now, subject="uplink"),
        service(at=now),
        DeviceResult(subject="rec-1", record=device, **common(now)),
        RoomResult(subject="r1", record=RoomRecord(True, 1), **common(now)),
        RoomResult(subject="recording_room", record=RoomRecord(True, 1), **common(now)),
        PortResult(subject="c101", record=port, **common(now)),
        NetworkResult(subject="lan", record=NetworkRecord([offer]), **common(now)),
        throughput(at=now, validity=Validity.CROSS_TRAFFIC),
        *lesson_streams(now - timedelta(minutes=5), 5),
    ]
    for place, result in enumerate(results):
        world.send(
            type(result)(**{name: getattr(result, name) for name in result.__struct_fields__} | {"id": f"d-{place}"})
        )


def name_carriers(world: World) -> None:
    """In the inventory, beside what is simulated."""
    inventory = world.service.store.inventory
    whole = inventory.current()
    known = {school.id: school.town for school in world.service.store.schools.all()}
    schools = whole.schools or tuple(
        InventorySchool(town, town, school, school, False) for school, town in known.items()
    )
    named = tuple(msgspec.structs.replace(school, carrier="甲通信公司") for school in schools)
    now = datetime.now(UTC)
    inventory.apply(msgspec.structs.replace(whole, schools=named), {}, "test", now, now)


def ask(port: int, expression: str) -> list[Any]:
    """What Prometheus answers now."""
    query = urllib.parse.urlencode({"query": expression})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/api/v1/query?{query}", timeout=10) as answer:
        found: list[Any] = json.load(answer)["data"]["result"]
    return found


def test_no_panel_is_empty(tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        assert not os.environ.get("CI"), "prometheus must be there under CI"
        pytest.skip("NO PROMETHEUS: install the package prometheus")
    port = free_port()
    simulate(tmp_path / "state")
    with collector(tmp_path / "state") as world:
        world.service.ledger.catch_up()
        feed(world)
        config = (ROOT / "deploy/prometheus/prometheus.yml").read_text(encoding="utf-8").replace("30s", "2s")
        config = config.replace("scrape_timeout: 20s", "scrape_timeout: 2s").replace(
            '["127.0.0.1:8080"]', f'["127.0.0.1:{world.port}"]\n        labels: {{ county: "示例县" }}'
        )
        name_carriers(world)
        (tmp_path / "prometheus.yml").write_text(config)
        for name in ("recording.rules.yml", "alerts.rules.yml"):
            shutil.copy(ROOT / "deploy/prometheus" / name, tmp_path)
        command = ["prometheus", f"--config.file={tmp_path}/prometheus.yml", f"--storage.tsdb.path={tmp_path}/tsdb",
                   f"--web.listen-address=127.0.0.1:{port}"]  # fmt: skip
        with running(command, tmp_path / "prometheus.log"):

            def well() -> bool:
                try:
                    return len(ask(port, "count_over_time(campus_agent_up[1m]) > 4")) > 0
                except OSError:
                    return False

            until(well, 180, "a few scrapes")
            empty = []
            for name, title, expression in expressions():
                if name in OF_AREAS:
                    continue
                asked = expression.replace("$town", "t01").replace("$school", "s001")
                asked = re.sub(r'=~"\$(target|county|carrier)"', '=~".*"', asked)
                if not ask(port, asked):
                    empty.append(f"{name}: {title}: {asked}")
            variables = [
                each["query"]["query"]
                for name, board in BOARDS.items()
                if name not in OF_AREAS
                for each in board["templating"]["list"]
                if each["type"] == "query"
            ]
            for query in set(variables):
                series = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
                assert series is not None
                found = ask(port, series[1].replace("$town", "t01"))
                if not any(series[2] in each["metric"] for each in found):
                    empty.append(query)
    assert empty == []
