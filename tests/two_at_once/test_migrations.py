"""Two programs that open an older database at the same moment bring it forward once."""

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from campus_collector.store.migrate import migrate, shipped
from campus_collector.store.open import open_database
from campus_collector.store.sqlite import SqliteConnection
from campus_collector.verify.database import verify
from tests.collector.world import World, collector, throughput
from tests.flow.programs import ENVIRONMENT, python

pytestmark = pytest.mark.sqlite_only("databases of older versions")


def older(path: Path, last: str) -> None:
    """A database as a release left it when it ended: in WAL mode, its log moved in."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("PRAGMA journal_mode = WAL")
        migrate(SqliteConnection(database), [step for step in shipped("sqlite") if step.name <= last])
        database.execute(
            "INSERT INTO school (id, name, town, town_name, source) VALUES ('s001', '柳河', 't01', '', 'announced')"
        )


def test_both_find_it_brought_forward(tmp_path: Path) -> None:
    older(tmp_path / "campus.db", "0008_z")
    commands = [
        python("campus_collector", "agent-token", f"s00{number}", "--state-dir", str(tmp_path)) for number in range(4)
    ]
    programs = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
        for command in commands
    ]
    assert [program.communicate(timeout=120)[1].splitlines()[1:] for program in programs] == [[]] * 4
    assert [program.returncode for program in programs] == [0] * 4
    with closing(sqlite3.connect(tmp_path / "campus.db")) as database:
        assert database.execute("SELECT count(*) FROM token").fetchone() == (4,)
        names = [row[0] for row in database.execute("SELECT name FROM migration ORDER BY name")]
    assert names == [step.name for step in shipped("sqlite")]


def test_an_older_database_is_not_taken_for_a_copy_without_its_log(tmp_path: Path) -> None:
    older(tmp_path / "campus.db", "0008_z")
    with collector(tmp_path) as world:
        world.send(throughput())
        assert verify(world.service.store, world.service.verdicts).findings == ()


def test_results_of_before_the_chain_are_counted_when_it_is_brought_forward(tmp_path: Path) -> None:
    older(tmp_path / "campus.db", "0008_z")
    with closing(sqlite3.connect(tmp_path / "campus.db", isolation_level=None)) as database:
        database.execute("INSERT INTO seen (school, id) VALUES ('s001', 'old-1'), ('s001', 'old-2')")
        for number in (1, 2):
            row = ("s001", "c101", "latency", number, f"old-{number}", b"{}")
            database.execute("INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)", row)
    with collector(tmp_path) as world:
        actual = verify(world.service.store, world.service.verdicts)
        assert (actual.unsealed, actual.findings) == (2, ())


def test_the_sentences_of_an_older_problem_are_read_as_before(tmp_path: Path) -> None:
    """Also of one that was opened twice, whichever stays open."""
    older(tmp_path / "campus.db", "0012_z")
    sentences = {"evidence_en": "8 of {8}", "evidence_zh": "8 次中有“8”次"}
    body = {
        "id": 7, "school": "s001", "town": "t01", "target": "classroom_bandwidth", "subject": "c101", "state": "open",
        "opened_on": "2026-09-09", "due_on": "2026-09-24", "diagnosis": "port_speed_10", **sentences, "unit": "integrator",
        "failing_days": 3, "covers": ["c101"],
    }  # fmt: skip
    with closing(sqlite3.connect(tmp_path / "campus.db", isolation_level=None)) as database:
        for number in (7, 8):
            row = (number, "s001", "classroom_bandwidth", "c101", "open", json.dumps(body | {"id": number}).encode())
            database.execute(
                "INSERT INTO problem (id, school, target, subject, state, body) VALUES (?, ?, ?, ?, ?, ?)", row
            )
    with collector(tmp_path) as world:
        problems = sorted(world.service.store.ledger.problems(), key=lambda problem: problem.id)
        assert [(problem.id, problem.state) for problem in problems] == [(7, "open"), (8, "closed")]
        for problem in problems:
            assert (problem.evidence.en, problem.evidence.zh) == tuple(sentences.values())
            assert (problem.opened_on.isoformat(), problem.covers) == ("2026-09-09", ["c101"])
        (answer,) = world.get("/v1/problems?state=open").json["problems"]
        assert sentences.items() <= answer.items()


def test_what_was_counted_before_it_was_by_school_is_counted_on(tmp_path: Path) -> None:
    older(tmp_path / "campus.db", "0020_z")
    with closing(sqlite3.connect(tmp_path / "campus.db", isolation_level=None)) as database:
        database.execute("INSERT INTO total VALUES ('ingest', 'stored', 10), ('audit_archive', '', 2)")
    with collector(tmp_path) as world:
        world.send(throughput())
        assert world.service.store.results.ingest_totals() == {"stored": 11}
    with closing(sqlite3.connect(tmp_path / "campus.db")) as database:
        rows = database.execute("SELECT * FROM total WHERE name <> 'check' ORDER BY 1, 2, 3").fetchall()
    assert rows == [
        ("", "audit_archive", "", 2),
        ("", "ingest", "stored", 10),
        ("s001", "ingest", "stored", 1),
        ("s001", "measurement", "throughput/ok", 1),
    ]


def test_a_program_that_is_killed_leaves_a_file_that_says_so(tmp_path: Path, world: World) -> None:
    """Its log is beside it: nothing is missing, and nobody says so."""
    database = open_database(tmp_path / "b" / "campus.db")
    assert (tmp_path / "b" / "campus.db-wal").exists()
    again = open_database(tmp_path / "b" / "campus.db")
    assert again.first("SELECT value FROM mark WHERE name = 'copied_without_log'") is None
    again.close()
    database.close()
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["campus.db"]


def test_a_command_that_reads_does_not_wait_for_who_writes(tmp_path: Path) -> None:
    """Where no migration is missing, opening writes nothing."""
    database = open_database(tmp_path / "campus.db")
    with closing(sqlite3.connect(tmp_path / "campus.db", isolation_level=None)) as other:
        before = other.execute("PRAGMA data_version").fetchone()
        other.execute("BEGIN IMMEDIATE")
        command = python("campus_collector", "quarantine", "--json", "--state-dir", str(tmp_path))
        read = subprocess.run(command, capture_output=True, env=ENVIRONMENT, check=False, timeout=120)
        other.execute("ROLLBACK")
        assert other.execute("PRAGMA data_version").fetchone() == before
    database.close()
    assert (read.returncode, read.stderr) == (0, b"")
