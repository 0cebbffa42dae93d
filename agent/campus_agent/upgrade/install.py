"""Installs a fetched package of the agent, waits until the new version has reported, else puts the version before back.

It needs the standard library alone and runs from a copy outside the package, by the system's Python: a package that is broken, or half
unpacked after a power cut, must not take away the program that puts the one before back. The order is a file that is replaced whole. Each
start goes on where it says, so a power cut at any moment is one more start.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal

PACKAGE = "campus-agent"
ORDER_FILE, OUTCOME_FILE = "order.json", "outcome.json"
ACKNOWLEDGED_FILE = Path("/var/lib/campus-agent/acknowledged")
"""Written by the daemon: its version, once the collector has acknowledged a batch of it."""
REPORT_SECONDS = float(os.environ.get("CAMPUS_UPGRADE_REPORT_SECONDS", "1200"))
"""The new version must have reported within this time of its installation, or of the boot after that."""
MOST_STARTS = 6
"""A release by which the machine itself does not stay up is gone back from after so many starts."""
MOST_FAILURES = 3
PAUSE_SECONDS = 5.0
DPKG_SECONDS = 900
MAX_FILE_BYTES = 65_536
UNIT = "campus-agent-install.service"
UNIT_FILE = Path("/etc/systemd/system") / UNIT

Phase = Literal["install", "wait", "back"]


@dataclass(frozen=True)
class Order:
    """What is to be done. `before` and `after` are versions; their packages stand in the folder as `package_file` names them."""

    before: str
    after: str
    number: int = 0
    phase: Phase = "install"
    starts: int = 0
    reason: str = ""


@dataclass(frozen=True)
class Seen:
    """What this process sees: the version that is installed whole ("" for none), that which reported last, seconds waited, failed installations."""

    installed: str
    acknowledged: str = ""
    waited_seconds: float = 0.0
    failures: int = 0


@dataclass(frozen=True)
class Install:
    """Install the package of a version."""

    version: str


@dataclass(frozen=True)
class KeepWaiting:
    """Look again soon."""


@dataclass(frozen=True)
class End:
    """It is over: `outcome` is installed or returned."""

    outcome: Literal["installed", "returned"]


Step = Order | Install | KeepWaiting | End
"""An Order replaces the present one on the disk."""


def next_step(order: Order, seen: Seen) -> Step:
    """What to do now. Pure: all that is known of earlier starts is in the order."""
    if order.phase == "back":
        return End("returned") if seen.installed == order.before else Install(order.before)
    if order.starts > MOST_STARTS:
        return replace(order, phase="back", reason=f"started {MOST_STARTS} times and did not report")
    if order.phase == "install":
        if seen.installed == order.after:
            return replace(order, phase="wait")
        if seen.failures >= MOST_FAILURES:
            return replace(order, phase="back", reason="it could not be installed")
        return Install(order.after)
    if seen.installed != order.after:  # somebody changed it by hand, or the disk lost it
        return replace(order, phase="back", reason="it did not stay installed")
    if seen.acknowledged == order.after:
        return End("installed")
    if seen.waited_seconds >= REPORT_SECONDS:
        return replace(order, phase="back", reason=f"it did not report within {REPORT_SECONDS / 60:.0f} minutes")
    return KeepWaiting()


def package_file(folder: Path, version: str) -> Path:
    """Where the package of a version stands."""
    return folder / f"{PACKAGE}_{version}.deb"


def write_json(path: Path, value: Any) -> None:
    """Replace a file whole, durably. Raises OSError."""
    beside = path.with_name(path.name + ".part")
    with beside.open("w") as file:
        json.dump(value, file)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    descriptor = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_json(path: Path) -> dict[str, Any]:
    """Its object; empty where there is none."""
    with suppress(OSError, ValueError), path.open("rb") as file:
        value = json.loads(file.read(MAX_FILE_BYTES))
        if isinstance(value, dict):
            return value
    return {}


def read_order(folder: Path) -> Order | None:
    """What is to be done; None of nothing."""
    values = read_json(folder / ORDER_FILE)
    return Order(**values) if values else None


def acknowledged(path: Path = ACKNOWLEDGED_FILE) -> str:
    """The version that reported last. The file is the daemon's: no link is followed, and little of it is read."""
    with suppress(OSError):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            return file.read(100).decode("ascii", "replace").strip()
    return ""


class Dpkg:
    """The system's dpkg; `root` is that of another system."""

    def __init__(self, root: str = "/") -> None:
        self._options = [] if root == "/" else [f"--root={root}"]

    def installed(self) -> str:
        """The version that is installed and configured; "" of none, or of half a one."""
        query = ["dpkg-query", *self._options, "--show", "--showformat=${db:Status-Status} ${Version}", PACKAGE]
        done = subprocess.run(query, capture_output=True, text=True, check=False)
        status, _, version = done.stdout.strip().partition(" ")
        return version if status == "installed" else ""

    def install(self, deb: Path) -> bool:
        """Did it end well? Also over half an installation, and over a newer version: which one is the caller's choice."""
        command = [
            "dpkg",
            *self._options,
            "--force-confold",
            "--force-confdef",
            "--force-downgrade",
            "--install",
            str(deb),
        ]
        environment = os.environ | {
            "DEBIAN_FRONTEND": "noninteractive",
            "CAMPUS_ALLOW_DOWNGRADE": "1",
            "LC_ALL": "C.UTF-8",
        }
        with suppress(subprocess.TimeoutExpired):
            return subprocess.run(command, check=False, env=environment, timeout=DPKG_SECONDS).returncode == 0
        return False


class Installer:
    """Carries an order out."""

    def __init__(
        self,
        folder: Path,
        dpkg: Dpkg,
        acknowledged_file: Path = ACKNOWLEDGED_FILE,
        clock: Callable[[], float] = time.monotonic,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        """`folder` holds the order and the packages."""
        self._folder, self._dpkg, self._acknowledged_file = folder, dpkg, acknowledged_file
        self._clock, self._pause = clock, pause

    def run(self) -> str:
        """The outcome; "" where nothing is ordered. Raises OSError where the disk fails: systemd starts it again."""
        order = read_order(self._folder)
        if order is None:
            return ""
        order = self._keep(replace(order, starts=order.starts + 1))
        began, failures = self._clock(), 0
        while True:
            seen = Seen(self._dpkg.installed(), acknowledged(self._acknowledged_file), self._clock() - began, failures)
            step = next_step(order, seen)
            if isinstance(step, End):
                self._finish(order, step)
                return step.outcome
            if isinstance(step, Order):
                order, began, failures = self._keep(step), self._clock(), 0
            elif isinstance(step, Install):
                if not self._install(step.version):
                    failures += 1
                    self._pause(PAUSE_SECONDS)
            else:
                self._pause(PAUSE_SECONDS)

    def _keep(self, order: Order) -> Order:
        write_json(self._folder / ORDER_FILE, asdict(order))
        return order

    def _install(self, version: str) -> bool:
        with suppress(OSError):
            self._acknowledged_file.unlink()  # what an earlier process of this version wrote is no proof
        return self._dpkg.install(package_file(self._folder, version))

    def _finish(self, order: Order, end: End) -> None:
        """Keep the outcome before the order goes: after a power cut between them the same end is reached again."""
        outcome = {"outcome": end.outcome, "before": order.before, "after": order.after, "number": order.number}
        write_json(self._folder / OUTCOME_FILE, outcome | {"reason": order.reason})
        (self._folder / ORDER_FILE).unlink()


def main() -> int:
    """As the unit runs it: carry the order out, tell the collector by one look, take the unit's link away."""
    outcome = Installer(Path(sys.argv[1]), Dpkg()).run()
    print(f"upgrade: {outcome or 'nothing to do'}", flush=True)
    systemctl = ["systemctl", "--no-block", "--quiet"]
    if outcome:
        subprocess.run([*systemctl, "start", "campus-agent-upgrade.service"], check=False)
    subprocess.run([*systemctl, "disable", UNIT], check=False)
    UNIT_FILE.unlink(missing_ok=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
