"""Whoever changes, removes or puts in a result is found, and the first place is named."""

import json
import sqlite3
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from campus_collector.cli import main
from campus_collector.judge.month import Month
from campus_collector.verifying import Checked, verify
from tests.collector.world import AT, World, days, service, throughput

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
    database = sqlite3.connect(world.service.config.database)
    for trigger in TRIGGERS:
        database.execute(f"DROP TRIGGER {trigger}")
    work(database)
    database.commit()
    database.close()
    return verify(world.service)


def said(found: Checked) -> list[str]:
    return [one.text.en for one in found.findings]


def test_what_was_left_alone_fits(world: World) -> None:
    fill(world)
    found = verify(world.service)
    assert (found.findings, found.schools, found.results, found.unsealed) == ((), 1, 16, 0)
    assert found.days >= 5


def test_the_database_refuses_to_change_results(world: World) -> None:
    fill(world)
    database = sqlite3.connect(world.service.config.database)
    for statement in ("UPDATE result SET subject = 'c9'", "DELETE FROM result"):
        with pytest.raises(sqlite3.IntegrityError, match="results are immutable"):
            database.execute(statement)
    database.close()


def test_a_changed_figure(world: World) -> None:
    fill(world)
    found = tampered(
        world,
        lambda database: database.execute(
            "UPDATE result SET raw = CAST(replace(CAST(raw AS TEXT), '100000000', '900000000') AS BLOB) WHERE id = 'r-1-1'"
        ),
    )
    assert said(found)[0].startswith("s001: the seal of ")
    assert said(found)[0].endswith("does not fit: a result of that day or before was changed")
    assert "the evidence of" not in said(found)[0]


def test_a_removed_result(world: World) -> None:
    fill(world)
    found = tampered(world, lambda database: database.execute("DELETE FROM result WHERE id = 'r-1-1'"))
    assert said(found)[0].startswith("s001: result r-1-1 is missing; seal of")
    assert any("does not follow from its results" in one for one in said(found)), "the evidence was of more results"


def test_a_result_removed_with_its_trace(world: World) -> None:
    fill(world)

    def work(database: sqlite3.Connection) -> None:
        database.execute("DELETE FROM result WHERE id = 'r-1-1'")
        database.execute("DELETE FROM seen WHERE id = 'r-1-1'")

    assert "is missing; seal of" in said(tampered(world, work))[0]


def test_a_result_that_never_came_through_ingest(world: World) -> None:
    fill(world)
    found = tampered(
        world,
        lambda database: database.execute(
            "INSERT INTO result SELECT school, subject, kind, started_at + 1, 'forged', raw FROM result WHERE id = 'r-0-1'"
        ),
    )
    assert said(found)[0] == "s001: 1 result(s) were put in that never came through ingest"


def test_evidence_that_does_not_follow(world: World) -> None:
    fill(world)
    found = tampered(
        world,
        lambda database: database.execute(
            "UPDATE day_evidence SET body = X'9105' WHERE target = 'classroom_bandwidth'"
        ),
    )
    assert said(found) == ["s001/c101 classroom_bandwidth: the evidence of 2026-11-09 does not follow from its results"]


def test_the_command_says_so(world: World, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    fill(world)
    where = ("--state-dir", str(world.service.config.database.parent))
    assert main(["verify", *where]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "✓ 全部相符"
    tampered(world, lambda database: database.execute("DELETE FROM result WHERE id = 'r-1-1'"))
    assert main(["verify", "--json", *where]) == 1
    assert "r-1-1" in json.loads(capsys.readouterr().out)["findings"][0]["zh"]


def test_results_of_before_the_chain_are_told_apart(world: World, tmp_path: Path) -> None:
    fill(world)
    found = tampered(
        world,
        lambda database: (database.execute("UPDATE seen SET sequence = NULL"), database.execute("DELETE FROM seal")),
    )
    assert (found.unsealed, found.findings) == (16, ())
    world.send(throughput(id="after"))
    assert verify(world.service).findings == ()
