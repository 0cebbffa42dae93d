"""A gateway replaces its token: the old one is good until the new one is used, and nothing that can go wrong locks it out."""

import os
import stat
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_agent.config.model import Collector
from campus_agent.ship.connection import CollectorConnection, ShipFailed
from campus_agent.ship.rotate import TOKEN_DAYS, NotRotated, is_due, rotate
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import token_hash
from tests.agent.measure.equipment.peers import free_port
from tests.collector.world import World, collector
from tests.flow.programs import python, running, until


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with collector(tmp_path / "bureau") as running:
        yield running


@pytest.fixture
def own(world: World, tmp_path: Path) -> Collector:
    file = tmp_path / "token"
    file.write_text(world.token + "\n")
    file.chmod(0o600)
    return Collector(f"http://127.0.0.1:{world.port}", file)


def test_when(tmp_path: Path) -> None:
    file = tmp_path / "token"
    assert not is_due(file), "no token, nothing to replace"
    file.write_text("x")
    assert not is_due(file)
    assert is_due(file, time.time() + TOKEN_DAYS * 86_400 + 60)
    assert not is_due(file, 0.0), "a clock that was never set replaces nothing"


def test_the_old_one_is_refused_once_the_new_one_was_used(world: World, own: Collector) -> None:
    old = own.token_file.read_text().strip()
    rotate(own)
    new = own.token_file.read_text().strip()
    assert new != old
    assert stat.S_IMODE(own.token_file.stat().st_mode) == 0o600
    assert [path.name for path in own.token_file.parent.iterdir() if path.name.startswith(".")] == []
    assert world.get("/v1/config", Authorization=f"Bearer {old}").status == 200, "the new one was not used yet"
    assert CollectorConnection(own).fetch("/v1/config", None).status == 200
    assert world.get("/v1/config", Authorization=f"Bearer {old}").status == 401
    rotate(own)
    assert CollectorConnection(own).fetch("/v1/config", None).status == 200
    assert world.get("/v1/config", Authorization=f"Bearer {new}").status == 401


def test_an_answer_that_was_lost_locks_nobody_out(world: World, own: Collector) -> None:
    old = own.token_file.read_text().strip()
    lost = world.request("POST", "/v1/token", Authorization=f"Bearer {old}").json["token"]
    rotate(own)
    assert world.get("/v1/config", Authorization=f"Bearer {lost}").status == 401, (
        "a successor that was never used is void"
    )
    assert CollectorConnection(own).fetch("/v1/config", None).status == 200


def test_a_token_with_an_end_has_a_successor_with_one(world: World, own: Collector) -> None:
    now = datetime.now(UTC)
    store = world.service.store
    store.tokens.issue(
        token_hash("cm1_short-lived-token"), Principal("s009", "s009"), None, now, now + timedelta(days=90)
    )
    own.token_file.write_text("cm1_short-lived-token")
    rotate(own)
    assert CollectorConnection(own).fetch("/v1/config", None).status == 200
    (left,) = [ends - now for school, ends in store.tokens.expiries().items() if school == "s009"]
    assert timedelta(days=89, hours=23) < left < timedelta(days=90, minutes=5)


def test_what_fails_leaves_the_token_as_it_was(world: World, own: Collector, tmp_path: Path) -> None:
    old = own.token_file.read_text()
    away = Collector(f"http://127.0.0.1:{free_port()}", own.token_file)
    with pytest.raises(ShipFailed):
        rotate(away)
    world.service.store.tokens.revoke("s001", datetime.now(UTC))
    with pytest.raises(NotRotated, match="401"):
        rotate(own)
    assert own.token_file.read_text() == old
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []
    gone = Collector(own.url, tmp_path / "nowhere" / "token")
    with pytest.raises((NotRotated, ShipFailed)):
        rotate(gone)


def test_a_link_stays_a_link(world: World, own: Collector, tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    os.replace(own.token_file, tmp_path / "kept" / "token")
    own.token_file.symlink_to(tmp_path / "kept" / "token")
    rotate(own)
    assert own.token_file.is_symlink()
    assert CollectorConnection(own).fetch("/v1/config", None).status == 200


def test_the_agent_does_it_by_itself(world: World, own: Collector, tmp_path: Path) -> None:
    old = own.token_file.read_text()
    long_ago = time.time() - 40 * 86_400
    os.utime(own.token_file, (long_ago, long_ago))
    file = tmp_path / "agent.toml"
    file.write_text(
        f'[agent]\nschool = "s001"\nstate_dir = "state"\n[collector]\nurl = "{own.url}"\n[cycle]\nship_seconds = 1\n'
    )
    with running(python("campus_agent", "run", "--config", str(file)), tmp_path / "log"):
        until(lambda: own.token_file.read_text() != old, 60, "the token is another")
        header = f"Bearer {old.strip()}"
        until(
            lambda: world.get("/v1/config", Authorization=header).status == 401,
            80,
            "the old one is refused after its use",
        )
        until(lambda: "token replaced" in (tmp_path / "log").read_text(), 60, "it says so")
    log = (tmp_path / "log").read_text()
    assert old.strip() not in log
    assert own.token_file.read_text().strip() not in log
