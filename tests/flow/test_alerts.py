"""From a school's results to a message: a real collector, Prometheus and Alertmanager; the webhook is the test's. Waiting times are cut to a few
seconds, which a busy machine can keep, and it is always school hours; everything else is the shipped configuration.
"""

import json
import os
import re
import shutil
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_wire.codec import encode_result
from campus_wire.records import AgentState, AnyResult, DhcpOffer, NetworkRecord, NetworkResult, RoomRecord, RoomResult
from tests.agent.measure.equipment.peers import free_port
from tests.collector.export.test_devices import common
from tests.collector.world import World, collector, throughput
from tests.flow.programs import running, until

FOLDER = Path(__file__).parents[2] / "deploy" / "prometheus"
SETTLED_SECONDS = 30.0


def give(world: World, school: str, received_at: datetime, *results: AnyResult) -> None:
    """A batch of a school's agent, as if it had come at that moment."""
    valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
    state = AgentState("0.1.0", "Debian", 0, 0, 0.0)
    batch = Batch(Principal(school, school), received_at, "b", valid, (), state, None)
    world.service.store.submit(batch).result()


class Inbox:
    """Receives Alertmanager's webhooks."""

    def __init__(self) -> None:
        self.messages: list[dict] = []
        inbox = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                inbox.messages.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def told(self) -> Counter[tuple[str, str]]:
        """How often each (alert, school) was told as firing."""
        return Counter(
            (alert["labels"]["alertname"], alert["labels"].get("school", ""))
            for message in self.messages
            for alert in message["alerts"]
            if alert["status"] == "firing"
        )


def configure(folder: Path, collector_port: int, alertmanager_port: int, inbox: int) -> None:
    """The shipped files with shorter times and the test's own ends."""
    alerts = (FOLDER / "alerts.rules.yml").read_text(encoding="utf-8")
    (folder / "alerts.rules.yml").write_text(re.sub(r"for: \w+", "for: 1s", alerts), encoding="utf-8")
    recording = (FOLDER / "recording.rules.yml").read_text(encoding="utf-8")
    always = re.sub(r"(record: campus:(?:school|room)_hours.*\n\s+expr: ).*", r"\1vector(1)", recording)
    (folder / "recording.rules.yml").write_text(always, encoding="utf-8")
    config = (FOLDER / "prometheus.yml").read_text(encoding="utf-8")
    config = config.replace("30s", "3s").replace("scrape_timeout: 20s", "scrape_timeout: 3s")
    config = config.replace("127.0.0.1:9093", f"127.0.0.1:{alertmanager_port}")
    (folder / "prometheus.yml").write_text(config.replace("127.0.0.1:8080", f"127.0.0.1:{collector_port}"))
    routes = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
    routes = re.sub(r"mute_time_intervals: .*", "", routes).replace("group_wait: 1m", "group_wait: 9s")
    receivers = routes.index("receivers:")
    hook = f"    webhook_configs: [{{ url: 'http://127.0.0.1:{inbox}/', send_resolved: true }}]\n"
    own = f"receivers:\n  - name: duty\n{hook}  - name: staff\n{hook}"
    (folder / "alertmanager.yml").write_text(routes[:receivers] + own, encoding="utf-8")


def needs(*programs: str) -> None:
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        assert not os.environ.get("CI"), f"{missing} must be there under CI"
        pytest.skip(f"MISSING {missing}: install prometheus and prometheus-alertmanager")


def test_each_fault_is_told_once_and_an_offline_school_once_in_all(tmp_path: Path) -> None:
    needs("prometheus", "prometheus-alertmanager")
    inbox, alertmanager = Inbox(), free_port()
    now = datetime.now(UTC)
    with collector(tmp_path / "state") as world:
        for school in ("s002", "s003", "s004"):
            world.issue_token(school)  # a school that the collector does not know is not on its page
        rooms = [throughput(10e6, 10e6, at=now, subject=f"c{n}", school=None) for n in range(40)]
        down = RoomResult(subject="r1", record=RoomRecord(False, 1, ["rec-1"]), **common(now))
        give(world, "s001", now - timedelta(minutes=20), *rooms, down)  # offline, and much was wrong before
        one_slow = throughput(50e6, 100e6, at=now, subject="c1", school=None)
        give(world, "s002", now, one_slow, *(throughput(at=now, subject=f"c{n}", school=None) for n in range(2, 9)))
        offers = [DhcpOffer("lan", f"10.0.0.{n}", f"02:00:00:00:00:0{n}") for n in (1, 2)]
        give(
            world,
            "s003",
            now,
            NetworkResult(subject="lan", record=NetworkRecord(offers), **(common(now) | {"school": None})),
        )
        give(world, "s004", now, throughput(at=now, subject="c1", school=None))  # all is well
        configure(tmp_path, world.port, alertmanager, inbox.server.server_port)
        folder = str(tmp_path)
        manager = ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
                   f"--web.listen-address=127.0.0.1:{alertmanager}", "--cluster.listen-address="]  # fmt: skip
        prometheus = ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/tsdb",
                      f"--web.listen-address=127.0.0.1:{free_port()}"]  # fmt: skip
        expected = {("CampusAgentSilent", "s001"), ("CampusClassroomFailing", "s002"), ("CampusTwoDhcpServers", "s003")}
        with running(manager, tmp_path / "am.log"), running(prometheus, tmp_path / "prometheus.log"):
            until(lambda: expected <= set(inbox.told), 180, "each fault is told")
            settled = threading.Event()
            settled.wait(SETTLED_SECONDS)
    inbox.server.shutdown()
    assert inbox.told == dict.fromkeys(expected, 1)
    summaries = {alert["annotations"]["summary_zh"] for message in inbox.messages for alert in message["alerts"]}
    assert "学校 s001（s001） 的网关 30 分钟以上未上报，请联系学校检查电源和线路" in summaries
