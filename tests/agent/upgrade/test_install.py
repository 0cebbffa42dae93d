"""The installer of releases: its decisions as a table, and power cuts at random moments against a real dpkg in a root of its own."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import pytest

from campus_agent import daemon
from campus_agent.upgrade import install
from campus_agent.upgrade.install import (
    MOST_FAILURES,
    MOST_STARTS,
    ORDER_FILE,
    OUTCOME_FILE,
    REPORT_SECONDS,
    Dpkg,
    End,
    Install,
    KeepWaiting,
    Order,
    Seen,
    next_step,
    package_file,
    read_json,
    write_json,
)

ORDER = Order("1.0", "2.0")
WAITING = Order("1.0", "2.0", phase="wait")
BACK = Order("1.0", "2.0", phase="back")
CUTS = 100
DRIVER = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
import install

folder, root, reports = Path(sys.argv[2]), sys.argv[3], sys.argv[4] == "reports"
dpkg, acknowledged, now = install.Dpkg(root), folder / "acknowledged", [0.0]

def pause(seconds):
    now[0] += 400  # a real one waits; 20 minutes are four of these
    if reports:
        acknowledged.write_text(dpkg.installed())

install.Installer(folder, dpkg, acknowledged, lambda: now[0], pause).run()
"""


@pytest.mark.parametrize(
    ("order", "seen", "step"),
    [
        (ORDER, Seen("1.0"), Install("2.0")),
        (ORDER, Seen(""), Install("2.0")),
        (ORDER, Seen("2.0"), WAITING),
        (WAITING, Seen("2.0"), KeepWaiting()),
        (WAITING, Seen("2.0", "1.0"), KeepWaiting()),
        (WAITING, Seen("2.0", "2.0"), End("installed")),
        (BACK, Seen("2.0"), Install("1.0")),
        (BACK, Seen(""), Install("1.0")),
        (BACK, Seen("2.0", "2.0", failures=99), Install("1.0")),
        (BACK, Seen("1.0"), End("returned")),
    ],
)
def test_steps(order: Order, seen: Seen, step: object) -> None:
    assert next_step(order, seen) == step


@pytest.mark.parametrize(
    ("order", "seen"),
    [
        (ORDER, Seen("1.0", failures=MOST_FAILURES)),
        (WAITING, Seen("2.0", waited_seconds=REPORT_SECONDS)),
        (WAITING, Seen("1.0")),
        (Order("1.0", "2.0", phase="wait", starts=MOST_STARTS + 1), Seen("2.0")),
    ],
)
def test_what_makes_it_go_back(order: Order, seen: Seen) -> None:
    step = next_step(order, seen)
    assert isinstance(step, Order)
    assert step.phase == "back"
    assert step.reason


def test_the_daemon_writes_what_the_installer_reads() -> None:
    assert install.ACKNOWLEDGED_FILE.name == daemon.ACKNOWLEDGED_FILE


def test_a_link_of_the_service_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("2.0")
    (tmp_path / "acknowledged").symlink_to(tmp_path / "secret")
    assert install.acknowledged(tmp_path / "acknowledged") == ""


def test_it_needs_nothing_of_the_package() -> None:
    done = subprocess.run([sys.executable, "-I", "-S", install.__file__, "/nowhere"], capture_output=True, check=False)
    assert b"ModuleNotFoundError" not in done.stderr


def package(folder: Path, version: str) -> None:
    """A small package of the agent's name, with enough files that a cut falls among them."""
    tree = folder / f"tree-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = (
        f"Package: campus-agent\nVersion: {version}\nArchitecture: all\nMaintainer: T <t@example.org>\nDescription: t\n"
    )
    (tree / "DEBIAN/control").write_text(control)
    (tree / "opt").mkdir()
    for number in range(60):
        (tree / f"opt/file{number}").write_text(f"{version}\n" * 200)
    command = ["dpkg-deb", "--build", "--root-owner-group", "-Znone", str(tree), str(package_file(folder, version))]
    subprocess.run(command, check=True, capture_output=True)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root with an empty dpkg database."""
    if os.geteuid() != 0:
        pytest.skip("NO ROOT: dpkg installs nothing")
    place = tmp_path_factory.mktemp("root")
    for name in ("updates", "info", "triggers"):
        (place / "var/lib/dpkg" / name).mkdir(parents=True)
    for name in ("status", "available"):
        (place / "var/lib/dpkg" / name).touch()
    return place


@pytest.mark.timeout(600)
@pytest.mark.parametrize("behaviour", ["reports", "silent"])
def test_power_cuts_at_random_moments(root: Path, tmp_path: Path, behaviour: str) -> None:
    """Each process is ended at once, with dpkg: what a power cut leaves of the order of writes. Whatever came, a whole version runs in the end."""
    for version in ("1.0", "2.0"):
        package(tmp_path, version)
    dpkg, chance = Dpkg(str(root)), random.Random(7)
    command = [
        sys.executable,
        "-I",
        "-c",
        DRIVER,
        str(Path(install.__file__).parent),
        str(tmp_path),
        str(root),
        behaviour,
    ]
    cuts = 0
    outcomes = []
    while cuts < CUTS // 2:
        assert dpkg.install(package_file(tmp_path, "1.0"))
        write_json(tmp_path / ORDER_FILE, asdict(ORDER))
        for _ in range(chance.randrange(1, MOST_STARTS)):
            process = subprocess.Popen(
                command, start_new_session=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
            )
            time.sleep(chance.uniform(0.05, 0.5))
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                cuts += 1
            process.wait()
        subprocess.run(command, check=True, capture_output=True, timeout=60)
        assert not (tmp_path / ORDER_FILE).exists()
        outcome = read_json(tmp_path / OUTCOME_FILE)["outcome"]
        outcomes.append(outcome)
        assert dpkg.installed() == {"installed": "2.0", "returned": "1.0"}[outcome]
        content = {file.read_text() for file in (root / "opt").glob("file*")}
        assert content == {f"{dpkg.installed()}\n" * 200}
    if behaviour == "silent":
        assert set(outcomes) == {"returned"}
    else:
        assert "installed" in outcomes
    print(
        f"\n{cuts} cuts in {len(outcomes)} upgrades: {json.dumps({each: outcomes.count(each) for each in set(outcomes)})}"
    )
