"""A real gateway waits at a real collector: asked for tests in and out of lessons, a command sent again, a gateway that begins anew."""

import json
import sqlite3
import subprocess
import time
import urllib.request
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.agent.measure.equipment.peers import free_port
from tests.flow.programs import ENVIRONMENT, get_json, python, running, start, stop, until
from tests.flow.test_breaks import noon_zone

pytestmark = pytest.mark.sqlite_only("a stored command is set back by hand")
FINAL = ("done", "refused", "failed", "expired")


class Bureau:
    """The collector's side: a person's token, and what is asked with it."""

    def __init__(self, folder: Path, port: int) -> None:
        self.state, self.url = folder / "collector", f"http://127.0.0.1:{port}"
        added = subprocess.run(
            python("campus_collector", "person", "add", "li", "--role", "operator", "--state-dir", str(self.state)),
            check=True, capture_output=True, text=True, env=ENVIRONMENT,
        )  # fmt: skip
        self.token = next(word for word in added.stdout.split() if len(word) > 30)

    def ask(self, subject: str) -> int:
        """The number of the command."""
        body = json.dumps({"subject": subject}).encode()
        request = urllib.request.Request(f"{self.url}/v1/schools/s001/measure", body, self._headers())
        with urllib.request.urlopen(request, timeout=30) as answer:
            number: int = json.load(answer)["number"]
        return number

    def command(self, number: int) -> dict[str, Any]:
        request = urllib.request.Request(f"{self.url}/v1/schools/s001/commands/{number}", headers=self._headers())
        with urllib.request.urlopen(request, timeout=30) as answer:
            command: dict[str, Any] = json.load(answer)
        return command

    def until_state(self, number: int, *states: str) -> dict[str, Any]:
        def reached() -> dict[str, Any] | None:
            command = self.command(number)
            assert command["state"] in states or command["state"] not in FINAL, command
            return command if command["state"] in states else None

        reached_command: dict[str, Any] = until(reached, 120, f"command {number} is {states}")
        return reached_command

    def results(self, subject: str) -> list[dict[str, Any]]:
        request = urllib.request.Request(
            f"{self.url}/v1/results?school=s001&subject={subject}", headers=self._headers()
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            results: list[dict[str, Any]] = json.load(answer)["results"]
        return results

    def send_again(self, number: int) -> None:
        """As a collector does whose database was restored from a backup."""
        for state in ("done", "asked"):
            with sqlite3.connect(self.state / "campus.db", timeout=30) as database:
                database.execute(
                    "UPDATE command SET state = ?, expires_at = expires_at + 3600000000, body = x'7b7d' WHERE number = ?",
                    (state, number),
                )
            time.sleep(
                4
            )  # the collector looks once a second: what changes and changes back between two looks is not seen

    def is_known_after_sending(self, number: int, log: Path) -> bool:
        """Does the gateway say that it knows the command? If not it is to be sent once more."""
        self.send_again(number)
        return "command is known already" in log.read_text()

    def _headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}


def gateway_toml(folder: Path, url: str, port: int) -> Path:
    """A school in a lesson that ends in 30 minutes; its platform is requested so rarely that what comes was asked for."""
    zone = noon_zone()
    now = datetime.now(zone)
    lesson = f"{now - timedelta(minutes=10):%H:%M}-{now + timedelta(minutes=30):%H:%M}"
    (folder / "terms.toml").write_text(f'[[school_day]]\nday = "{now.date()}"\n')
    file = folder / "agent.toml"
    file.write_text(f"""
[agent]
town = "t01"
school = "s001"
state_dir = "state"
timezone = "{zone.key}"
[collector]
url = "{url}"
token_file = "token"
[timetable]
periods = ["{lesson}"]
holidays_file = "terms.toml"
[cycle]
ship_seconds = 1
service_seconds = 3600
[[classroom]]
id = "c101"
host = "127.0.0.1"
port = {port}
[[service]]
id = "web"
name = "Web"
url = "{url}/healthz"
""")
    return file


def test_commands_in_a_lesson_sent_again_and_across_a_restart(tmp_path: Path) -> None:
    port = free_port()
    bureau = Bureau(tmp_path, port)
    token = subprocess.run(
        python("campus_collector", "agent-token", "s001", "--town", "t01", "--state-dir", str(bureau.state)),
        check=True, capture_output=True, env=ENVIRONMENT,
    ).stdout  # fmt: skip
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "token").chmod(0o600)
    config = gateway_toml(tmp_path, bureau.url, free_port())
    run, log = python("campus_agent", "run", "--config", str(config)), tmp_path / "agent.log"
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{port}"
    try:
        with running(python("campus_collector", "serve", "--state-dir", str(bureau.state)), tmp_path / "serve.log"):
            until(lambda: get_json(f"{bureau.url}/healthz"), 60, "the collector is up")
            gateway = start(run, log)
            try:
                until(lambda: bureau.results("web"), 120, f"the gateway reports: {log.read_text()[-2000:]}")
                scheduled = len(bureau.results("web"))

                # a test that loads the line waits for the break
                in_lesson = bureau.ask("c101")
                queued = bureau.until_state(in_lesson, "queued")
                assert 60 < queued["starts_in_seconds"] <= 31 * 60
                # a request to a platform does not
                number = bureau.ask("web")
                done = bureau.until_state(number, "done")
                (caused,) = done["results"]
                until(lambda: caused["id"] in {each["id"] for each in bureau.results("web")}, 60, "the result is there")
                # what the gateway does not measure is refused, with the reason
                assert done["person"] == "li"

                until(lambda: bureau.is_known_after_sending(number, log), 120, "the gateway gets it again")
            finally:
                stop(gateway)
            gateway = start(run, log)
            try:
                interrupted = bureau.until_state(in_lesson, "failed")
                assert interrupted["reason"] == "interrupted"
                until(
                    lambda: log.read_text().count("command is known already") >= 2, 60, "also after it has begun anew"
                )
                later = bureau.until_state(bureau.ask("c101"), "queued")
                assert later["reason"] == ""
                assert bureau.command(number)["state"] == "asked", "nobody runs it again"
                assert len(bureau.results("web")) <= scheduled + 2, "its own and, after the restart, the schedule's"
            finally:
                stop(gateway)
    finally:
        del ENVIRONMENT["CAMPUS_SERVER_LISTEN"]
    assert "Traceback" not in log.read_text() + (tmp_path / "serve.log").read_text()
