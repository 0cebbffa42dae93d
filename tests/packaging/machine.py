"""A Debian machine with a real systemd for a test: this root under an overlay of its own, booted by systemd-nspawn, thrown away afterwards."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

BOOT_SECONDS = 300
"""A script's time, unless the test says more; the machine itself has a minute beyond it."""
ROOT = Path(__file__).parents[2]
PROJECT = "/srv/project"
CHECK_UNIT = """[Unit]
Description=what the test wants to know
After=multi-user.target
[Service]
Type=oneshot
ExecStart=/bin/bash /check.sh
StandardOutput=file:/check.out
StandardError=file:/check.out
ExecStopPost=/bin/systemctl --no-block poweroff
TimeoutStartSec={seconds}
[Install]
WantedBy=multi-user.target
"""


def needs_machine() -> None:
    """Skip where no machine can be booted, aloud; under CI that is a failure."""
    missing = [name for name in ("systemd-nspawn", "systemctl") if shutil.which(name) is None]
    if missing or os.geteuid() != 0:
        assert not os.environ.get("CI"), f"under CI there must be root and {missing}"
        pytest.skip(f"NO MACHINE: needs root and systemd-container ({missing})")


@dataclass(frozen=True, slots=True)
class Machine:
    """Its root, as long as it is there."""

    root: Path

    def run(
        self, command: list[str], seconds: float = 300, offline: bool = False
    ) -> "subprocess.CompletedProcess[str]":
        """In its root, before it is booted; with this machine's network, or with none."""
        inside = 'root=$1; shift; for at in dev proc; do mount --rbind /$at "$root/$at"; done; exec chroot "$root" "$@"'
        return subprocess.run(
            ["unshare", *(["--net"] if offline else []), "--mount", "--propagation=private", "sh", "-c", inside, "sh", str(self.root), *command],
            capture_output=True, text=True, check=False, timeout=seconds,
        )  # fmt: skip

    def boot(self, script: str, seconds: int = BOOT_SECONDS, binds: Mapping[Path, str] | None = None) -> str:
        """Boot it without any network but its own loopback, run a script when it is up, power off; what the script said.

        `binds`: folders of this machine that stand in it under other names. The project itself stands at PROJECT, read-only, wherever it is here:
        what lies below /tmp is hidden in a booted machine.
        """
        (self.root / "check.out").unlink(missing_ok=True)
        (self.root / "check.sh").write_text(script)
        (self.root / "etc/systemd/system/campus-check.service").write_text(CHECK_UNIT.format(seconds=seconds))
        self.run(["systemctl", "enable", "--quiet", "campus-check"])
        command = ["systemd-nspawn", "--quiet", f"--directory={self.root}", "--boot", "--register=no", "--keep-unit",
                   "--private-network", f"--machine=campus-{os.getpid()}",
                   *(f"--bind={here}:{there}" for here, there in (binds or {}).items()), f"--bind-ro={ROOT}:{PROJECT}"]  # fmt: skip
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=seconds + 60
        )
        said = self.root / "check.out"
        if not said.exists() and "not permitted" in done.stderr:
            pytest.skip(f"NO MACHINE: containers may not be booted here: {done.stderr[-300:]}")
        assert said.exists(), (done.stdout + done.stderr)[-3000:]
        return said.read_text()


@contextlib.contextmanager
def machine(folder: Path, lower: Path = Path("/")) -> Iterator[Machine]:
    """A fresh copy of this machine's root, or of another; what happens in it stays in it."""
    layers, root = folder / "layers", folder / "root"
    layers.mkdir()
    root.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(layers)], check=True)
    try:
        (layers / "upper").mkdir()
        (layers / "work").mkdir()
        options = f"lowerdir={lower},upperdir={layers}/upper,workdir={layers}/work"
        mount = ["mount", "-t", "overlay", "overlay", "-o", options, str(root)]
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
        if mounted.returncode:
            pytest.skip(f"NO MACHINE: no overlay can be mounted here: {mounted.stderr.strip()}")
        try:
            shutil.copy("/etc/resolv.conf", root / "etc/resolv.conf")
            machine = Machine(root)
            for unit in (root / "etc/systemd/system/multi-user.target.wants").glob("*"):
                unit.unlink()  # services of this machine are not the test's
            yield machine
        finally:
            subprocess.run(["umount", "--lazy", str(root)], check=False)
    finally:
        subprocess.run(["umount", "--lazy", str(layers)], check=False)
