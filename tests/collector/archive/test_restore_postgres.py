"""The drill with PostgreSQL, as the manual has it: pg_dump, pg_restore into an empty database, the archives beside it, and verify."""

import shutil
import subprocess
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from tests.collector.archive.months import CLOSED_AT, OCTOBER, send_two_months
from tests.collector.archive.test_restore import proof
from tests.collector.world import collector
from tests.postgres_server import shared_server
from tests.stores import URL


def test_a_dump_and_archives_on_a_clean_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lost, clean, dump = tmp_path / "lost", tmp_path / "clean", tmp_path / "campus.dump"
    server = shared_server()
    before_url = server.new_database()
    with collector(lost, {URL: before_url}) as world:
        send_two_months(world)
        figures = world.service.reports.close_figures(OCTOBER, CLOSED_AT)
        world.service.reports.document(OCTOBER, "html", "zh", now=CLOSED_AT, figures=figures)
        world.service.archives.archive(OCTOBER)
        subprocess.run([server.programs / "pg_dump", "--format=custom", f"--file={dump}", before_url], check=True)
        before = proof(world)
    url = server.empty_database()
    subprocess.run(
        [server.programs / "pg_restore", "--no-owner", "--exit-on-error", f"--dbname={url}", dump], check=True
    )
    shutil.copytree(lost / "archives", clean / "archives")
    shutil.rmtree(lost)
    with collector(clean, {URL: url}) as world:
        assert proof(world) == before
        assert all(part.well for part in world.service.reports.verify("2026-10"))
    monkeypatch.setenv(URL, url)
    assert main(["verify", "--state-dir", str(clean)]) == 0
    assert main(["archive", "verify", str(clean / "archives"), "--state-dir", str(clean)]) == 0
    capsys.readouterr()
    assert main(["restore", str(dump), "--archives", str(clean / "archives"), "--state-dir", str(clean)]) == 1
    assert "use pg_restore into an empty database" in capsys.readouterr().err
