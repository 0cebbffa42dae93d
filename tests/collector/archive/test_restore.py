"""The drill: the last backup and the archives on a clean machine give the same heads, verdicts and documents."""

import shutil
from hashlib import sha256
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from tests.collector.archive.months import CLOSED_AT, NOVEMBER, OCTOBER, close, send_two_months
from tests.collector.world import World, collector, throughput

pytestmark = pytest.mark.sqlite_only("a copy of its file")


def proof(world: World) -> dict[str, object]:
    """Heads, verdicts, documents and archives of a collector."""
    service = world.service
    heads = {school: service.store.chain.last_checkpoint(school) for school in ("s001", "s002")}
    verdicts = [(each.school, each.subject, each.target, each.verdict) for each in service.verdicts.subjects(OCTOBER)]
    documents = {}
    for form, language in service.store.monthly.documents("2026-10"):
        issued = service.store.monthly.issued("2026-10", form, language)
        assert issued is not None
        documents[form, language] = sha256(issued.body).hexdigest()
    archives = [(entry.month, entry.state, entry.manifest) for entry in service.archives.entries()]
    return {"heads": heads, "verdicts": verdicts, "documents": documents, "archives": archives}


def test_backup_and_archives_on_a_clean_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost, clean, away = tmp_path / "lost", tmp_path / "clean", tmp_path / "away"
    with collector(lost) as world:
        send_two_months(world)
        figures = world.service.reports.close_figures(OCTOBER, CLOSED_AT)
        world.service.reports.document(OCTOBER, "html", "zh", now=CLOSED_AT, figures=figures)
        world.service.archives.archive(OCTOBER)
        assert main(["backup", str(away / "backup.db"), "--state-dir", str(lost)]) == 0
        shutil.copytree(lost / "archives", away / "archives")
        before = proof(world)
        # after the backup: a result that is lost, and a month that the backup knows nothing of
        world.send(throughput(at=NOVEMBER.start))
        close(world, NOVEMBER)
        shutil.copytree(world.service.archives.archive(NOVEMBER).folder, away / "archives" / "month=2026-11")
    shutil.rmtree(lost)
    capsys.readouterr()
    command = ["restore", str(away / "backup.db"), "--archives", str(away / "archives"), "--state-dir", str(clean)]
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert "✓ 2026-10: taken, and whole" in shown
    assert "✗ 2026-11: not taken: the backup does not have this month as it was closed" in shown
    with collector(clean) as world:
        assert proof(world) == before
        assert all(part.well for part in world.service.reports.verify("2026-10"))
    assert main(["verify", "--state-dir", str(clean)]) == 0
    assert main(["archive", "verify", str(clean / "archives"), "--state-dir", str(clean)]) == 0


def test_a_damaged_and_a_lost_archive_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lost, clean, away = tmp_path / "lost", tmp_path / "clean", tmp_path / "away"
    with collector(lost) as world:
        send_two_months(world)
        close(world, OCTOBER, NOVEMBER)
        for month in (OCTOBER, NOVEMBER):
            world.service.archives.archive(month)
        assert main(["backup", str(away / "backup.db"), "--state-dir", str(lost)]) == 0
    shutil.move(lost / "archives" / "month=2026-10", away / "archives" / "month=2026-10")
    file = away / "archives" / "month=2026-10" / "town=t01" / "results.parquet"
    file.chmod(0o640)
    file.write_bytes(file.read_bytes()[:-1])
    capsys.readouterr()
    command = ["restore", str(away / "backup.db"), "--archives", str(away / "archives"), "--state-dir", str(clean)]
    assert main(command) == 1
    shown = capsys.readouterr().out
    assert "✗ 2026-10: month=2026-10/town=t01/results.parquet: is not the file that was archived" in shown
    assert "✗ 2026-11: its archive is lost: " in shown
    assert not (clean / "archives").exists() or list((clean / "archives").iterdir()) == []


def test_a_folder_of_archives_that_is_not_there_keeps_the_database_from_being_restored(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It could not be restored again, with the right folder."""
    command = ["restore", str(tmp_path / "backup.db"), "--state-dir", str(tmp_path / "clean"), "--archives"]
    assert main([*command, str(tmp_path / "typo")]) == 1
    assert "typo" in capsys.readouterr().err
    assert main([*command, str(tmp_path)]) == 1
    assert "there is no archive" in capsys.readouterr().err
    assert not (tmp_path / "clean" / "campus.db").exists()
