"""What the sample for Alertmanager sends to WeCom and by e-mail: a real Alertmanager; the platform and the mail server are the test's.

Waiting times are cut to seconds; everything else is the shipped configuration.
"""

import contextlib
import email
import email.policy
import json
import re
import socketserver
import threading
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import cast

import pytest

from tests.agent.measure.equipment.peers import free_port
from tests.flow.programs import running, until
from tests.flow.test_alerts import FOLDER, needs

WECOM_BYTES = 2048
"""Bytes of a text message (https://developer.work.weixin.qq.com/document/path/90236); what is beyond is cut off."""
COUNTS = re.compile(r"告警 (\d+) 条，恢复 (\d+) 条")


class WeCom:
    """The two requests of WeCom that Alertmanager uses."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        texts = self.texts

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer({"errcode": 0, "access_token": "token"})

            def do_POST(self) -> None:
                message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                texts.append(message["text"]["content"])
                self._answer({"errcode": 0})

            def _answer(self, answer: dict[str, object]) -> None:
                self.send_response(200)
                self.end_headers()
                self.wfile.write(json.dumps(answer).encode())

            def log_message(self, *_: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


class Mail:
    """A mail server that keeps what it receives."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        messages = self.messages

        class Handler(socketserver.StreamRequestHandler):
            def handle(self) -> None:
                self.wfile.write(b"220 mail.example\r\n")
                while line := self.rfile.readline():
                    command = line.split()[0].upper()
                    if command == b"DATA":
                        self.wfile.write(b"354 go on\r\n")
                        content = b"".join(iter(self.rfile.readline, b".\r\n"))
                        parsed = email.message_from_bytes(content, policy=email.policy.default)
                        messages.append(cast(EmailMessage, parsed))
                    self.wfile.write(b"221 end\r\n" if command == b"QUIT" else b"250 mail.example\r\n")

        self.server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def subjects(self) -> list[str]:
        return [str(message["Subject"]) for message in self.messages]

    @property
    def bodies(self) -> list[str]:
        """The text of each message; it has no other part."""
        parts = [[part for part in message.walk() if not part.is_multipart()] for message in self.messages]
        assert all(len(leaves) == 1 for leaves in parts)
        return [leaves[0].get_content().replace("\r\n", "\n").strip() for leaves in parts]


class Manager:
    """A running Alertmanager with the sample's routes and texts."""

    def __init__(self, port: int, wecom: WeCom, mail: Mail, log: Path) -> None:
        self.port, self.wecom, self.mail, self.log = port, wecom, mail, log

    def post(self, alerts: list[dict[str, object]]) -> None:
        """As Prometheus does it: 64 alerts a request."""
        for first in range(0, len(alerts), 64):
            request = urllib.request.Request(
                f"http://127.0.0.1:{self.port}/api/v2/alerts",
                json.dumps(alerts[first : first + 64]).encode(),
                {"Content-Type": "application/json"},
            )
            urllib.request.urlopen(request, timeout=10).close()

    def is_ready(self) -> bool:
        with contextlib.suppress(OSError):
            urllib.request.urlopen(f"http://127.0.0.1:{self.port}/-/ready", timeout=5).close()
            return True
        return False

    def counts(self) -> list[tuple[int, int]]:
        """Of each WeCom text: alerts that fire, alerts that have ended."""
        return [(int(match[1]), int(match[2])) for text in self.wecom.texts if (match := COUNTS.search(text))]


@contextlib.contextmanager
def manager(folder: Path, *, holiday: bool = False) -> Iterator[Manager]:
    """Alertmanager for the length of a block. `holiday`: every day is in the sample's `holidays`; else no interval holds."""
    needs("prometheus-alertmanager")
    wecom, mail, port = WeCom(), Mail(), free_port()
    text = (FOLDER / "alertmanager.yml").read_text(encoding="utf-8")
    text = text.replace("mute_time_intervals: [night, holidays]", "mute_time_intervals: [holidays]" if holiday else "")
    text = text.replace('["saturday", "sunday"]', '["sunday:saturday"]')
    text = text.replace("group_wait: 1m", "group_wait: 2s").replace("group_interval: 10m", "group_interval: 2s")
    text = text.replace("corp_id: ", f"api_url: http://127.0.0.1:{wecom.server.server_port}/\n        corp_id: ")
    text = text.replace(
        "mail.bureau.example:587", f"127.0.0.1:{mail.server.server_address[1]}\n        require_tls: false"
    )
    text = re.sub(r"\n +auth_\w+: .*", "", text)
    (folder / "alertmanager.yml").write_text(text, encoding="utf-8")
    command = ["prometheus-alertmanager", f"--config.file={folder}/alertmanager.yml", f"--storage.path={folder}/am",
               f"--web.listen-address=127.0.0.1:{port}", "--cluster.listen-address=", "--log.level=debug"]  # fmt: skip
    with running(command, folder / "am.log"):
        running_manager = Manager(port, wecom, mail, folder / "am.log")
        until(running_manager.is_ready, 60, "Alertmanager answers")
        yield running_manager
    wecom.server.shutdown()
    mail.server.shutdown()


def alerts(
    count: int, name: str, cause: str = "CampusAgentSilent", ended: bool = False, **labels: str
) -> list[dict[str, object]]:
    """One alert a school; `name` is in each summary."""
    now = datetime.now(UTC).isoformat()
    return [
        {
            "labels": {"alertname": cause, "severity": "critical", "school": f"s{number:03}"} | labels,
            "annotations": {
                "summary_zh": f"学校 {name}（s{number:03}） 的网关未上报",
                "runbook_url": "https://collector.example/help/alerts.html",
            },
        }
        | {"endsAt" if ended else "startsAt": now}
        for number in range(count)
    ]


@pytest.mark.parametrize(
    "name",
    ["示例县实验小学", "很长的校名" * 30, "𠙶" * 60],
    ids=["usual", "long", "four bytes a character"],
)
def test_a_hundred_schools_with_one_cause_are_one_message(name: str, tmp_path: Path) -> None:
    with manager(tmp_path) as running_manager:
        running_manager.post(alerts(100, name))
        until(lambda: sum(running_manager.counts()[-1:], ()) == (100, 0), 60, "a message with all schools")
        until(lambda: running_manager.mail.messages, 60, "an e-mail")
        running_manager.post(alerts(60, name, ended=True))
        until(lambda: sum(running_manager.counts()[-1:], ())[:1] == (40,), 60, "a message of those that recovered")
        running_manager.post(alerts(100, name, ended=True))
        until(lambda: sum(running_manager.counts()[-1:], ())[:1] == (0,), 60, "a message that all have recovered")
    texts = running_manager.wecom.texts
    assert len(texts) <= 5
    assert all(len(text.encode()) <= WECOM_BYTES for text in texts)
    assert all("\ufffd" not in text for text in texts)
    lines = texts[0].splitlines()
    assert lines[0] == "[校园测] CampusAgentSilent：告警 100 条，恢复 0 条"
    assert len(lines) == 12
    assert all(line.startswith("学校 ") for line in lines[1:11])
    assert lines[11] == "……共 100 条，以上为前 10 条，其余请看采集平台网页"
    assert all(line.startswith("已恢复：学校 ") for line in texts[-1].splitlines()[1:11])
    assert running_manager.mail.subjects[0] == "[校园测] CampusAgentSilent：告警 100 条，恢复 0 条"
    assert running_manager.mail.bodies[0] == texts[0]


def test_a_single_school_is_named_in_the_subject_too(tmp_path: Path) -> None:
    with manager(tmp_path) as running_manager:
        running_manager.post(alerts(1, "柳河小学"))
        until(lambda: running_manager.wecom.texts and running_manager.mail.messages, 60, "both messages")
    summary = "学校 柳河小学（s000） 的网关未上报"
    assert running_manager.wecom.texts == [f"[校园测] CampusAgentSilent：告警 1 条，恢复 0 条\n{summary}"]
    assert running_manager.mail.subjects == [f"[校园测] CampusAgentSilent：告警 1 条，恢复 0 条（{summary}）"]


def test_causes_and_counties_are_messages_of_their_own(tmp_path: Path) -> None:
    with manager(tmp_path) as running_manager:
        running_manager.post(
            [
                *alerts(50, "甲", county="甲县"),
                *alerts(50, "乙", county="乙县"),
                *alerts(50, "丙", "CampusSpoolDropping", county="丙县"),
            ]
        )
        until(
            lambda: len(set(running_manager.counts())) == 1 and len(running_manager.counts()) >= 3, 60, "three messages"
        )
    assert {text.splitlines()[0] for text in running_manager.wecom.texts} == {
        "[校园测] 甲县 CampusAgentSilent：告警 50 条，恢复 0 条",
        "[校园测] 乙县 CampusAgentSilent：告警 50 条，恢复 0 条",
        "[校园测] 丙县 CampusSpoolDropping：告警 50 条，恢复 0 条",
    }


def test_nothing_critical_is_sent_on_a_holiday(tmp_path: Path) -> None:
    with manager(tmp_path, holiday=True) as running_manager:
        running_manager.post(alerts(100, "柳河小学"))
        until(lambda: "within mute time" in running_manager.log.read_text(), 60, "the group is held back")
    assert running_manager.wecom.texts == []
    assert running_manager.mail.messages == []
