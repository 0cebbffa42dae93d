"""A backup while results come in is one moment of the database; it can be put back; what is no backup is refused."""

import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.store import backup as backups
from campus_collector.store.backup import backup, restore
from campus_collector.store.errors import StoreUnavailable, StoreUnusable
from tests.collector.world import World, collector, days, throughput

pytestmark = pytest.mark.sqlite_only("a copy of its file")


def test_it_is_consistent_while_results_come_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In many steps, with commits between them: what is in the copy is of one moment."""
    monkeypatch.setattr(backups, "PAGES_A_STEP", 4)
    stop, copy = threading.Event(), tmp_path / "copies" / "one.db"
    steps: list[int] = []
    with collector(tmp_path / "a") as world:
        world.send(*(throughput(at=at) for at in days(4, 2)))

        def go_on() -> None:
            while not stop.is_set():
                world.send(*(throughput(subject="c102", at=at) for at in days(1, 5)))

        thread = threading.Thread(target=go_on)
        thread.start()
        try:
            backup(tmp_path / "a" / "campus.db", copy, lambda done, _: steps.append(done))
        finally:
            stop.set()
            thread.join()
    assert len(steps) > 5
    assert steps == sorted(set(steps)), "it never begins again"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert [path.name for path in copy.parent.iterdir()] == ["one.db"]
    assert restore(copy, tmp_path / "b" / "campus.db") > 0
    with collector(tmp_path / "b") as world:
        totals = world.service.store.results.measurement_totals()
        stored = sum(totals.values())
        database = sqlite3.connect(tmp_path / "b" / "campus.db")
        assert database.execute("SELECT count(*) FROM result").fetchone() == (stored,), (
            "results and their count are of one moment"
        )
        assert main(["verify", "--state-dir", str(tmp_path / "b")]) == 0


def test_nothing_is_overwritten_and_what_is_no_backup_is_refused(tmp_path: Path) -> None:
    with collector(tmp_path / "a") as world:
        world.send(throughput())
    database, copy = tmp_path / "a" / "campus.db", tmp_path / "copy.db"
    backup(database, copy)
    with pytest.raises(FileExistsError):
        backup(database, copy)
    with pytest.raises(FileExistsError):
        restore(copy, database)
    with pytest.raises(StoreUnavailable, match="no database"):
        backup(tmp_path / "nothing.db", tmp_path / "x.db")
    (tmp_path / "text.db").write_text("hello")
    sqlite3.connect(tmp_path / "other.db").execute("CREATE TABLE a (x)")
    octets = bytearray(copy.read_bytes())
    octets[8192:16384] = b"\x5a" * 8192
    (tmp_path / "damaged.db").write_bytes(bytes(octets))
    with sqlite3.connect(tmp_path / "newer.db") as newer:
        newer.execute("CREATE TABLE migration (name TEXT, hash TEXT, applied_at INTEGER)")
        newer.execute("INSERT INTO migration VALUES ('9999_future.sql', '', 0)")
    for name in ("text", "other", "damaged", "newer"):
        with pytest.raises(StoreUnusable):
            restore(tmp_path / f"{name}.db", tmp_path / "b" / "campus.db")
    assert not (tmp_path / "b" / "campus.db").exists()


def test_the_commands(
    world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    world.send(throughput())
    copy = tmp_path / "b.db"
    assert main(["backup", str(copy), "--state-dir", str(tmp_path)]) == 0
    assert "已校验" in capsys.readouterr().out
    assert main(["backup", str(copy), "--state-dir", str(tmp_path)]) == 1
    assert "已存在" in capsys.readouterr().err
    assert main(["restore", str(copy), "--state-dir", str(tmp_path / "new")]) == 0
    assert main(["restore", str(tmp_path / "none"), "--state-dir", str(tmp_path / "new2")]) == 1
