"""What happens to an installed gateway and collector in one booted machine, step by step. Runs inside it; says what it saw as JSON.

    python -m tests.packaging.story FIRST|SECOND OUT.json

FIRST: enrolled, measuring everything by its unit, a new fetched configuration, a backup while results come in, clock steps of two weeks, full disks, an
upgrade. SECOND is the next boot of the same machine: everything goes on by itself.
"""

import contextlib
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from campus_collector.simulate.feed import BatchRefused, Sender
from tests.collector.stored import stored_results
from tests.collector.world import throughput
from tests.packaging.gateway_lab import (
    BOX,
    COMMUNITY,
    PLATFORM_PORT,
    ROOM1,
    ROOM2,
    STREAM_PASSWORD,
    STREAM_PORT,
    SWITCH_PORT,
    gateway_lab,
    inside,
)  # fmt: skip

SCHOOL, SECOND_SCHOOL = "s001", "s002"
STATE, COLLECTOR_STATE = Path("/var/lib/campus-agent"), Path("/var/lib/campus-collector")
CONFIG = "/etc/campus-agent/agent.toml"
CLOCK = Path("/var/lib/clock")
UNITS = ("campus-agent", "campus-collector")
COLLECTOR = ("--config", "/etc/campus-collector/collector.toml")
TWO_WEEKS_SECONDS = 14 * 86_400
WATCHED_AFTER_CONFIGURATION_SECONDS = 100
"""Longer than the unit's TimeoutStopSec (90 s): systemd would have killed a service that told it was stopping."""
PATIENCE_SECONDS = 600
"""For whatever has to happen: a machine that does ten other things beside this test takes long, and is not at fault."""
MORE = f"""
[cycle]
throughput_seconds = 20
latency_seconds = 10
service_seconds = 10
host_seconds = 10
device_seconds = 10
network_seconds = 30
ship_seconds = 1
reference_days = 0
[limits]
daily_test_bytes = 100_000_000_000
max_cpu_ratio = 1.0
[[classroom]]
id = "c101"
host = "{ROOM1}"
switch = "sw-1"
switch_port = "Gi0/1"
[[classroom]]
id = "c102"
host = "{ROOM2}"
engine = "iperf3"
port = 5201
[uplink]
host = "{BOX}"
required_bits_per_second = 50_000_000
[[device]]
id = "rec-1"
room = "r1"
profile = "recorder-generic"
host = "{BOX}"
snmp = {{ version = "2c", community_file = "/var/lib/campus-agent/community" }}
rtsp = {{ url = "rtsp://{BOX}:{STREAM_PORT}/live/1", user = "monitor", password_file = "/var/lib/campus-agent/stream" }}
[[device]]
id = "sw-1"
profile = "switch-generic"
host = "{BOX}"
snmp = {{ version = "2c", community_file = "/var/lib/campus-agent/community", port = {SWITCH_PORT} }}
"""
FAKETIME = """[Service]
Environment=LD_PRELOAD={library} FAKETIME_TIMESTAMP_FILE={file} FAKETIME_NO_CACHE=1 FAKETIME_DONT_FAKE_MONOTONIC=1 FAKETIME_DONT_RESET=1
"""
LAB_FOLDER, TEST_KEY = Path("/srv/lab"), STATE / "test.key"
LAB_UNIT = """[Unit]
Description=the school around this gateway, which is there when it boots
Before=campus-agent.service
[Service]
Type=notify
NotifyAccess=all
TimeoutStartSec=infinity
WorkingDirectory={project}
Environment=PYTHONPATH={python_path} PYTHONDONTWRITEBYTECODE=1
ExecStart={python} -m tests.packaging.gateway_lab {folder} {key}
[Install]
WantedBy=multi-user.target
"""
"""A classroom's machine that was not found is looked for again only after ten minutes."""
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def run(*argv: str, seconds: float = PATIENCE_SECONDS, **options: Any) -> dict[str, Any]:
    """A command as a user types it: exit code and output."""
    options = {"env": os.environ | {"CAMPUS_LANG": "en", "LC_ALL": "C.UTF-8"}} | options
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=seconds, stdin=subprocess.DEVNULL, **options)  # fmt: skip
    except subprocess.TimeoutExpired:
        return {"code": None, "out": "", "error": f"not done after {seconds} s"}
    return {"code": done.returncode, "out": done.stdout[-20_000:], "error": done.stderr[-5_000:]}


def must(*argv: str, seconds: float = PATIENCE_SECONDS) -> str:
    """A command that has to work: its output. Raises AssertionError with what it printed."""
    output = run(*argv, seconds=seconds)
    assert output["code"] == 0, (argv, output)
    return str(output["out"])


def until(condition: Callable[[], Any], what: str) -> Any:
    """Wait for something to become true. Raises TimeoutError."""
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError, sqlite3.Error):
            if value := condition():
                return value
        time.sleep(0.3)
    raise TimeoutError(f"not within {PATIENCE_SECONDS} s: {what}")


def ready() -> bool:
    """Does the collector answer?"""
    with _direct.open("http://127.0.0.1:8080/readyz", timeout=5) as answer:
        return bool(answer.status == 200)


def outcomes() -> Counter[str]:
    """How many results of each kind and subject the collector has that measured something: `kind/subject`."""
    counts: Counter[str] = Counter()
    for row in stored_results(COLLECTOR_STATE / "campus.db", SCHOOL):
        result = json.loads(row.raw)
        counts[f"{row.kind}/{row.subject}"] += result.get("failure") is None and result.get("record") is not None
    return counts


def properties(unit: str) -> dict[str, str]:
    """What systemd says of a unit."""
    names = "ActiveState,SubState,NRestarts,MainPID,Result,ExecMainStartTimestampMonotonic"
    output = subprocess.run(
        ["systemctl", "show", unit, f"--property={names}"], capture_output=True, text=True, check=False
    )
    return dict(line.split("=", 1) for line in output.stdout.splitlines())


class Watch:
    """Looks at both units each second."""

    def __init__(self) -> None:
        self.seen: dict[str, list[dict[str, str]]] = {unit: [] for unit in UNITS}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def _look(self) -> None:
        while not self._ended.wait(1.0):
            for unit in UNITS:
                now = properties(unit)
                if not self.seen[unit] or self.seen[unit][-1] != now:
                    self.seen[unit].append(now)

    def end(self) -> dict[str, list[dict[str, str]]]:
        """Every state that was seen, once for each change."""
        self._ended.set()
        self._thread.join()
        return self.seen


def sandboxed(unit: str, *argv: str) -> dict[str, Any]:
    """A command under the same sandbox and user as a unit, as systemd sets it up."""
    text = Path(f"/lib/systemd/system/{unit}.service").read_text()
    service = text.partition("[Service]")[2].partition("[Install]")[0]
    left_out = ("ExecStart", "Type", "Restart", "WatchdogSec", "StateDirectory", "TimeoutStopSec")
    lines = [line for line in service.splitlines() if "=" in line and line[0] != "#" and not line.startswith(left_out)]
    where = [f"--property=ReadWritePaths=/var/lib/{unit}", "--setenv=CAMPUS_LANG=en", "--setenv=LC_ALL=C.UTF-8"]
    return run(
        "systemd-run",
        "--wait",
        "--pipe",
        "--collect",
        "--quiet",
        *where,
        *(f"--property={line}" for line in lines),
        *argv,
    )


def browse() -> dict[str, Any]:
    """The classroom's page by hand, from the classroom's own machine. FAKE browser: plain HTTP in the order of the page's script."""
    done = inside("room1").run(sys.executable, "-m", "tests.packaging.browser", "10.77.0.1", "8090", timeout=600)
    return {"code": done.returncode, "out": done.stdout, "error": done.stderr[-2000:]}


class Writer:
    """Another school's gateway, which sends batches one after another until it is ended. FAKE gateway: invented results, real requests."""

    def __init__(self) -> None:
        token = must("campus-collector", "agent-token", SECOND_SCHOOL, *COLLECTOR).strip()
        self._sender = Sender("127.0.0.1", 8080, SECOND_SCHOOL, token, seed=1)
        self.error = ""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._write)
        self._thread.start()

    @property
    def stored(self) -> int:
        """So many results were acknowledged until now."""
        return self._sender.stored

    def _write(self) -> None:
        while not self._ended.wait(0.05):
            results = [throughput(at=datetime.now(UTC), school=SECOND_SCHOOL) for _ in range(20)]
            try:
                for _ in self._sender.send(results, late=False):
                    pass
            except (BatchRefused, OSError) as error:
                self.error = repr(error)
                return

    def end(self) -> int:
        """How many results were acknowledged."""
        self._ended.set()
        self._thread.join()
        self._sender.close()
        return self.stored


def backup_while_written() -> dict[str, Any]:
    """A backup, and how many results the collector acknowledged meanwhile."""
    writer = Writer()
    try:
        until(lambda: writer.stored or writer.error, "a result of the second school")
        before = writer.stored
        done = run("campus-collector", "backup", str(COLLECTOR_STATE / "during.db"), *COLLECTOR)
        return done | {"meanwhile": writer.stored - before, "writer": writer.error}
    finally:
        writer.end()


def fill(folder: Path, seconds: float) -> dict[str, Any]:
    """No space is left for some seconds; the units' states at the end of them."""
    filler = folder / "filler"
    with filler.open("wb") as file, contextlib.suppress(OSError):
        while True:
            file.write(bytes(1 << 20))
            file.flush()
    left = shutil.disk_usage(folder).free
    time.sleep(seconds)
    states = {unit: properties(unit)["ActiveState"] for unit in UNITS}
    filler.unlink()
    return {"free": left, "states": states}


def spool() -> dict[str, Any]:
    """The agent's counts."""
    answer = run("campus-agent", "status", "--json", "--config", CONFIG)
    status: dict[str, Any] = json.loads(answer["out"])
    return status


def enrol() -> None:
    """The bureau's inventory and code, the school's own file, as the documents say."""
    inventory = Path("/srv/inventory")
    must("campus-collector", "inventory", "import", str(inventory), *COLLECTOR)
    must("campus-collector", "inventory", "export", "/srv/inventory.xlsx", *COLLECTOR)
    code = must("campus-collector", "enroll-code", SCHOOL, "--url", "http://127.0.0.1:8080", *COLLECTOR).strip()
    CLOCK.write_text("+0\n")
    folder = Path("/etc/systemd/system/campus-agent.service.d")
    folder.mkdir()
    library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"))
    (folder / "clock.conf").write_text(FAKETIME.format(library=library, file=CLOCK))
    run("systemctl", "daemon-reload")
    must("campus-agent", "enroll", "http://127.0.0.1:8080", code)
    for name, text in {"community": COMMUNITY, "stream": STREAM_PASSWORD}.items():
        (STATE / name).write_text(text + "\n")
        (STATE / name).chmod(0o600)
        shutil.chown(STATE / name, "campus-agent", "campus-agent")
    with open(CONFIG, "a") as file:
        file.write(MORE)


def new_configuration() -> None:
    """The bureau adds a platform; the agent asks when it has started, and begins again with it."""
    text = f"service_id,service,url,town_id\nweb-1,平台,http://{BOX}:{PLATFORM_PORT}/,\n"
    Path("/srv/inventory/services.csv").write_text(text)
    must("campus-collector", "inventory", "import", "/srv/inventory", *COLLECTOR)
    must("systemctl", "restart", "campus-agent")
    until(lambda: outcomes()["service/web-1"], "a result of the platform that only the bureau knows")


EXPECTED = (
    "throughput/c101", "throughput/c102", "throughput/uplink", "latency/c101", "host/gateway", "device/rec-1", "device/sw-1",
    "room/r1", "port/c101", "network/lan",
)  # fmt: skip


def first() -> dict[str, Any]:
    """The first boot."""
    said: dict[str, Any] = {}
    until(ready, "the collector")
    enrol()
    with gateway_lab(LAB_FOLDER, TEST_KEY):
        new_configuration()
        watch = Watch()
        try:
            configured = time.monotonic()
            said["commands"] = commands()
            until(
                lambda: all(outcomes()[name] for name in EXPECTED),
                f"a result of each of {EXPECTED}, only {outcomes()}",
            )
            said["page"] = browse()
            said["backup"] = backup_while_written()
            for step in (TWO_WEEKS_SECONDS, -TWO_WEEKS_SECONDS, 0):
                CLOCK.write_text(f"{step:+d}\n")
                time.sleep(15)
            said["full"] = {str(folder): fill(folder, 12) for folder in (STATE, COLLECTOR_STATE)}
            before = outcomes()
            until(
                lambda: all(outcomes()[name] > before[name] for name in ("host/gateway", "service/web-1")),
                "results after the full disk",
            )
            time.sleep(max(0.0, configured + WATCHED_AFTER_CONFIGURATION_SECONDS - time.monotonic()))
            said["before_upgrade"] = watch.end()
            said["upgrade"] = run(
                "sh", "-c", "dpkg -i /srv/newer/*.deb", env=os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
            )
            until(ready, "the collector after the upgrade")
            watch = Watch()
            before = outcomes()
            until(lambda: outcomes()["throughput/c101"] > before["throughput/c101"], "a measurement after the upgrade")
        finally:
            said["after_upgrade"] = watch.end()
            said["status"] = spool()
            said["outcomes"] = outcomes()
            said["journal"] = run(
                "journalctl", "-b", "--no-pager", "-o", "cat", "-u", "campus-agent", "-u", "campus-collector"
            )["out"]
    leave_the_lab_to_the_next_boot()
    return said


def leave_the_lab_to_the_next_boot() -> None:
    """A unit of its own builds it before the agent starts."""
    text = LAB_UNIT.format(
        project=Path.cwd(),
        python_path=os.environ["PYTHONPATH"],
        python=sys.executable,
        folder=LAB_FOLDER,
        key=TEST_KEY,
    )
    Path("/etc/systemd/system/school-lab.service").write_text(text)
    must("systemctl", "enable", "--quiet", "school-lab")


def commands() -> dict[str, Any]:
    """Each worker once by hand, under its unit's sandbox."""
    agent = {
        name: sandboxed("campus-agent", "/usr/bin/campus-agent", *argv)
        for name, argv in {
            "campus": ("measure", "classroom", "c101", "--json", "--config", CONFIG),
            "iperf3": ("measure", "classroom", "c102", "--json", "--config", CONFIG),
            "uplink": ("measure", "uplink", "--json", "--config", CONFIG),
            "device": ("measure", "device", "rec-1", "--json", "--config", CONFIG),
            "port": ("measure", "port", "c101", "--json", "--config", CONFIG),
            "service": ("measure", "service", "web-1", "--json", "--config", CONFIG),
            "discover": ("discover", "--json"),
        }.items()
    }
    out = str(COLLECTOR_STATE / "made")
    collector = {
        name: sandboxed("campus-collector", "/usr/bin/campus-collector", *argv, *COLLECTOR)
        for name, argv in {
            "report": (
                "report",
                "--month",
                time.strftime("%Y-%m"),
                "--format",
                "html,pdf,xlsx,docx",
                "--lang",
                "zh",
                "--out",
                out,
            ),
            "import": ("inventory", "import", "/srv/inventory.xlsx", "--dry-run"),
            "verify": ("verify",),
        }.items()
    }
    return agent | collector


def second() -> dict[str, Any]:
    """After a reboot: nobody does anything."""
    said: dict[str, Any] = {"before": {}}
    until(ready, "the collector")
    before = outcomes()
    watch = Watch()
    try:
        names = ("throughput/c101", "throughput/c102", "device/rec-1", "host/gateway", "service/web-1")
        until(
            lambda: all(outcomes()[name] > before[name] for name in names),
            f"results of {names} after the reboot",
        )
        until(lambda: spool()["spool"]["pending_results"] < 20, "the spool is sent")
    finally:
        said["units"] = watch.end()
        # before the spool's counts: what the agent sends between the two is in the counts alone
        said["results"] = [json.loads(row.raw) for row in stored_results(COLLECTOR_STATE / "campus.db", SCHOOL)]
        said["status"] = spool()
        said["journal"] = run(
            "journalctl", "-b", "--no-pager", "-o", "cat", "-u", "campus-agent", "-u", "campus-collector"
        )["out"]
    said["verify"] = run("campus-collector", "verify", *COLLECTOR)
    said["owners"] = sorted(
        {f"{path.owner()} {path.name}" for folder in (STATE, COLLECTOR_STATE) for path in folder.rglob("*")}
    )
    return said


def main(part: str, out: str) -> None:
    """Run a part; whatever stops it is in the answer."""
    said: dict[str, Any] = {}
    try:
        said = {"FIRST": first, "SECOND": second}[part]()
    except Exception as error:  # the answer must reach the test, with what was seen
        said["error"] = repr(error)
        with contextlib.suppress(sqlite3.Error):
            failed = [
                row.raw for row in stored_results(COLLECTOR_STATE / "campus.db", SCHOOL) if b'"failure"' in row.raw
            ]
            said["failures"] = [json.loads(raw) for raw in failed[-10:]]
        said["journal"] = run(
            "journalctl", "-b", "--no-pager", "-o", "cat", "-u", "campus-agent", "-u", "campus-collector"
        )["out"]
        raise
    finally:
        Path(out).write_text(json.dumps(said, ensure_ascii=False, default=str))


if __name__ == "__main__":
    main(*sys.argv[1:])
