"""A recording room of recorder, camera and UPS, with one fault after the other: each shows within two rounds, as its own metric and its own
words in both languages, and nothing else turns red. No secret is in anything that is written, shown or listed.
"""

import asyncio
import contextlib
import html
import re
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from campus_agent.measure.equipment.snmp import Access, Snmp
from tests.agent.measure.equipment.peers import COMMUNITY, free_port, rtsp_source, server, snmpd, ups
from tests.agent.measure.equipment.test_poll import frozen
from tests.fakes.onvif_camera import PASSWORD, USER, FakeCamera
from tests.flow.programs import ENVIRONMENT, python, until
from tests.flow.test_recording_room import metrics, school

TWO_ROUNDS_SECONDS = 3 * (2 * 10 + 8)
"""Two rounds of ten seconds, the asking of a device that is silent, and the sending; on a machine that is three times as slow."""
WRONG = "a-wrong-password-for-the-camera"
DEVICES = """
[[device]]
id = "rec-1"
room = "r1"
profile = "host-resources"
host = "127.0.0.1"
snmp = {{ version = "2c", community_file = "community", port = {recorder} }}
[[device]]
id = "cam-1"
room = "r1"
profile = "camera-onvif"
host = "127.0.0.1"
onvif = {{ port = {camera}, user = "{user}", password_file = "camera" }}
[[device]]
id = "ups-1"
room = "r1"
profile = "ups-generic"
host = "127.0.0.1"
required = false
snmp = {{ version = "2c", community_file = "community", port = {ups} }}
"""
_DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))
_STORAGE = "1.3.6.1.2.1.25.2.3.1"


def page(port: int, language: str, below: str = "") -> str:
    """The school's page, or one below it."""
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/schools/s001{below}", headers={"Accept-Language": language}
    )
    with _DIRECT.open(asked, timeout=10) as answer:
        return html.unescape(answer.read().decode())


def red(port: int, language: str = "en") -> dict[str, list[str]]:
    """What the page has to say against each device: that it does not work, and its remarks. Devices that are well are left out."""
    found = {}
    for row in re.findall(r'<tr>\s*<th scope="row">(?:(?!</tr>).)*</tr>', page(port, language), re.DOTALL):
        name = re.search(r'<th scope="row"><a [^>]*>([\w-]+)</a> <span', row)
        if name:
            broken = [word for word in ("does not work", "异常") if word in row]
            notes = broken + [
                re.sub(r"3240\d|3239\d", "32400", match.strip()) for match in re.findall(r"<div>(.*?)</div>", row)
            ]
            if notes:
                found[name[1]] = notes
    return found


def shows(port: int, gauges: dict[str, float | None], expected: dict[str, list[str]]) -> None:
    """Within two rounds: these metrics (None: absent), these words, and no others."""

    def now() -> bool:
        with contextlib.suppress(OSError):
            known = metrics(port)
            right = all(known.get(f"campus_{name}") == value for name, value in gauges.items())
            return right and red(port) == expected
        return False

    try:
        until(now, TWO_ROUNDS_SECONDS, str(expected))
    except AssertionError:
        raise AssertionError(f"{expected}, not {red(port)} with {metrics(port)}") from None


async def _disks(port: int) -> dict[str, int]:
    """The sizes of the fixed disks in the agent's table, by row."""
    columns = [f"{_STORAGE}.{n}" for n in (2, 5)]
    rows, _ = await Snmp().walk("127.0.0.1", Access("2c", COMMUNITY), columns, port)
    disks = [index for index, kind in rows[columns[0]].items() if kind == "1.3.6.1.2.1.25.2.1.4"]
    return {index: int(rows[columns[1]][index]) for index in disks}


def storage(port: int, *shares: float) -> str:
    """Lines for snmpd: its disks, the largest first, used to these shares, the last for all that follow; a load, which it tells only after a minute else."""
    sizes = dict(sorted(asyncio.run(_disks(port)).items(), key=lambda disk: -disk[1]))
    padded = [*shares, *[shares[-1]] * len(sizes)]
    return "override .1.3.6.1.2.1.25.3.3.1.2.196608 integer 7\n" + "".join(
        f"override .{_STORAGE}.6.{index} integer {int(size * share)}\n"
        for (index, size), share in zip(sizes.items(), padded, strict=False)
        if size > 0
    )


@contextlib.contextmanager
def swapped(stack: contextlib.ExitStack, peer: contextlib.AbstractContextManager[int]) -> Iterator[None]:
    """End what the stack holds, and start this in its place."""
    stack.close()
    stack.enter_context(peer)
    yield


def command_lines() -> str:
    """Every process's command line and environment of ours, as `ps` and /proc show them."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            line = (folder / "cmdline").read_bytes()
            if b"campus_" in line:
                found.append(line + (folder / "environ").read_bytes())
    assert found
    return b"\n".join(found).decode(errors="replace")


def test_each_fault_shows_as_itself_and_no_secret_anywhere(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        live = stack.enter_context(rtsp_source())
        still = stack.enter_context(server(frozen))
        camera = FakeCamera(live)
        camera_port = stack.enter_context(server(camera.serve))
        with snmpd(tmp_path) as probe:
            healthy, full = storage(probe, 0.4), storage(probe, 0.99, 0.4)
        recorder, supply = stack.enter_context(contextlib.ExitStack()), stack.enter_context(contextlib.ExitStack())
        recorder_port, ups_port = free_port(), free_port()
        recorder.enter_context(snmpd(tmp_path, healthy, recorder_port))
        supply.enter_context(ups(tmp_path, port=ups_port))
        devices = DEVICES.format(recorder=recorder_port, camera=camera_port, ups=ups_port, user=USER)
        port, config = stack.enter_context(school(tmp_path, devices, {"community": COMMUNITY, "camera": PASSWORD}))
        well: dict[str, float | None] = {
            "device_up{rec-1}": 1, "device_up{cam-1}": 1, "device_up{ups-1}": 1, "room_up{room}": 1,
            "device_stream_up{cam-1}": 1, "device_recording{cam-1}": 1,
        }  # fmt: skip
        until(lambda: metrics_or_none(port), 120, "the first round")
        shows(port, well, {})

        camera.clock_ahead_seconds = 9 * 3600
        shows(port, well, {"cam-1": ["beyond its limit: clock ahead by 32400 s"]})
        assert red(port, "zh") == {"cam-1": ["超出限值：时钟超前 32400 秒"]}
        camera.clock_ahead_seconds = 0

        camera.stream = f"rtsp://127.0.0.1:{still}/live"
        shows(
            port,
            well | {"device_stream_up{cam-1}": 0},
            {"cam-1": ["live stream: no answer in time", "beyond its limit: live stream no"]},
        )
        camera.stream = live

        (tmp_path / "camera").write_text(WRONG)
        refused = [f"{name}: not authorised" for name in ("firmware", "recording", "live stream")]
        shows(port, well | {"device_stream_up{cam-1}": None, "device_recording{cam-1}": None}, {"cam-1": refused})
        (tmp_path / "camera").write_text(PASSWORD)

        with swapped(recorder, snmpd(tmp_path, full, recorder_port)):
            shows(port, well, {"rec-1": ["beyond its limit: free on the fullest disk 1.0%"]})
            assert 0.009 < metrics(port)["campus_device_storage_free_ratio{rec-1}"] < 0.011
        with swapped(supply, ups(tmp_path, 5, ups_port)):
            recorder.close()
            recorder.enter_context(snmpd(tmp_path, healthy, recorder_port))
            shows(port, well, {"ups-1": ["beyond its limit: on battery yes"]})
        supply.close()
        shows(port, well | {"device_up{ups-1}": 0}, {"ups-1": ["does not work", "no answer in time"]})
        recorder.close()
        gone = ["does not work", "no answer in time"]
        shows(
            port,
            well | {"device_up{ups-1}": 0, "device_up{rec-1}": 0, "room_up{room}": 0},
            {"rec-1": gone, "ups-1": gone},
        )

        listed = command_lines()
        shown = page(port, "en") + page(port, "zh") + str(metrics(port))
        for command in (("status", "--json"), ("doctor", "--json"), ("measure", "device", "cam-1", "--json")):
            shown += run(*command, "--config", str(config))
    no_secrets(tmp_path, shown + listed)


def metrics_or_none(port: int) -> dict[str, float]:
    with contextlib.suppress(OSError):
        return metrics(port)
    return {}


def run(*arguments: str) -> str:
    done = subprocess.run(
        python("campus_agent", *arguments), capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=180
    )
    return done.stdout + done.stderr


def no_secrets(folder: Path, shown: str) -> None:
    """None in what people see, and none in any file but the secrets' own and those of the peers that know them too."""
    own = {"community", "camera", "agent.conf"}
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in own]
    files = [
        path
        for path in files
        if not {"ups-data", "ups-cache", "snmp-state"} & set(path.parts) and path.name != "ups.log"
    ]
    names = {path.name for path in files}
    assert {"agent.log", "collector.log", "agent.toml"} <= names
    assert [name for name in names if name.endswith((".db", ".db-wal", ".json"))], "the stores are among them"
    for secret in (COMMUNITY, PASSWORD, WRONG):
        assert secret not in shown
        assert not [path for path in files if secret.encode() in path.read_bytes()], secret
    assert "Traceback" not in shown
