"""What does a gateway carry? `[agent]` alone, installed from a wheel into a new environment, and the agent started from it."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENT_ONLY = {"campusmeter", "chinesecalendar", "iperf3", "msgspec", "psutil", "tzdata"}
AGENT_ONLY |= {"pysnmp", "pyasn1", "cryptography", "cffi", "pycparser", "scapy", "segno"}  # in workers only
COLLECTOR_ONLY = {"starlette", "uvicorn", "jinja2", "prometheus-client", "prometheus_client"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a user builds it."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)], check=True)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_holds_what_the_programs_read(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {
        "campus_collector/policy.toml",
        "campus_collector/store/migrations/sqlite/0001_spine.sql",
        "campus_collector/http/pages/templates/overview.html",
        "campus_agent/measure/equipment/profiles/recorder-generic.toml",
        "campus_wire/py.typed",
    } <= names
    assert not [name for name in names if name.startswith(("tests/", "deploy/"))]


def test_the_agent_alone_brings_nothing_of_the_collector(wheel: Path, tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "venv")], check=True)
    python = str(tmp_path / "venv" / "bin" / "python")
    install = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", f"{wheel}[agent]"]
    subprocess.run(install, check=True)
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, check=True).stdout
    came = {each["name"].lower() for each in json.loads(listed)} - {"pip", "setuptools"}
    print(f"\n[agent] brings: {', '.join(sorted(came))}")
    assert not came & COLLECTOR_ONLY
    assert came >= AGENT_ONLY
    (tmp_path / "agent.toml").write_text('[agent]\nschool = "s001"\nstate_dir = "state"\n')
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    agent = str(tmp_path / "venv" / "bin" / "campus-agent")
    done = subprocess.run(
        [agent, "check-config", "--config", str(tmp_path / "agent.toml")],
        capture_output=True, text=True, check=False, env=environment, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    loaded = (
        "import campus_agent.daemon, sys; print(sorted(m for m in sys.modules if m in ('iperf3', 'scapy', 'pysnmp')))"
    )
    modules = subprocess.run([python, "-c", loaded], capture_output=True, text=True, check=True, cwd=tmp_path).stdout
    assert modules.strip() == "[]", "heavy libraries belong in workers"
