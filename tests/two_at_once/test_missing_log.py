"""A database without its log: another program closed it after a crash (nothing is missing), or only the file was copied (results are missing)."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.verify.database import verify
from campus_wire.records import ChainHead, ThroughputResult
from tests.collector.world import AT, World, collector, envelope, throughput

pytestmark = pytest.mark.sqlite_only("its write-ahead log")


def second_school(world: World) -> str:
    """A school's token that is in the database before anything is copied."""
    token = new_token()
    world.service.store.tokens.issue(token_hash(token), Principal("s002", "s002"), "t01", AT)
    return token


def checkpoint(world: World) -> None:
    with closing(sqlite3.connect(world.service.config.database)) as database:
        database.execute("PRAGMA wal_checkpoint(FULL)")


def another_program_closes(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("SELECT count(*) FROM result").fetchone()
    assert not database.with_name("campus.db-wal").exists()


def copied(world: World, folder: Path, *names: str) -> Path:
    folder.mkdir()
    for name in names:
        shutil.copy(world.service.config.database.with_name(name), folder)
    return folder


def send_as(world: World, school: str, token: str, *results: ThroughputResult, **more: Any) -> dict[str, Any]:
    answer = world.post(envelope(*results, agent_id=school, **more), token)
    assert answer.status == 200, answer.body
    return answer.json


def head(receipt: dict[str, Any]) -> ChainHead:
    return ChainHead(**receipt["chain"])


def findings(world: World) -> list[str]:
    return [finding.text.en for finding in verify(world.service.store, world.service.verdicts).findings]


def test_another_program_that_closes_the_file_after_a_crash_is_blamed_until_receipts_show_that_nothing_is_missing(
    tmp_path: Path,
) -> None:
    with collector(tmp_path / "a") as world:
        tokens = {"s001": world.token, "s002": second_school(world)}
        checkpoint(world)
        first = world.send(throughput(), throughput())
        answer = send_as(world, "s002", tokens["s002"], throughput(school="s002"))
        crashed = copied(world, tmp_path / "b", "campus.db", "campus.db-wal")
    another_program_closes(crashed / "campus.db")
    with collector(crashed) as world:
        world.token = tokens["s001"]
        assert "2 school(s) to come: s001, s002" in findings(world)[0]
        world.send(chain=head(first))
        assert "1 school(s) to come: s002" in findings(world)[0]
        send_as(world, "s002", tokens["s002"], chain=head(answer))
        assert findings(world) == []
    with collector(crashed) as world:
        assert findings(world) == []


def test_a_copy_of_the_file_alone_is_named_for_good(tmp_path: Path) -> None:
    with collector(tmp_path / "a") as world:
        token = world.token
        world.send(throughput())
        checkpoint(world)
        last = world.send(throughput())
        copy = copied(world, tmp_path / "b", "campus.db")
    with collector(copy) as world:
        world.token = token
        receipt = world.send(throughput(), chain=head(last))
        assert receipt["chain_fits"] is False
        for _ in range(2):
            receipt = world.send(throughput(), chain=head(receipt))
            assert receipt["chain_fits"] is True
        missing, acknowledged = findings(world)
        assert "without its -wal file" in missing
        assert "holds a receipt for result 2 that does not fit" in acknowledged


@pytest.mark.parametrize("claims", [0, 1])
def test_an_older_receipt_proves_nothing(tmp_path: Path, claims: int) -> None:
    """One that was given before the chain reached where it was when the log was missing."""
    with collector(tmp_path / "a") as world:
        token = world.token
        receipts = [world.send(), world.send(throughput()), world.send(throughput())]
        checkpoint(world)
        copy = copied(world, tmp_path / "b", "campus.db")
    with collector(copy) as world:
        world.token = token
        assert world.send(chain=head(receipts[claims]))["chain_fits"] is True
        assert "without its -wal file" in findings(world)[0]
        world.send(chain=head(receipts[2]))
        assert findings(world) == []


def test_a_school_that_is_silent_for_long_is_not_waited_for(tmp_path: Path) -> None:
    with collector(tmp_path / "a") as world:
        token = world.token
        send_as(world, "s002", second_school(world), throughput(school="s002"))
        last = world.send(throughput())
        with closing(sqlite3.connect(world.service.config.database)) as database:
            database.execute("UPDATE agent SET last_report_at = last_report_at - 100000000000 WHERE school = 's002'")
            database.commit()
        checkpoint(world)
        copy = copied(world, tmp_path / "b", "campus.db")
    with collector(copy) as world:
        world.token = token
        world.send(chain=head(last))
        assert findings(world) == []
