"""A backup of a large database while results come in, on any disk, in bounded time; and whose files a restore and a first command make."""

import os
import signal
import sqlite3
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.store import backup as backups
from campus_collector.store.backup import TooSlow, backup, restore
from campus_collector.store.database import Database
from campus_collector.store.errors import NotEnoughSpace
from campus_collector.store.open import open_database
from campus_collector.store.sqlite import WAL_KEPT_BYTES
from tests.flow.programs import ENVIRONMENT, until

pytestmark = pytest.mark.sqlite_only("a copy of its file")

SOMEBODY = 65_534
MEGABYTES = 80


def large(path: Path) -> Database:
    """Ten steps of a backup and more."""
    database = open_database(path)
    for _ in range(MEGABYTES // 20):
        database.write(
            lambda connection: connection.execute_many(
                "INSERT INTO quarantine (school, received_at, reason, raw) VALUES ('s001', 0, '', randomblob(100000))",
                [{} for _ in range(200)],
            )
        )
    return database


@contextmanager
def writer(database: Database) -> Iterator[list[int]]:
    """Commits without end; how many."""
    stop, count = threading.Event(), [0]

    def go_on() -> None:
        while not stop.is_set():
            database.write(
                lambda connection: connection.execute(
                    "INSERT INTO quarantine (school, received_at, reason, raw) VALUES ('s002', 0, '', randomblob(2000))"
                )
            )
            count[0] += 1

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield count
    finally:
        stop.set()
        thread.join(60)


def test_one_pass_beside_a_writer(tmp_path: Path) -> None:
    database, copy = large(tmp_path / "campus.db"), tmp_path / "copy.db"
    steps: list[tuple[int, int]] = []
    with writer(database) as written:

        def step(done: int, whole: int) -> None:
            before = written[0]
            until(lambda: written[0] > before, 60, "a commit between two steps")
            steps.append((done, whole))

        backup(tmp_path / "campus.db", copy, step)
    assert len(steps) >= 10
    assert [done for done, _ in steps] == sorted({done for done, _ in steps}), "it never begins again"
    assert steps[-1][0] == steps[-1][1]
    with closing(sqlite3.connect(copy)) as read:
        assert read.execute("SELECT count(*) FROM quarantine WHERE school = 's001'").fetchone() == (MEGABYTES * 10,)
        (others,) = read.execute("SELECT count(*), max(sequence) FROM quarantine").fetchone()[1:]
        assert others == read.execute("SELECT seq FROM sqlite_sequence WHERE name = 'quarantine'").fetchone()[0]
    database.write(lambda connection: None)
    assert (tmp_path / "campus.db-wal").stat().st_size <= WAL_KEPT_BYTES + 20_000_000
    database.close()


def test_it_gives_up_in_time_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    large(tmp_path / "campus.db").close()
    with pytest.raises(TooSlow):
        backup(tmp_path / "campus.db", tmp_path / "usb" / "copy.db", lambda *_: time.sleep(0.05), seconds=0.1)
    assert list((tmp_path / "usb").iterdir()) == []
    command = ["backup", str(tmp_path / "usb" / "copy.db"), "--seconds", "0.000001", "--state-dir", str(tmp_path)]
    assert main(command) == 1
    assert "not finished in time" in capsys.readouterr().err
    assert list((tmp_path / "usb").iterdir()) == []


KILLED = """
import os, signal, sys
from pathlib import Path
from campus_collector.store.backup import backup
backup(Path(sys.argv[1]), Path(sys.argv[2]), lambda done, whole: os.kill(os.getpid(), signal.SIGKILL) if done else None)
"""


def test_a_backup_that_is_killed_takes_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    large(tmp_path / "campus.db").close()
    target = tmp_path / "usb" / "copy.db"
    killed = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path / "campus.db"), str(target)],
        env=ENVIRONMENT,
        check=False,
        timeout=60,
    )
    assert killed.returncode == -signal.SIGKILL
    assert not target.exists()
    monkeypatch.setattr(backups, "LEFTOVER_SECONDS", 0.0)
    backup(tmp_path / "campus.db", target)
    assert [path.name for path in target.parent.iterdir()] == ["copy.db"], "what the killed one left is gone"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A file system of 20 MB."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=20m", "none", place]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("no file system can be mounted here")
    try:
        yield place
    finally:
        subprocess.run(["umount", place], check=True)


def no_link(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_a_disk_without_links_owners_and_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and exFAT, as a USB disk has them."""
    usb = tmp_path / "usb"
    monkeypatch.setattr(os, "link", no_link)
    monkeypatch.setattr(os, "chmod", no_link)
    folder = tmp_path / "a"
    open_database(folder / "campus.db").close()
    assert main(["backup", str(usb / "copy.db"), "--state-dir", str(folder)]) == 0
    assert main(["backup", str(usb / "copy.db"), "--state-dir", str(folder)]) == 1, "never over another"
    assert main(["restore", str(usb / "copy.db"), "--state-dir", str(tmp_path / "b")]) == 0
    assert [path.name for path in usb.iterdir()] == ["copy.db"]
    for out in ("ledger.csv", "ledger.xlsx"):
        assert main(["ledger", "--out", str(usb / out), "--state-dir", str(folder)]) == 0


def test_too_little_room_is_told_before_anything_is_written(
    tmp_path: Path, small: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    large(tmp_path / "a" / "campus.db").close()
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    assert main(["backup", str(small / "copy.db"), "--state-dir", str(tmp_path / "a")]) == 1
    assert "磁盘空间不足" in capsys.readouterr().err
    monkeypatch.setattr(backups, "_must_have_room", lambda *_: None)  # and when it fills during the copy
    with pytest.raises(NotEnoughSpace):
        backup(tmp_path / "a" / "campus.db", small / "copy.db")
    assert list(small.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
@pytest.mark.parametrize(
    "command",
    [
        ["restore", "COPY"], ["agent-token", "s001"], ["ledger"], ["verify"], ["enroll-code", "s001"],
        ["person", "add", "li", "--role", "admin"], ["judge", "--month", "2026-10"], ["report", "--month", "2026-10"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
@pytest.mark.parametrize(("mode", "expected"), [(0o750, 0o640), (0o700, 0o600)])
def test_what_root_makes_belongs_to_the_service(tmp_path: Path, command: list[str], mode: int, expected: int) -> None:
    folder, first, copy = tmp_path / "state", tmp_path / "first", tmp_path / "copy.db"
    open_database(first / "campus.db").close()
    backup(first / "campus.db", copy)
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, SOMEBODY, SOMEBODY)
    with suppress(SystemExit):
        main([*(each.replace("COPY", str(copy)) for each in command), "--state-dir", str(folder)])
    database = open_database(folder / "campus.db")
    database.write(lambda connection: connection.execute("INSERT INTO mark VALUES ('a', 1)"))
    names = {path.name: path.stat() for path in folder.rglob("*")}
    database.close()
    assert names.keys() >= {"campus.db", "campus.db-wal", "campus.db-shm"}
    for name, status in names.items():
        assert (status.st_uid, status.st_gid) == (SOMEBODY, SOMEBODY), name
        if name.startswith("campus.db"):
            assert stat.S_IMODE(status.st_mode) == expected, name


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes files for others")
def test_what_an_older_version_left_to_root_is_given_back(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_database(folder / "campus.db").close()
    os.chown(folder, SOMEBODY, SOMEBODY)
    assert (folder / "campus.db").stat().st_uid == 0
    database = open_database(folder / "campus.db")
    database.write(lambda connection: connection.execute("SELECT 1"))
    assert {path.stat().st_uid for path in folder.iterdir()} == {SOMEBODY}
    database.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be refused nothing")
def test_a_database_that_the_service_may_not_use_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    open_database(folder / "campus.db").close()
    script = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from campus_collector.store.open import open_database\n"
        "os.setgid(65534); os.setuid(65534)\n"
        "try: open_database(Path(sys.argv[1]) / 'campus.db')\n"
        "except Exception as error: print(type(error).__name__, error)\n"
    )
    for each in (tmp_path, *tmp_path.parents):
        if len(each.parts) > 2:
            each.chmod(each.stat().st_mode | 0o055)
    os.chown(folder, SOMEBODY, SOMEBODY)
    answer = subprocess.run(
        [sys.executable, "-c", script, str(folder)], capture_output=True, env=ENVIRONMENT, check=True, timeout=60
    ).stdout.decode()
    assert answer.startswith("StoreUnavailable ")
    assert "campus.db belongs to user 0, this is user 65534" in answer


def test_restoring_a_copy_without_its_log_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    database = open_database(tmp_path / "a" / "campus.db")
    (tmp_path / "copy.db").write_bytes((tmp_path / "a" / "campus.db").read_bytes())
    database.close()
    assert main(["restore", str(tmp_path / "copy.db"), "--state-dir", str(tmp_path / "b")]) == 1
    assert "without copy.db-wal" in capsys.readouterr().err
    assert restore(tmp_path / "a" / "campus.db", tmp_path / "c" / "campus.db") > 0
