"""Months leave the database: everybody reads them from the archive, a lost archive is said, and a kill at any moment loses nothing."""

import random
import shutil
import signal
import subprocess
import sys
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from campus_base.messages import message
from campus_collector.archive import removal as removal_module
from campus_collector.archive.errors import NotArchived
from campus_collector.archive.removal import months_due
from campus_collector.archive.service import LEASE
from campus_collector.archive.write import _locked
from campus_collector.cli.main import main
from campus_collector.config import load_config
from campus_collector.domain.archive import RemovedMonth
from campus_collector.domain.days import EPOCH
from campus_collector.http.service import _archive_wanted
from campus_collector.store.archive.removed import ArchivedSchool
from campus_collector.store.errors import ArchiveLost
from campus_collector.verify.database import verify
from tests.collector.archive.months import FIRST, NOVEMBER, OCTOBER, close, send_two_months
from tests.collector.world import World, throughput

END = datetime(2030, 1, 1, tzinfo=UTC)


def everything(world: World) -> dict[str, Any]:
    """What readers get."""
    store = world.service.store
    read: dict[str, Any] = {}
    for school in ("s001", "s002"):
        read[school, "leaves"] = [(leaf.sequence, leaf.id, leaf.raw, leaf.filed) for leaf in store.chain.leaves(school)]
        read[school, "raw"] = store.results.raw(school, None, None, EPOCH, END, 1000)
        read[school, "newest"] = store.results.raw(school, "c101", "throughput", EPOCH, END, 3)
        read[school, "of"] = store.results.of_subject(school, "c101", "throughput", EPOCH, END)
        read[school, "sampled"] = store.results.sampled(school, "c101", "throughput", FIRST, OCTOBER.end, 86_400)
        first = read[school, "of"][0]
        read[school, "stored"] = store.results.stored(school, "c101", "throughput", first.started_at, first.id)
    verdicts = world.service.verdicts.subjects(OCTOBER)
    read["verdicts"] = [(each.school, each.subject, each.target, each.verdict) for each in verdicts]
    return read


def archived(world: World) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    world.service.archives.archive(OCTOBER)


def rows(world: World) -> int:
    """How many results the database itself holds."""
    found = world.service.store._database.first("SELECT count(*) FROM result")
    assert found is not None
    return int(found[0])


def findings(world: World) -> list[str]:
    return [finding.text.en for finding in verify(world.service.store, world.service.verdicts).findings]


def test_readers_do_not_notice(world: World) -> None:
    archived(world)
    before, stored = everything(world), rows(world)
    assert world.service.archives.remove(OCTOBER) == 33
    assert rows(world) == stored - 33
    assert everything(world) == before
    assert findings(world) == []
    (month,) = world.get("/v1/archive").json["months"]
    assert (month["state"], month["has_left_database"]) == ("archived", True)
    events = [event.what for event in world.service.store.ledger.events() if event.what.startswith("month_")]
    assert sorted(events) == ["month_archived", "month_removal_begun", "month_removed"]
    with pytest.raises(NotArchived, match="has left the database"):
        world.service.archives.archive(OCTOBER)


def test_sent_again_is_acknowledged_and_what_comes_late_is_read_with_the_archive(world: World) -> None:
    archived(world)
    sent = throughput(at=FIRST + timedelta(hours=3))
    assert world.send(sent)["stored"] == 1  # after the month was closed: it stays in the database
    first = world.service.store.results.of_subject("s001", "c101", "throughput", FIRST, OCTOBER.end)
    world.service.archives.remove(OCTOBER)
    stored = rows(world)
    again = world.send(first[0])
    assert (again["stored"], again["duplicate"], rows(world)) == (0, 1, stored)
    assert world.service.store.results.of_subject("s001", "c101", "throughput", FIRST, OCTOBER.end) == first
    late = throughput(at=FIRST + timedelta(hours=5))
    world.send(late)
    read = world.service.store.results.of_subject("s001", "c101", "throughput", FIRST, OCTOBER.end)
    assert [result.id for result in read] == [r.id for r in sorted([*first, late], key=lambda r: r.started_at)]
    assert findings(world) == []


@pytest.mark.parametrize("moments", [0, 1, 2, 3])
def test_stopped_at_any_moment_nothing_is_lost_or_read_twice(
    world: World, monkeypatch: pytest.MonkeyPatch, moments: int
) -> None:
    archived(world)
    before = everything(world)
    monkeypatch.setattr(removal_module, "ROWS_A_COMMIT", 7)
    table = world.service.store.archives
    remove_some, left = table.remove_some, [moments]

    def until_stopped(*arguments: Any) -> int:
        if left[0] == 0:
            raise KeyboardInterrupt
        left[0] -= 1
        return remove_some(*arguments)

    with ExitStack() as stack:
        stack.enter_context(pytest.raises(KeyboardInterrupt))
        monkeypatch.setattr(table, "remove_some", until_stopped)
        world.service.archives.remove(OCTOBER)
    monkeypatch.setattr(table, "remove_some", remove_some)
    assert everything(world) == before
    assert findings(world) == []
    world.service.archives.remove(OCTOBER)
    assert everything(world) == before
    assert table.removed()[0].results == 33
    assert table.removed()[0].is_finished


def test_a_lost_archive_is_said_and_nothing_is_guessed(world: World) -> None:
    archived(world)
    world.service.archives.remove(OCTOBER)
    folder = world.service.config.archive_dir / "month=2026-10"
    shutil.move(folder, folder.parent / "away")
    with pytest.raises(ArchiveLost, match="2026-10"):
        world.service.store.results.of_subject("s001", "c101", "throughput", FIRST, OCTOBER.end)
    assert world.service.store.results.of_subject("s001", "c101", "throughput", NOVEMBER.start, NOVEMBER.end)
    found = findings(world)
    assert len(found) == 1
    assert "the results of 2026-10 have left the database, and their archive is lost" in found[0]
    shutil.move(folder.parent / "away", folder)
    assert findings(world) == []


def test_a_flipped_octet_and_a_forged_manifest_are_named(world: World) -> None:
    archived(world)
    world.service.archives.remove(OCTOBER)
    folder = world.service.config.archive_dir / "month=2026-10"
    file = folder / "town=t01" / "results.parquet"
    body = file.read_bytes()
    file.chmod(0o640)
    file.write_bytes(body[:100] + bytes([body[100] ^ 1]) + body[101:])
    (found,) = findings(world)
    assert "town=t01/results.parquet: is not the file that was archived" in found
    file.write_bytes(body)
    manifest = folder / "manifest.json"
    manifest.chmod(0o640)
    manifest.write_bytes(manifest.read_bytes().replace(b'"county": ""', b'"county": "x"'))
    (found,) = findings(world)
    assert "is not the one that was recorded" in found


def test_what_is_not_archived_as_it_is_stays(world: World) -> None:
    archived(world)
    stored = rows(world)
    file = world.service.config.archive_dir / "month=2026-10" / "town=t02" / "results.parquet"
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(NotArchived, match="does not leave the database"):
        world.service.archives.remove(OCTOBER)
    with pytest.raises(NotArchived, match="is not archived"):
        world.service.archives.remove(NOVEMBER)
    assert rows(world) == stored
    assert world.service.store.archives.removed() == []


def test_when_a_month_is_due(world: World) -> None:
    archived(world)
    store, zone = world.service.store, world.service.config.timezone
    assert months_due(store, zone, 13, datetime(2027, 11, 30, 15, 59, tzinfo=UTC)) == []
    assert months_due(store, zone, 13, datetime(2027, 11, 30, 16, 0, tzinfo=UTC)) == [OCTOBER]
    assert months_due(store, zone, 0, END) == []
    world.service.archives.remove(OCTOBER)
    assert months_due(store, zone, 13, END) == []


SLOWED = """
import sys, time
from campus_collector.archive import removal, worker
from campus_collector.store.tables.archives import ArchiveTable
remove_some = ArchiveTable.remove_some
def slowed(*arguments):
    removed = remove_some(*arguments)
    print("committed", file=sys.stderr, flush=True)
    time.sleep(0.02)
    return removed
ArchiveTable.remove_some = slowed
removal.ROWS_A_COMMIT = 1
sys.exit(worker.main())
"""
"""The process that removes a month: one result a commit, and a line after each."""


def test_the_process_is_killed(world: World) -> None:
    """After some commits, wherever it is by then; each next process goes on."""
    archived(world)
    before, config = everything(world), world.service.config
    wanted = msgspec.json.encode(_archive_wanted(config, "2026-10", True))
    generator = random.Random()
    kills = 0
    for _ in range(3 if config.postgres else 10):
        commits = generator.randrange(1, 3)
        command = [sys.executable, "-c", SLOWED]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        ) as process:
            assert process.stdin is not None
            assert process.stderr is not None
            process.stdin.write(wanted)
            process.stdin.close()
            for line in process.stderr:
                commits -= line == b"committed\n"
                if commits == 0:
                    break
            process.kill()
        kills += process.returncode == -signal.SIGKILL
        assert everything(world) == before
        release_archives(world)
    assert kills >= 3
    assert findings(world) == []
    world.service.archives.remove(OCTOBER)
    assert everything(world) == before
    assert findings(world) == []
    assert world.service.store.archives.removed()[0].results == 33


def release_archives(world: World) -> None:
    """As when a minute has passed since its holder was killed."""
    world.service.store._database.write(
        lambda transaction: transaction.execute("DELETE FROM lease WHERE name = :name", {"name": LEASE})
    )


@pytest.mark.sqlite_only("the command is given the folder of its file")
def test_archive_verify_names_a_recorded_month_that_is_gone(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    archived(world)
    folder, state_dir = world.service.config.archive_dir, str(world.service.config.state_dir)
    shutil.rmtree(folder / "month=2026-10")
    assert main(["archive", "verify", str(folder), "--state-dir", state_dir]) == 1
    assert "✗ month=2026-10: was recorded as archived, and is not there" in capsys.readouterr().out


def test_a_folder_that_another_process_writes_is_no_leftover(world: World, tmp_path: Path) -> None:
    archived(world)
    (tmp_path / ".month=2026-10.0000.part").mkdir()
    (tmp_path / ".month=2026-10.1111.part").mkdir()
    with _locked(tmp_path / ".month=2026-10.1111.part"):
        world.service.archives.copy(OCTOBER, tmp_path)
    assert [path.name for path in sorted(tmp_path.glob("*month*"))] == [".month=2026-10.1111.part", "month=2026-10"]


def test_by_itself_nothing_leaves_a_server(tmp_path: Path) -> None:
    """Other machines may not see this one's folder of archives."""
    file = tmp_path / "collector.toml"
    kept = {}
    for store in ('url = "sqlite:////tmp/campus.db"', 'url = "postgresql://db/campus"'):
        for more in ("", "keep_months = 7"):
            file.write_text(f"[store]\n{store}\n{more}\n", encoding="utf-8")
            kept[store[7:13], more] = load_config(file, None).keep_months
    assert list(kept.values()) == [13, 7, 0, 7]


def test_words_of_a_lost_archive_do_not_say_where_the_folder_is(world: World) -> None:
    archived(world)
    world.service.archives.remove(OCTOBER)
    folder = world.service.config.archive_dir / "month=2026-10"
    (folder / "links.csv.gz").unlink()
    (found,) = findings(world)
    assert "month=2026-10/links.csv.gz: " in found
    shutil.rmtree(folder)
    with pytest.raises(ArchiveLost) as lost:
        world.service.store.results.of_subject("s001", "c101", "throughput", FIRST, OCTOBER.end)
    assert "month=2026-10/manifest.json: " in str(lost.value)
    for text in (str(lost.value), lost.value.in_("zh"), *findings(world)):
        assert str(world.service.config.archive_dir.parent) not in text


def test_an_archive_that_could_not_be_read_once_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    archived(world)
    world.service.archives.remove(OCTOBER)
    archive, failures = world.service.store.archived, [1]
    of_school = archive.of_school

    def fails_once(month: RemovedMonth, school: str) -> ArchivedSchool:
        if failures:
            failures.pop()
            raise ArchiveLost(month.month, message("cannot be read"))
        return of_school(month, school)

    monkeypatch.setattr(archive, "of_school", fails_once)
    (found,) = findings(world)
    assert found.startswith("the results of 2026-10 have left the database")
    assert findings(world) == []
