"""Network namespaces with an owner: made, used, removed; leftovers of dead owners are swept, living ones are never touched."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

_NAME = re.compile(r"^cm-(?P<owner>\d+)-(?P<number>\d+)-[a-z0-9]+$")
_numbers = count()


class LabError(Exception):
    """The lab cannot be built here."""


def permitted() -> str | None:
    """Why namespaces cannot be had here; None when they can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    for tool in ("ip", "tc", "ethtool"):
        if shutil.which(tool) is None:
            return f"the program '{tool}' is missing (Debian: iproute2, ethtool)"
    name = f"cm-{os.getpid()}-{next(_numbers)}-try"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True, check=False)
    if made.returncode:
        return f"ip netns add: {made.stderr.strip()}"
    subprocess.run(["ip", "netns", "del", name], check=False)
    return None


def prefix() -> str:
    """A name that no other lab has, and that tells its owner."""
    return f"cm-{os.getpid()}-{next(_numbers)}"


def command(*argv: str) -> str:
    """Run a configuration command. Raises LabError with what it said."""
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class Namespace:
    """One host of the lab."""

    name: str

    def create(self) -> None:
        """Make it, with its loopback up."""
        command("ip", "netns", "add", self.name)
        self.ip("link", "set", "lo", "up")

    def ip(self, *arguments: str) -> str:
        """`ip` inside."""
        return command("ip", "-n", self.name, *arguments)

    def argv(self, *argv: str) -> list[str]:
        """The command that runs another one inside."""
        return ["ip", "netns", "exec", self.name, *argv]

    def run(self, *argv: str, timeout: float = 60.0, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run to the end inside, output captured."""
        return subprocess.run(self.argv(*argv), capture_output=True, text=True, timeout=timeout, check=False, **options)

    def popen(self, *argv: str, **options: Any) -> "subprocess.Popen[str]":
        """Start inside; killed with the namespace at the latest."""
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "text": True} | options
        return subprocess.Popen(self.argv(*argv), stdin=subprocess.DEVNULL, **options)

    def remove(self) -> None:
        """End every process inside, then the namespace; its links go with it."""
        for pid in self._processes():
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(pid, signal.SIGKILL)
        for _ in range(20):
            done = subprocess.run(["ip", "netns", "del", self.name], capture_output=True, text=True, check=False)
            if done.returncode == 0 or "No such file" in done.stderr:
                return
            time.sleep(0.05)

    def _processes(self) -> list[int]:
        listed = subprocess.run(["ip", "netns", "pids", self.name], capture_output=True, text=True, check=False).stdout
        return [int(word) for word in listed.split()]


def existing() -> list[str]:
    """The names of all namespaces that labs made."""
    folder = Path("/run/netns")
    return sorted(path.name for path in folder.iterdir() if _NAME.match(path.name)) if folder.is_dir() else []


def sweep() -> list[str]:
    """Remove what labs of dead owners left. The names removed."""
    removed = []
    for name in existing():
        match = _NAME.match(name)
        if match and not Path(f"/proc/{match['owner']}").exists():
            Namespace(name).remove()
            removed.append(name)
    return removed
