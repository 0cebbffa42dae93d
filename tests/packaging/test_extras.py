"""What does a wheel bring? `[agent]` alone, installed into a new environment, and the agent started from it; the collector's manual."""

import http.client
import json
import os
import socket
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
AGENT_ONLY = {"campusmeter", "chinesecalendar", "iperf3", "msgspec", "psutil", "tzdata"}
AGENT_ONLY |= {"pysnmp", "pyasn1", "cryptography", "cffi", "pycparser", "scapy", "segno"}  # in workers only
SITE = "campus_collector/http/pages/manual"
HEADERS = ("x-content-type-options", "x-frame-options", "referrer-policy", "content-security-policy", "etag")
COLLECTOR_ONLY = {"starlette", "uvicorn", "jinja2", "prometheus-client", "prometheus_client"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as a user builds it, with the manual."""
    if not (ROOT / "collector" / SITE / "index.html").exists():
        subprocess.run([sys.executable, "-m", "mkdocs", "build", "-q", "-f", str(ROOT / "docs/mkdocs.yml")], check=True)
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
        f"{SITE}/index.html",
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


@pytest.fixture(scope="module")
def program(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the wheel holds."""
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def port(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """A collector of that program."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    environment = os.environ | {"PYTHONPATH": str(program), "CAMPUS_SERVER_LISTEN": f"127.0.0.1:{number}"}
    state = tmp_path_factory.mktemp("state")
    serve = [sys.executable, "-m", "campus_collector", "serve", "--state-dir", str(state)]
    with subprocess.Popen(serve, env=environment, cwd=state, stderr=subprocess.DEVNULL) as running:
        try:
            while True:
                assert running.poll() is None
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", number)) == 0:
                        break
                time.sleep(0.1)
            yield number
        finally:
            running.terminate()


def read(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("GET", path)
    answer = connection.getresponse()
    headers = {name.lower(): value for name, value in answer.getheaders()}
    body = answer.read()
    connection.close()
    return answer.status, headers, body


@pytest.mark.parametrize(
    ("path", "media_type"),
    [
        ("index.html", "text/html; charset=utf-8"),
        ("en/trouble.html", "text/html; charset=utf-8"),
        ("assets/manual.css", "text/css; charset=utf-8"),
        ("assets/manual.js", "text/javascript; charset=utf-8"),
        ("search-zh.json", "application/json"),
        ("images/architecture.svg", "image/svg+xml"),
    ],
)
def test_the_installed_collector_serves_the_manual(port: int, program: Path, path: str, media_type: str) -> None:
    status, headers, body = read(port, f"/help/{path}")
    assert status == 200
    assert body == (program / SITE / path).read_bytes()
    assert headers["content-type"] == media_type
    assert [name for name in HEADERS if name not in headers] == []
    assert "no-store" not in headers["cache-control"]


def test_every_page_of_the_manual_is_served(port: int, program: Path) -> None:
    site = program / SITE
    pages = [file.relative_to(site).as_posix() for file in site.rglob("*.html")]
    assert len(pages) > 40
    assert [page for page in pages if read(port, f"/help/{page}")[0] != 200] == []
