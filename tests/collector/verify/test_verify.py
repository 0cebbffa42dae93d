"""Whoever changes, removes or puts in a result is found, and the first place is named."""

import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.domain.monthly import ClosedMonth
from campus_collector.judge.month import Month
from campus_collector.store.backup import backup
from campus_collector.store.columns import id_octets
from campus_collector.store.packing import unpack
from campus_collector.store.tables.chain import first_head, next_head
from campus_collector.verify.database import Checked, verify
from tests.collector.stored import change_raw, place_of, remove_result
from tests.collector.world import AT, World, collector, days, service, throughput

TRIGGERS = ("result_is_not_changed", "result_is_not_removed")


def fill(world: World) -> None:
    for day in range(3):
        world.send(
            *(throughput(at=at + timedelta(days=day), id=f"r-{day}-{n}") for n, at in enumerate(days(2, 2))),
            service(at=AT + timedelta(days=day)),
        )
    world.send(throughput(id="r-0-0"), throughput(subject="c102"))
    zone = world.service.verdicts.zone
    world.service.verdicts.subjects(Month(2026, 11, zone))


def tampered(world: World, work: Callable[[sqlite3.Connection], object]) -> Checked:
    if world.service.config.postgres is not None:
        pytest.skip("SQLite's file is changed by hand")
    database = sqlite3.connect(world.service.config.database)
    for trigger in TRIGGERS:
        database.execute(f"DROP TRIGGER {trigger}")
    work(database)
    database.commit()
    database.close()
    return verify(world.service.store, world.service.verdicts)


def said(found: Checked) -> list[str]:
    return [finding.text.en for finding in found.findings]


def test_what_was_left_alone_fits(world: World) -> None:
    fill(world)
    actual = verify(world.service.store, world.service.verdicts)
    assert (actual.findings, actual.schools, actual.results, actual.unsealed) == ((), 1, 16, 0)
    assert actual.days >= 5


@pytest.mark.sqlite_only("the database is changed by hand")
def test_the_database_refuses_to_change_results(world: World) -> None:
    fill(world)
    database = sqlite3.connect(world.service.config.database)
    for statement in ("UPDATE result SET series = 9", "DELETE FROM result"):
        with pytest.raises(sqlite3.IntegrityError, match="results are immutable"):
            database.execute(statement)
    database.close()


def test_a_changed_figure(world: World) -> None:
    fill(world)
    found = tampered(
        world,
        lambda database: change_raw(database, lambda raw: raw.replace(b"100000000", b"900000000"), "r-1-1"),
    )
    assert said(found)[0].startswith("s001: the seal of ")
    assert said(found)[0].endswith("does not fit: a result of that day or before was changed")
    assert "the evidence of" not in said(found)[0]


def test_a_damaged_row_is_named_and_stops_no_reader(world: World, caplog: pytest.LogCaptureFixture) -> None:
    fill(world)

    def work(database: sqlite3.Connection) -> None:
        sequence = place_of(database, "r-1-1")
        database.execute("UPDATE result SET packed = substr(packed, 1, 20) WHERE sequence = ?", (sequence,))

    found = tampered(world, work)
    assert said(found)[0].startswith("s001: result r-1-1 is damaged: ")
    assert said(found)[1].startswith("s001: the seal of ")
    assert len(said(found)) == 3, "and the evidence was of more results"
    answer = world.get("/v1/results?school=s001&from=2026-11-01T00:00:00Z")
    assert len(answer.json["results"]) == 15
    (line, *_) = [record for record in caplog.records if "damaged" in record.message]
    assert (line.school, line.result) == ("s001", "r-1-1")  # type: ignore[attr-defined]


def test_a_removed_result(world: World) -> None:
    fill(world)
    found = tampered(world, lambda database: remove_result(database, "r-1-1"))
    assert said(found)[0].startswith("s001: result r-1-1 is missing; seal of")
    assert any("does not follow from its results" in one for one in said(found)), "the evidence was of more results"


def test_a_result_removed_with_its_trace(world: World) -> None:
    fill(world)

    def work(database: sqlite3.Connection) -> None:
        remove_result(database, "r-1-1")
        database.execute("DELETE FROM seen WHERE id = ?", (id_octets("r-1-1"),))

    assert "is missing; seal of" in said(tampered(world, work))[0]


@pytest.mark.parametrize("sequence", [2, 99])
def test_a_result_that_never_came_through_ingest(world: World, sequence: int) -> None:
    """In a place of the chain that is taken, and in none."""
    fill(world)
    actual = tampered(
        world,
        lambda database: database.execute(
            f"INSERT INTO result SELECT school, series, started_at + 1, {sequence}, packed FROM result"
            " WHERE school = 1 AND sequence = 2"
        ),
    )
    assert said(actual)[0] == "s001: 1 result(s) were put in that never came through ingest"


@pytest.mark.sqlite_only("the database is changed by hand")
@pytest.mark.parametrize(
    "change",
    [
        "series = (SELECT number FROM series WHERE subject = 'elsewhere' AND kind = 'throughput')",
        "series = (SELECT number FROM series WHERE subject = 'c101' AND kind = 'unheard')",
        "started_at = started_at - 86400000000",
        "started_at = 'x'",
    ],
)
def test_a_result_that_is_filed_as_another(world: World, change: str) -> None:
    fill(world)

    def work(database: sqlite3.Connection) -> None:
        for number, names in ((98, ("elsewhere", "throughput")), (99, ("c101", "unheard"))):
            row = (1, number, *names)
            database.execute("INSERT INTO series (school, number, subject, kind) VALUES (?, ?, ?, ?)", row)
        database.execute(f"UPDATE result SET {change} WHERE sequence = ?", (place_of(database, "r-1-1"),))
        database.execute("DELETE FROM day_evidence")  # whoever does so lets the evidence be judged anew

    words = "s001: 1 result(s) are filed under another subject, kind or time than they say, the first is r-1-1"
    assert words in said(tampered(world, work))


@pytest.mark.sqlite_only("the database is changed by hand")
def test_a_place_in_the_chain_that_is_no_number(world: World) -> None:
    fill(world)
    actual = tampered(
        world,
        lambda database: database.execute("UPDATE seen SET sequence = 'abc' WHERE id = ?", (id_octets("r-1-1"),)),
    )
    assert any("does not fit" in text or "is missing" in text for text in said(actual))
    assert "s001: 1 result(s) have no place in the chain and are not older than it" in said(actual)


def test_evidence_that_does_not_follow(world: World) -> None:
    fill(world)
    actual = tampered(
        world,
        lambda database: database.execute(
            "UPDATE day_evidence SET body = X'9105' WHERE target = 'classroom_bandwidth'"
        ),
    )
    assert said(actual) == [
        "s001/c101 classroom_bandwidth: the evidence of 2026-11-09 does not follow from its results"
    ]


def test_a_tally_that_does_not_follow(world: World) -> None:
    fill(world)
    assert world.service.verdicts.by_school(Month(2026, 11, world.service.config.timezone))
    assert verify(world.service.store, world.service.verdicts).findings == ()
    actual = tampered(
        world,
        # of no target any subject
        lambda database: database.execute("UPDATE school_tally SET verdicts = X'80' WHERE verdicts IS NOT NULL"),
    )
    assert said(actual) == ["s001: what is kept of 2026-11 does not follow from the evidence of its days"]


def test_the_command_says_so(world: World, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    fill(world)
    where = ("--state-dir", str(world.service.config.database.parent))
    assert main(["verify", *where]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "✓ 全部相符"
    tampered(world, lambda database: remove_result(database, "r-1-1"))
    assert main(["verify", "--json", *where]) == 1
    assert "r-1-1" in json.loads(capsys.readouterr().out)["findings"][0]["zh"]


def make_older(database: sqlite3.Connection) -> None:
    """As if all results were from before the chain."""
    for table in ("result", "seen"):
        database.execute(f"UPDATE {table} SET sequence = -sequence")


def forge(database: sqlite3.Connection, recompute: bool) -> None:
    """All rates ten times higher; the chain either taken away, or worked out again from the first result on."""
    change_raw(database, lambda raw: raw.replace(b'"goodput_bits_per_second":9', b'"goodput_bits_per_second":99'))
    database.execute("DELETE FROM seal")
    database.execute("DELETE FROM day_evidence")
    if not recompute:
        make_older(database)
        return
    head, number = first_head("s001"), 0
    for (packed,) in database.execute("SELECT packed FROM result ORDER BY sequence").fetchall():
        head, number = next_head(head, unpack(packed)), number + 1
    database.execute("INSERT INTO seal VALUES ('s001', 20000, ?, ?)", (number, head))
    database.execute("DELETE FROM receipt")


def test_results_without_a_place_in_the_chain_are_found(world: World) -> None:
    fill(world)
    actual = tampered(world, lambda database: forge(database, recompute=False))
    assert "s001: 16 result(s) have no place in the chain and are not older than it" in said(actual)


def test_the_recorded_start_of_the_chain_is_the_only_excuse(world: World) -> None:
    """A database of before the chain: as many results as were counted when it was brought forward."""
    fill(world)

    def work(database: sqlite3.Connection) -> None:
        for trigger in ("changed", "added", "removed"):
            database.execute(f"DROP TRIGGER chain_start_is_not_{trigger}")
        make_older(database)
        database.execute("DELETE FROM seal")
        database.execute("DELETE FROM receipt")
        database.execute("INSERT INTO chain_start VALUES ('s001', 16)")

    actual = tampered(world, work)
    assert (actual.unsealed, actual.findings) == (16, ())
    world.send(throughput(id="after"))
    assert verify(world.service.store, world.service.verdicts).findings == ()


@pytest.mark.parametrize("digits", [64, 12])
def test_a_chain_that_was_worked_out_again_does_not_fit_a_printed_head(world: World, digits: int, capsys) -> None:
    fill(world)
    seal = world.service.store.chain.checkpoints("s001")[-1]
    printed = f"s001:{seal.last_sequence}:{seal.head.hex()[:digits]}"
    where = ("--state-dir", str(world.service.config.database.parent))
    assert main(["verify", "--head", printed, *where]) == 0
    assert tampered(world, lambda database: forge(database, recompute=True)).findings == ()
    assert main(["verify", "--head", printed, "--head", "s001:999:" + "0" * 8, *where]) == 1
    assert "the given head at result 16 does not fit the chain: a result before was changed" in capsys.readouterr().out
    assert main(["verify", "--head", "s001:16", *where]) == 2


def test_a_chain_that_was_worked_out_again_does_not_fit_a_closed_month(world: World) -> None:
    fill(world)
    store = world.service.store
    seal = store.chain.checkpoints("s001")[-1]
    heads = [{"school": "s001", "results": seal.last_sequence, "head": seal.head.hex()}]
    figures = json.dumps({"heads": heads}).encode()
    store.monthly.close(
        ClosedMonth("2026-10", AT, sha256(figures).hexdigest(), "0.2.0", zlib.compress(figures), zlib.compress(b"[]"))
    )
    assert verify(world.service.store, world.service.verdicts).findings == ()
    actual = tampered(world, lambda database: forge(database, recompute=True))
    assert said(actual) == [
        "s001: the head printed in the report of 2026-10 at result 16 does not fit the chain: a result before was changed"
    ]


def test_a_removed_seal_of_the_last_results(world: World) -> None:
    fill(world)
    actual = tampered(world, lambda database: database.execute("DELETE FROM seal"))
    assert "s001: the seal of result 16 is missing" in said(actual)


@pytest.mark.sqlite_only("a copy of its file")
def test_a_copy_without_its_log_is_told(tmp_path: Path, capsys) -> None:
    """Whoever copies the file of a running collector takes only what was moved out of the log."""
    copy, backed_up = tmp_path / "copy", tmp_path / "backed-up"
    with collector(tmp_path / "a") as world:
        world.send(throughput(id="first"))
        for folder in (copy, backed_up):
            folder.mkdir()
        shutil.copy(tmp_path / "a" / "campus.db", copy)
        backup(tmp_path / "a" / "campus.db", backed_up / "campus.db")
    for _ in range(2):
        assert main(["verify", "--state-dir", str(copy)]) == 1
        assert "without its -wal file" in capsys.readouterr().out
    for folder in (backed_up, tmp_path / "a"):  # a whole copy; and a collector that ended
        for _ in range(2):
            assert main(["verify", "--state-dir", str(folder)]) == 0
