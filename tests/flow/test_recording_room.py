"""A recording room on loopback: a real SNMP agent, a real stream, a web page; each fault shows as itself, and nothing else turns red."""

import contextlib
import json
import re
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from tests.agent.measure.equipment.peers import COMMUNITY, STREAM_PASSWORD, free_port, rtsp_source, server, snmpd
from tests.flow.programs import ENVIRONMENT, get_json, python, running, until

CYCLE = "[cycle]\ndevice_seconds = 10\nship_seconds = 1\n"
DEVICES = """
[[device]]
id = "rec-1"
room = "r1"
profile = "recorder-generic"
host = "127.0.0.1"
snmp = {{ version = "2c", community_file = "community", port = {snmp} }}
rtsp = {{ url = "{rtsp}", user = "monitor", password_file = "stream" }}
[[device]]
id = "panel"
room = "r1"
profile = "panel"
host = "127.0.0.1"
required = false
"""
PANEL = (
    'title_en = "Panel"\ntitle_zh = "面板"\nsources = ["its manual"]\nup_when_any = ["http"]\n[http]\nport = {port}\n'
)


def page(client: socket.socket) -> None:
    client.recv(65_536)
    client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")


def metrics(port: int) -> dict[str, float]:
    """The gauges of rooms and devices: `name{device}` to value."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = {}
    for line in text.splitlines():
        if line.startswith(("campus_device_", "campus_room_")):
            name, _, rest = line.partition("{")
            who = re.search(r'device="([^"]+)"', rest)
            found[f"{name}{{{who[1] if who else 'room'}}}"] = float(line.rpartition(" ")[2])
    return found


@contextlib.contextmanager
def school(folder: Path, devices: str, secrets: dict[str, str]) -> Iterator[tuple[int, Path]]:
    """Collector and agent with these devices and files; the collector's port, and the agent's configuration."""
    port = free_port()
    state = ("--state-dir", str(folder / "collector"))
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{port}"
    token = subprocess.run(
        python("campus_collector", "agent-token", "s001", *state), check=True, capture_output=True, env=ENVIRONMENT
    ).stdout
    for name, text in ({"token": token.decode()} | secrets).items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o600)
    (folder / "profiles").mkdir(exist_ok=True)
    config = folder / "agent.toml"
    config.write_text(
        f'[agent]\nschool = "s001"\nstate_dir = "state"\nprofile_dir = "profiles"\n'
        f'[collector]\nurl = "http://127.0.0.1:{port}"\n' + CYCLE + devices
    )
    try:
        with (
            running(python("campus_collector", "serve", *state), folder / "collector.log"),
            running(python("campus_agent", "run", "--config", str(config)), folder / "agent.log"),
        ):
            yield port, config
    finally:
        ENVIRONMENT.pop("CAMPUS_SERVER_LISTEN")


def seen(port: int, **expected: float) -> bool:
    """Do these gauges of the recorder (and `room`, `panel`) have these values now?"""
    with contextlib.suppress(OSError):
        now = metrics(port)
        names = {"room": "campus_room_up{room}", "panel": "campus_device_up{panel}"}
        return all(now.get(names.get(key, f"campus_device_{key}{{rec-1}}")) == value for key, value in expected.items())
    return False


def test_each_fault_shows_as_itself(tmp_path: Path) -> None:
    with server(page) as panel, contextlib.ExitStack() as stack:
        stream = contextlib.ExitStack()
        url = stream.enter_context(rtsp_source("digest"))
        stack.push(stream)
        agent = contextlib.ExitStack()
        snmp = agent.enter_context(snmpd(tmp_path))
        stack.push(agent)
        (tmp_path / "profiles").mkdir()
        (tmp_path / "profiles" / "panel.toml").write_text(PANEL.format(port=panel), encoding="utf-8")
        secrets = {"community": COMMUNITY, "stream": STREAM_PASSWORD}
        port, config = stack.enter_context(school(tmp_path, DEVICES.format(snmp=snmp, rtsp=url), secrets))
        until(lambda: seen(port, up=1, stream_up=1, room=1, panel=1), 120, "all is well")
        assert metrics(port)["campus_device_storage_free_ratio{rec-1}"] > 0

        actual = get_json(f"http://127.0.0.1:{port}/v1/compliance?target=recording_room")
        assert [subject["subject"] for subject in actual["subjects"]] == ["recording_room"]
        (tmp_path / "stream").write_text("a wrong password\n")
        until(lambda: seen(port, up=1, stream_up=0, room=1, panel=1), 120, "the stream's password is wrong")
        (tmp_path / "stream").write_text(STREAM_PASSWORD)
        until(lambda: seen(port, up=1, stream_up=1, room=1, panel=1), 120, "and right again")

        stream.close()
        until(lambda: seen(port, up=1, stream_up=0, room=1, panel=1), 120, "the stream has stopped")
        agent.close()
        until(
            lambda: seen(port, up=0, room=0, panel=1), 120, "the recorder is gone: its room is down, the panel is not"
        )

        done = subprocess.run(
            python("campus_agent", "measure", "device", "rec-1", "--json", "--config", str(config)),
            capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=180,
        )  # fmt: skip
        actual = json.loads(done.stdout)
        assert (done.returncode, actual["up"], actual["room"], actual["kind"]) == (1, False, "r1", "device")
        assert actual["readings"]["stream_up"] == 0
        fine = subprocess.run(
            python("campus_agent", "measure", "device", "panel", "--config", str(config)),
            capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=180,
        )  # fmt: skip
        assert (fine.returncode, fine.stdout.strip()) == (0, "panel (panel): up")
    told = (tmp_path / "agent.log").read_text() + (tmp_path / "collector.log").read_text() + done.stdout + done.stderr
    told += "".join(path.read_text(errors="replace") for path in (tmp_path / "state").glob("status.json"))
    for secret in (COMMUNITY, STREAM_PASSWORD, "a wrong password"):
        assert secret not in told
    assert "Traceback" not in told
