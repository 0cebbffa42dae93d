"""A full spool is emptied while the agent begins again, by itself and by others: nothing is lost, and nothing is stored twice."""

import contextlib
import hashlib
import http.client
import http.server
import json
import queue
import signal
import subprocess
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from campus_agent.config.read import load_config
from campus_agent.spool.spool import open_spool
from tests.agent.measure.equipment.peers import free_port
from tests.agent.spool.things import measured
from tests.collector.stored import stored_results
from tests.flow.programs import agent_status, get_json, logged, python, start, stop, until
from tests.flow.test_chaos import ENVIRONMENT

WAITING = 3000
"""Results: six batches, in a spool for a hundred more."""
PATIENCE_SECONDS = 60.0


class Relay(http.server.ThreadingHTTPServer):
    """Between agent and collector. The answer to a batch that the collector has stored waits until the test lets it go."""

    daemon_threads = True

    def __init__(self, collector_port: int) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.collector_port = collector_port
        self.configuration: bytes | None = None
        self.is_holding = True
        self.held: queue.Queue[threading.Event] = queue.Queue()
        self.asked_for_configuration: queue.Queue[threading.Event] = queue.Queue()


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Relay

    def do_POST(self) -> None:
        status, body = self._forwarded(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/v1/results" and self.server.is_holding and json.loads(body).get("stored"):
            answered = threading.Event()
            self.server.held.put(answered)
            answered.wait(PATIENCE_SECONDS)
        self._answer(status, body)

    def do_GET(self) -> None:
        if self.path != "/v1/config":
            self._answer(*self._forwarded(b""))
            return
        answered = threading.Event()
        self.server.asked_for_configuration.put(answered)
        answered.wait(PATIENCE_SECONDS)
        body = self.server.configuration or b""
        tag = f'"{hashlib.sha256(body).hexdigest()[:32]}"'
        if self.headers.get("If-None-Match") == tag:
            self._answer(304, b"")
        else:
            self._answer(200 if body else 404, body)

    def _forwarded(self, body: bytes) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.server.collector_port, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            headers = {name: value for name, value in self.headers.items() if name not in ("Host", "Connection")}
            connection.request(self.command, self.path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.read()

    def _answer(self, status: int, body: bytes) -> None:
        with contextlib.suppress(OSError):  # the agent has gone meanwhile
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def relay_to(collector_port: int) -> Iterator[Relay]:
    relay = Relay(collector_port)
    threading.Thread(target=relay.serve_forever, daemon=True).start()
    try:
        yield relay
    finally:
        relay.is_holding = False
        relay.shutdown()
        relay.server_close()


def configured(folder: Path, port: int) -> Path:
    file = folder / "agent.toml"
    lines = ["[agent]", 'school = "s001"', 'state_dir = "state"', "[collector]", f'url = "http://127.0.0.1:{port}"']
    lines += ["[spool]", f"max_results = {WAITING + 100}", "[cycle]", "host_seconds = 10", "ship_seconds = 1"]
    file.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return file


def filled(file: Path) -> set[str]:
    """The ids of the results that wait."""
    config = load_config(file, {})
    now = datetime.now(UTC)
    results = [measured(number, at=now - timedelta(minutes=WAITING - number)) for number in range(WAITING)]
    with open_spool(config.state_dir, config.spool) as spool:
        spool.put(*results)
    return {item.id for item in results}


def began(log: Path, times: int) -> None:
    until(
        lambda: len(logged(log, "agent starts")) == times, PATIENCE_SECONDS, f"the agent starts for the {times}. time"
    )


def test_a_full_spool_is_emptied_while_the_agent_begins_again_and_again(tmp_path: Path) -> None:
    port = free_port()
    state = ("--state-dir", str(tmp_path / "collector"))
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{port}"
    try:
        command = python("campus_collector", "agent-token", "s001", *state)
        token = subprocess.run(command, check=True, capture_output=True, env=ENVIRONMENT).stdout
        collector = start(python("campus_collector", "serve", *state), tmp_path / "collector.log")
    finally:
        ENVIRONMENT.pop("CAMPUS_SERVER_LISTEN")
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "token").chmod(0o600)
    log = tmp_path / "agent.log"
    try:
        until(lambda: get_json(f"http://127.0.0.1:{port}/readyz"), PATIENCE_SECONDS, "the collector is ready")
        with relay_to(port) as relay:
            file = configured(tmp_path, relay.server_address[1])
            waiting = filled(file)
            command = python("campus_agent", "run", "--config", str(file))
            agent = start(command, log)
            try:
                _begin_again(relay, agent, log)
                for number, ending in enumerate((signal.SIGTERM, signal.SIGKILL), 3):
                    answer = relay.held.get(timeout=PATIENCE_SECONDS)  # stored, and the agent has not heard of it
                    agent.send_signal(ending)
                    agent.wait(PATIENCE_SECONDS)
                    answer.set()
                    agent = start(command, log)
                    relay.asked_for_configuration.get(timeout=PATIENCE_SECONDS).set()
                    began(log, number)
                answer = relay.held.get(timeout=PATIENCE_SECONDS)
                relay.is_holding = False
                answer.set()
                until(
                    lambda: agent_status(file)["spool"]["pending_results"] == 0, PATIENCE_SECONDS, "the spool is empty"
                )
            finally:
                stop(agent)
            spool = agent_status(file)["spool"]
    finally:
        stop(collector)
    stored = [row.id for row in stored_results(tmp_path / "collector" / "campus.db")]
    measured = {line["id"] for line in logged(log, "measured")}
    assert len(stored) == len(set(stored)), "stored twice"
    assert waiting | measured <= set(stored) | _still_waiting(file)
    assert (spool["dropped_total"], spool["quarantined_total"]) == (0, 0)
    assert spool["put_total"] == len(stored) + spool["pending_results"]


def _begin_again(relay: Relay, agent: "subprocess.Popen[bytes]", log: Path) -> None:
    """A new configuration from the collector comes while the answer to a batch is under way: the same process begins again with it."""
    answer = relay.held.get(timeout=PATIENCE_SECONDS)
    relay.configuration = b'{"agent": {"school": "s001"}, "policy_version": "another"}'
    relay.asked_for_configuration.get(timeout=PATIENCE_SECONDS).set()
    began(log, 2)
    answer.set()
    relay.asked_for_configuration.get(timeout=PATIENCE_SECONDS).set()
    assert agent.poll() is None


def _still_waiting(file: Path) -> set[str]:
    """What was measured after the last look."""
    config = load_config(file, {})
    with open_spool(config.state_dir, config.spool) as spool:
        return {entry.id for entry in spool.peek(WAITING)}
