"""What doctor says of a gateway: each fault by its name with what to do about it, in both languages; nothing said of what cannot be known."""

import json
import os
import socket
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from campus_agent.cli.main import main
from campus_agent.config.model import Collector
from campus_agent.config.read import load_config
from campus_agent.doctor import collector as doctor_collector
from campus_agent.doctor import gateway
from campus_agent.doctor.findings import CheckResult
from campus_agent.spool.spool import open_spool
from campus_collector.tls.authority import make_authority
from campus_wire.version import VERSION
from tests.agent.measure.equipment.peers import free_port
from tests.collector.world import World, collector, throughput
from tests.flow.programs import running, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with collector(tmp_path / "bureau") as running_:
        yield running_


def written(folder: Path, url: str, more: str = "") -> Path:
    file = folder / "agent.toml"
    file.write_text(f'[agent]\nschool = "s001"\nstate_dir = "state"\n[collector]\nurl = "{url}"\n{more}')
    return file


def told(file: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, dict]:
    main(["doctor", "--config", str(file), "--json"])
    return {each["check"]: each for each in json.loads(capsys.readouterr().out)}


def test_a_gateway_that_is_well(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_text(world.token)
    (tmp_path / "token").chmod(0o600)
    actual = told(written(tmp_path, f"http://127.0.0.1:{world.port}"), capsys)
    assert actual["CampusMeter agent"]["what"].startswith(VERSION)
    assert actual["token at the collector"]["ok"] is True
    assert actual["version of the collector"]["ok"] is True
    assert actual["clock against the collector"]["ok"] is True
    assert actual["state folder"]["ok"] is True
    assert actual["raw Ethernet permission"]["ok"] is (True if os.geteuid() == 0 else None)
    assert {"name servers", "disk", "spool", "ICMP permission", "clock"} <= set(actual)
    assert all(each["zh"]["check"] and each["zh"]["what"] for each in actual.values())


def test_a_name_nobody_knows_and_a_collector_that_is_away(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_text("x")
    actual = told(written(tmp_path, "https://collector.invalid:8443"), capsys)
    assert actual["DNS: collector.invalid"]["ok"] is False
    assert "/etc/resolv.conf" in actual["DNS: collector.invalid"]["remedy"]
    assert actual["collector"]["ok"] is False
    assert actual["token"]["ok"] is False, "others can read it"


def test_devices_are_asked_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    device = f'[[device]]\nid = "web-1"\nname = "管理页"\nroom = "r1"\nprofile = "web-http"\nhost = "127.0.0.1"\n[[device]]\nid = "rec-1"\nroom = "r1"\nprofile = "recorder-generic"\nhost = "127.0.0.1"\nsnmp = {{ version = "2c", community_file = "community", port = {port} }}\n'
    (tmp_path / "community").write_text("public")
    actual = told(written(tmp_path, f"http://127.0.0.1:{free_port()}", device), capsys)
    assert actual["device rec-1"]["ok"] is False
    assert "campus-agent measure device rec-1" in actual["device rec-1"]["remedy"]
    assert actual["device web-1 管理页"]["ok"] is False


def test_the_spool(tmp_path: Path) -> None:
    config = load_config(written(tmp_path, "http://127.0.0.1:1"))
    assert gateway._spool(config).ok is None
    with open_spool(config.state_dir, config.spool) as spool:
        spool.put(*(throughput() for _ in range(85)))
    assert gateway._spool(config).ok is True
    assert gateway._spool(replace(config, spool=replace(config.spool, max_results=100))).ok is False


@pytest.mark.parametrize(
    ("theirs", "ok"),
    [(VERSION, True), ("0.1.9", None), ("0.3.0", True), ("0.4.0", None), ("1.0.0", None), ("what", None)],
)
def test_versions(theirs: str, ok: bool | None) -> None:
    assert doctor_collector._versions(theirs).ok is ok


def test_the_certificate_s_end_is_told(tmp_path: Path) -> None:
    """A real collector with TLS, whose certificate ends soon."""
    past = datetime.now(UTC) - timedelta(days=390)
    made = make_authority(tmp_path / "tls", ["127.0.0.1"], past)
    assert made.fingerprint
    port = free_port()
    (tmp_path / "collector.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\ntls_cert = "tls/cert.pem"\ntls_key = "tls/key.pem"\n'
    )
    program = [sys.executable, "-m", "campus_collector", "serve", "--config", str(tmp_path / "collector.toml")]
    with running(program, tmp_path / "log"):
        until(lambda: "listens" in (tmp_path / "log").read_text(), 60, "the collector listens")
        own = Collector(f"https://127.0.0.1:{port}", tmp_path / "token", tmp_path / "tls" / "ca.pem")
        (actual,) = doctor_collector._certificate(own)
        assert isinstance(actual, CheckResult)
        assert actual.ok is None
        assert "tls renew" in (actual.remedy.en if actual.remedy else "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_file_the_service_could_not_write_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway, "SERVICE_USER", "nobody")
    state = tmp_path / "state"
    state.mkdir()
    (state / "token").write_text("x")
    actual = gateway._state_dir(state)
    assert (actual.ok, "root" in actual.what.en) == (False, True)
    import pwd

    user = pwd.getpwnam("nobody")
    for path in (state, state / "token"):
        os.chown(path, user.pw_uid, user.pw_gid)
    assert gateway._state_dir(state).ok is True


def test_the_classroom_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    file = written(tmp_path, "http://127.0.0.1:1", f"[page]\nport = {port}\n")
    assert told(file, capsys)["classroom page"]["ok"] is False
    with socket.create_server(("127.0.0.1", port)):
        assert told(file, capsys)["classroom page"]["ok"] is True
    assert "classroom page" not in told(written(tmp_path, "http://127.0.0.1:1"), capsys)
