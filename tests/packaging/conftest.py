"""The Debian packages, built once for all tests that install them."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from campus_wire.version import VERSION

ROOT = Path(__file__).parents[2]
NEWER = "99.0.0"
KEPT = os.environ.get("CAMPUS_PACKAGES")
"""A folder where the packages are kept between runs, for who works on these tests alone."""


def run(*command: object) -> None:
    """To its end, well."""
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def renewed(deb: Path, folder: Path) -> None:
    """The same package with a higher version, in the control file and in the program."""
    tree = folder / deb.stem
    run("dpkg-deb", "--raw-extract", deb, tree)
    control = tree / "DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {VERSION}", f"Version: {NEWER}"))
    for script in (tree / "DEBIAN").glob("p*"):
        script.write_text(script.read_text().replace(VERSION, NEWER))
    (version,) = tree.rglob("campus_wire/version.py")
    version.write_text(version.read_text().replace(f'"{VERSION}"', f'"{NEWER}"'))
    for compiled in version.parent.glob("__pycache__/version.*"):
        compiled.unlink()
    run("dpkg-deb", "--build", "--root-owner-group", "-Znone", tree, folder / deb.name)
    shutil.rmtree(tree)


@pytest.fixture(scope="session")
def packages(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """This version, a newer one, and the bundle for gateways without Internet. Workers that run beside each other share them."""
    base = tmp_path_factory.getbasetemp()
    folder = Path(KEPT) if KEPT else (base if worker_id == "master" else base.parent) / "packages"
    with folder.with_name("packages.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            run(ROOT / "deploy/package/build.sh", "--out", folder / "now", "--level", 0)
            run(ROOT / "deploy/package/bundle.sh", "--out", folder / "now")
            (folder / "newer").mkdir()
            for deb in (folder / "now").glob("*.deb"):
                renewed(deb, folder / "newer")
            (folder / "whole").touch()
    return folder
