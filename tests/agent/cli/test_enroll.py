"""`campus-agent enroll` against a real collector: token and configuration in place, or a reason and the code not spent."""

import asyncio
import io
import os
import pwd
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_agent.cli.main import main
from campus_agent.config.read import load_config
from campus_agent.gate.segment_lock import segment_lock
from campus_agent.ship.connection import CollectorConnection
from campus_collector.cli.main import main as bureau
from campus_collector.domain.enrolment_codes import code_hash, new_code, plain
from campus_collector.tls.authority import make_authority
from campus_wire.codec import compress
from tests.agent.measure.equipment.peers import free_port
from tests.collector.world import World, collector, envelope, throughput
from tests.flow.programs import running, until


@pytest.fixture
def world(tmp_path: Path):
    with collector(tmp_path / "bureau") as running:
        yield running


def code_of(world: World) -> str:
    code, now = new_code(), datetime.now(UTC)
    world.service.store.tokens.issue_code(code_hash(plain(code) or ""), "s009", "t09", now, now + timedelta(hours=1))
    return code


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = main(["enroll", *arguments])
    captured = capsys.readouterr()
    return code, captured.out + captured.err


def test_two_lines_and_the_gateway_may_report(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    url, folder = f"http://127.0.0.1:{world.port}", tmp_path / "etc"
    status, output = run(capsys, url, code_of(world).lower(), "--dir", str(folder))
    assert status == 0, output
    assert "本网关已注册为 s009" in output
    token = folder / "token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert token.read_text().strip() not in output
    config = load_config(folder / "agent.toml")
    assert (config.school, config.town) == ("s009", "t09")
    assert config.collector is not None
    assert config.collector.token_file == token
    sent = world.post(
        envelope(throughput(school="s009"), agent_id="s009", announcement=None), token.read_text().strip()
    )
    assert sent.status == 200
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_configuration_that_is_there_is_left_alone(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "agent.toml").write_text("# mine\n")
    (tmp_path / "token").write_text("old\n")
    status, output = run(capsys, f"http://127.0.0.1:{world.port}", code_of(world), "--dir", str(tmp_path))
    assert status == 0, output
    assert (tmp_path / "agent.toml").read_text() == "# mine\n"
    assert (tmp_path / "token").read_text() != "old\n"


def test_what_fails_says_why_and_spends_nothing(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    url, code = f"http://127.0.0.1:{world.port}", code_of(world)
    (tmp_path / "file").write_text("")
    status, output = run(capsys, url, code, "--dir", str(tmp_path / "file"))
    assert status == 1
    assert "注册码未使用" in output
    status, output = run(capsys, f"http://127.0.0.1:{free_port()}", code, "--dir", str(tmp_path / "a"))
    assert status == 1
    assert "建立连接" in output
    assert list((tmp_path / "a").iterdir()) == []
    status, output = run(capsys, url, new_code(), "--dir", str(tmp_path / "a"))
    assert status == 1
    assert "注册码无效、已使用或已过期" in output
    status, output = run(capsys, "http://collector.example", code, "--dir", str(tmp_path / "a"))
    assert status == 2
    assert "https://" in output
    assert run(capsys, "collector", code)[0] == 2
    assert run(capsys, url, code, "--dir", str(tmp_path / "a"))[0] == 0, "after all that the code is still good"


def test_a_private_authority_is_pinned_by_its_fingerprint(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A real collector program with TLS: the right fingerprint enrols, another one does not and spends nothing; results then go out by TLS."""
    made = make_authority(tmp_path / "tls", ["127.0.0.1"], datetime.now(UTC))
    stranger = make_authority(tmp_path / "stranger", ["127.0.0.1"], datetime.now(UTC))
    port = free_port()
    (tmp_path / "collector.toml").write_text(
        f'[server]\nlisten = "127.0.0.1:{port}"\ntls_cert = "tls/cert.pem"\ntls_key = "tls/key.pem"\nca_file = "tls/ca.pem"\n'
    )
    program = [sys.executable, "-m", "campus_collector", "serve", "--config", str(tmp_path / "collector.toml")]
    with running(program, tmp_path / "log"):
        until(lambda: "listens" in (tmp_path / "log").read_text(), 60, "the collector listens")
        where = ["--config", str(tmp_path / "collector.toml")]
        assert bureau(["enroll-code", "s009", *where]) == 0
        code = capsys.readouterr().out.strip()
        url, folder = f"https://127.0.0.1:{port}", tmp_path / "etc"
        status, output = run(capsys, url, code, "--dir", str(folder), "--ca-sha256", stranger.fingerprint)
        assert status == 1
        assert made.fingerprint in output
        assert run(capsys, url, code, "--dir", str(folder))[0] == 1, "without the fingerprint it is not trusted"
        full = ["prlimit", "--fsize=100", sys.executable, "-B", "-m", "campus_agent", "enroll", url, code]
        done = subprocess.run(
            [*full, "--dir", str(folder), "--ca-sha256", made.fingerprint],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, "the code was not used" in done.stderr) == (1, True), done.stderr
        assert list(folder.iterdir()) == [], "nothing half written"
        status, output = run(capsys, url, code, "--dir", str(folder), "--ca-sha256", made.fingerprint.upper())
        assert status == 0, output
        config = load_config(folder / "agent.toml")
        assert config.collector is not None
        assert config.collector.ca_file == folder / "ca.pem"
        connection = CollectorConnection(config.collector)
        answer = connection.post(
            "/v1/results", compress(envelope(throughput(school="s009"), agent_id="s009", announcement=None))
        )
        connection.close()
        assert answer.status == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a file away")
def test_a_person_at_the_terminal_leaves_the_segment_s_lock_to_the_service(tmp_path: Path) -> None:
    user = pwd.getpwnam("nobody")
    os.chown(tmp_path, user.pw_uid, user.pw_gid)

    async def measure() -> None:
        async with segment_lock(tmp_path, 1.0) as held:
            assert held

    asyncio.run(measure())
    assert (tmp_path / "segment.lock").stat().st_uid == user.pw_uid


def test_a_disk_that_fills_after_the_code_was_used_loses_no_token(world: World, tmp_path: Path) -> None:
    """A real refusal of the kernel: no file of this process may grow beyond 100 octets; a token fits, a configuration does not."""
    folder = tmp_path / "etc"
    program = [sys.executable, "-B", "-m", "campus_agent", "enroll", f"http://127.0.0.1:{world.port}"]
    done = subprocess.run(
        ["prlimit", "--fsize=100", *program, "--dir", str(folder)],
        input=code_of(world),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stderr
    assert f"{folder / 'agent.toml'}: File too large" in done.stderr
    assert 'school = "s009"' in done.stderr, "what is to be written by hand"
    assert sorted(path.name for path in folder.iterdir()) == ["test.key", "token"], "nothing half written"
    token = (folder / "token").read_text().strip()
    assert world.get("/v1/config", Authorization=f"Bearer {token}").status == 200
    assert token not in done.stderr


def test_a_code_may_be_given_where_no_process_list_shows_it(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, folder = f"http://127.0.0.1:{world.port}", tmp_path / "etc"
    unreadable = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="utf-8")
    for nothing in (io.StringIO(""), io.StringIO("\udcff\n"), io.StringIO("注册码\n"), unreadable, None):
        monkeypatch.setattr("sys.stdin", nothing)
        assert run(capsys, url, "--dir", str(folder))[0] == 2
    assert run(capsys, url, "\udcff", "--dir", str(folder))[0] == 2
    assert not folder.exists()
    full_width = "".join(chr(ord(each) + 0xFEE0) for each in code_of(world))
    monkeypatch.setattr("sys.stdin", io.StringIO(f" {full_width} \n"))
    status, output = run(capsys, url, "--dir", str(folder))
    assert status == 0, output
    assert (folder / "token").exists()
