"""What a gateway's receipts prove: a collector that lost results, or has others in their place, is found out by both sides."""

import logging
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from campus_agent.config.model import AgentConfig
from campus_agent.config.read import load_config
from campus_agent.ship import chain
from campus_agent.ship.chain import contradicts
from campus_agent.status import in_words, read_status
from campus_collector.verify.database import verify
from campus_wire.records import ChainHead, Receipt
from tests.agent.ship.things import School
from tests.agent.spool.things import measured
from tests.collector.world import AT, World, throughput

HEADS = {letter: letter * 64 for letter in "abc"}


def receipt(sequence: int | None, head: str = "a", fits: bool | None = None) -> Receipt:
    chain_ = None if sequence is None else ChainHead(sequence, HEADS[head])
    return Receipt(0, 0, [], AT, chain_, fits)


@pytest.mark.parametrize(
    ("known", "received", "wrong"),
    [
        (None, receipt(5), False), (ChainHead(5, HEADS["a"]), receipt(None), False), (ChainHead(5, HEADS["a"]), receipt(5), False),
        (ChainHead(5, HEADS["a"]), receipt(7, "b"), False), (ChainHead(5, HEADS["a"]), receipt(7, "b", True), False),
        (ChainHead(5, HEADS["a"]), receipt(7, "b", False), True), (ChainHead(5, HEADS["a"]), receipt(5, "b"), True),
        (ChainHead(5, HEADS["a"]), receipt(4, "b", True), True), (ChainHead(5, HEADS["a"]), receipt(0, "b"), True),
    ],
)  # fmt: skip
def test_which_receipts_contradict(known: ChainHead | None, received: Receipt, wrong: bool) -> None:
    assert contradicts(known, received) is wrong


def school_of(world: World, folder: Path) -> School:
    school = School(folder, f"http://127.0.0.1:{world.port}")
    school.token_file.write_text(world.token + "\n")
    return school


def config_of(school: School) -> AgentConfig:
    file = school.folder / "agent.toml"
    file.write_text(
        f'[agent]\ntown = "t01"\nschool = "s001"\nstate_dir = "{school.folder / "state"}"\n'
        f'[collector]\nurl = "{school.url}"\ntoken_file = "token"\n'
    )
    return load_config(file)


def forget_the_last(database: sqlite3.Connection) -> None:
    """As a restored older copy: the chain ends before what the gateway had a receipt for."""
    database.execute("DELETE FROM result")
    for table in ("seen", "seal", "receipt"):
        database.execute(f"DELETE FROM {table}")


def other_results(database: sqlite3.Connection) -> None:
    """As many results, but not the same ones."""
    head = bytes.fromhex(HEADS["c"])
    database.execute("UPDATE seal SET head = ?", (head,))
    database.execute("UPDATE receipt SET head = ?", (head,))


@pytest.mark.sqlite_only("the database is changed by hand")
@pytest.mark.parametrize("damage", [forget_the_last, other_results])
def test_both_sides_say_that_the_chain_does_not_fit(
    world: World, tmp_path: Path, damage: Callable[[sqlite3.Connection], None], caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "gateway").mkdir()
    school = school_of(world, tmp_path / "gateway")
    config = config_of(school)
    with school.open() as (spool, shipper):
        spool.put(*(measured(n, school="s001") for n in range(3)))
        shipper.drain()
        spool.put(measured(3, school="s001"))
        shipper.drain()
        assert spool.recall(chain.CHAIN_KEY, chain.LastReceipt).chain.sequence == 4
        assert spool.recall(chain.MISMATCH_KEY, chain.Mismatch) is None
    assert read_status(config)["chain"]["chain"]["sequence"] == 4
    assert verify(world.service.store, world.service.verdicts).findings == ()
    with sqlite3.connect(world.service.config.database) as database:
        database.execute("DROP TRIGGER result_is_not_removed")
        damage(database)
    with caplog.at_level(logging.ERROR), school.open() as (_, shipper):
        shipper.drain()
    assert "the collector's chain of results does not fit its last receipt" in caplog.messages
    assert "a gateway's receipt does not fit the chain of its school" in caplog.messages
    status = read_status(config)
    assert status["chain_mismatch"]["known"]["sequence"] == 4
    assert "the receipt was for 4 results" in " ".join(problem["en"] for problem in status["problems"])
    assert "校验链与回执不符" in in_words(status, "zh")
    assert any(
        "its gateway holds a receipt for result 4" in finding.text.en
        for finding in verify(world.service.store, world.service.verdicts).findings
    )
    assert 'campus_chain_mismatch_timestamp_seconds{school="s001"}' in world.get("/metrics").body.decode()
    assert "与本端校验链" in world.get("/fleet?lang=zh").body.decode()


def test_lost_answers_and_another_collector_are_no_mismatch(world: World, tmp_path: Path) -> None:
    (tmp_path / "gateway").mkdir()
    school = school_of(world, tmp_path / "gateway")
    with school.open() as (spool, shipper):
        spool.put(measured(1, school="s001"))
        shipper.drain()
        known = spool.recall(chain.CHAIN_KEY, chain.LastReceipt)
        for number in range(2, 6):  # the collector has them, the gateway never heard so
            spool.put(measured(number, school="s001"))
            shipper.drain()
        spool.remember(chain.CHAIN_KEY, known)
        assert shipper.drain().reason is None
        assert spool.recall(chain.MISMATCH_KEY, chain.Mismatch) is None
        other = chain.LastReceipt("https://another.example", "s001", ChainHead(99, HEADS["b"]))
        spool.remember(chain.CHAIN_KEY, other)
        shipper.drain()
        assert spool.recall(chain.MISMATCH_KEY, chain.Mismatch) is None
    assert world.service.store.chain.mismatches() == []


def test_a_gateway_cannot_fill_the_list_of_mismatches(world: World) -> None:
    for number in range(30):
        answer = world.send(chain=ChainHead(1000 + number, HEADS["b"]))
        assert answer["chain_fits"] is False
    assert len(world.service.store.chain.mismatches()) == 10
    assert world.send(throughput())["chain"]["sequence"] == 1
