"""Whatever lies in the state folder: a clear sentence or a working spool, and nothing is ever deleted."""

import getpass
import os
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from campus_agent.spool import schema
from campus_agent.spool.errors import AlreadyRunning, NoSpool, SpoolUnusable
from campus_agent.spool.spool import open_spool
from tests.agent.spool.things import flip, numbers, result

PAGE = 4096


def filled(folder: Path, count: int = 400) -> Path:
    with open_spool(folder) as spool:
        spool.put(*(result(n, detail="x" * 250) for n in range(count)))
        spool.remember("clock", [1, 2])
        spool.quarantine({spool.peek()[0].key: "not liked"})
    return folder / "spool.db"


def junk(path: Path) -> None:
    path.write_bytes(os.urandom(50_000))


def text(path: Path) -> None:
    path.write_text("this is not a spool\n" * 100)


def broken_header(path: Path) -> None:
    flip(path, 0, b"\0" * 100)


def half(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2 // PAGE * PAGE)


def half_a_page(path: Path) -> None:
    os.truncate(path, path.stat().st_size - PAGE // 2)


def broken_pages(path: Path) -> None:
    for page in range(20, 24):
        flip(path, page * PAGE, os.urandom(PAGE))


def other_program(path: Path) -> None:
    path.unlink()
    other = sqlite3.connect(path)
    other.execute("CREATE TABLE bookmarks (url TEXT)")
    other.commit()
    other.close()


@pytest.mark.parametrize("damage", [junk, text, broken_header, half, half_a_page, broken_pages, other_program])
def test_a_damaged_file_is_set_aside_and_a_new_one_begun(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = filled(tmp_path)
    damage(path)
    octets = path.read_bytes()
    with open_spool(tmp_path) as spool:
        (aside,) = spool.status().damaged_files
        assert (tmp_path / aside).read_bytes() == octets, "nothing of the damaged file is changed"
        saved = numbers(spool)
        spool.put(result(1000))
        assert numbers(spool)[-1] == 1000
        assert spool.status().pending_results == len(saved) + 1
    if damage in (broken_pages, half_a_page):
        assert len(saved) > 300
        assert saved == sorted(set(saved)), "rescued in order, each once"
        assert 1 in saved
        assert 399 in saved or damage is half_a_page
    with open_spool(tmp_path) as spool:
        assert len(numbers(spool)) == len(saved) + 1
        assert spool.status().damaged_files == (aside,)


def test_rescue_saves_what_is_remembered_and_counted_too(tmp_path: Path) -> None:
    path = filled(tmp_path)
    broken_pages(path)
    with open_spool(tmp_path) as spool:
        assert spool.recall("clock", list[int]) == [1, 2]
        status = spool.status()
        assert (status.put_total, status.quarantined_total, status.quarantined_results) == (400, 1, 1)


def test_damage_that_is_met_while_open_costs_no_put(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with open_spool(tmp_path) as spool:
        before = spool.peek(1)
        other = sqlite3.connect(path)
        other.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        other.close()
        junk(path)
        for n in range(500, 530):
            spool.put(result(n, detail="y" * 300))
        assert [n for n in numbers(spool) if n >= 500] == list(range(500, 530))
        assert len(spool.status().damaged_files) == 1
        spool.acknowledge([before[0].key])  # a batch that was on its way when it happened
        assert [n for n in numbers(spool) if n >= 500] == list(range(500, 530))


def test_readers_and_writers_tell_damage_and_touch_nothing(tmp_path: Path) -> None:
    path = filled(tmp_path)
    junk(path)
    for role in ("reader", "writer"):
        with pytest.raises(SpoolUnusable, match=r"damaged: .*start campus-agent run: it sets the file aside") as caught:
            open_spool(tmp_path, role=role)  # type: ignore[arg-type]
        assert "文件已损坏" in caught.value.in_("zh")
    assert [name for name in os.listdir(tmp_path) if "damaged" in name] == []


@pytest.mark.parametrize("name", ["spool.db", "spool.db-wal"])
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_named_and_set_aside(tmp_path: Path, name: str, make: Callable[[Path], None]) -> None:
    filled(tmp_path, 5)
    (tmp_path / name).unlink(missing_ok=True)
    make(tmp_path / name)
    with pytest.raises(SpoolUnusable, match=r"not a file; start campus-agent run"):  # a pipe would be waited for
        open_spool(tmp_path, role="reader")
    with open_spool(tmp_path) as spool:
        assert len(spool.status().damaged_files) == 1
        spool.put(result(1000))
        assert numbers(spool)[-1] == 1000
        assert len(numbers(spool)) == (1 if name == "spool.db" else 5), "what stands beside the log is saved"


def test_a_second_damage_gets_its_own_name(tmp_path: Path) -> None:
    for _ in range(3):
        filled(tmp_path, 1)
        junk(tmp_path / "spool.db")
    with open_spool(tmp_path) as spool:
        assert len(set(spool.status().damaged_files)) == 3


def test_a_newer_version_is_refused_by_name_and_left_alone(tmp_path: Path) -> None:
    path = filled(tmp_path)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {schema.VERSION + 1}")
    connection.close()
    octets = path.read_bytes()
    for role in ("owner", "writer", "reader"):
        with pytest.raises(SpoolUnusable, match=r"newer campus-agent \(spool version 2, this one reads up to 1\)"):
            open_spool(tmp_path, role=role)  # type: ignore[arg-type]
    assert path.read_bytes() == octets
    with pytest.raises(SpoolUnusable):  # the lock was let go
        open_spool(tmp_path)


@pytest.mark.parametrize("size", [0, 1, 99])
def test_a_file_that_was_cut_at_birth_becomes_a_spool(tmp_path: Path, size: int) -> None:
    (tmp_path / "spool.db").write_bytes(b"SQLite format 3\0"[:size] + b"\0" * max(0, size - 16))
    with open_spool(tmp_path) as spool:
        spool.put(result(1))
        assert numbers(spool) == [1]


def test_a_write_ahead_log_left_by_a_crash_is_played(tmp_path: Path) -> None:
    with open_spool(tmp_path / "a") as spool:
        spool.put(*(result(n) for n in range(50)))
        shutil.copytree(tmp_path / "a", tmp_path / "b")  # what the disk holds at this instant
    assert (tmp_path / "b" / "spool.db-wal").stat().st_size > 0
    with open_spool(tmp_path / "b") as spool:
        assert numbers(spool) == list(range(50))
        assert spool.status().damaged_files == ()


@pytest.mark.parametrize("keep", [0.3, 0.7, 0.99])
def test_a_torn_write_ahead_log_keeps_every_whole_transaction(tmp_path: Path, keep: float) -> None:
    with open_spool(tmp_path / "a") as spool:
        for n in range(50):
            spool.put(result(n))
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    log = tmp_path / "b" / "spool.db-wal"
    os.truncate(log, int(log.stat().st_size * keep))
    with open_spool(tmp_path / "b") as spool:
        actual = numbers(spool)
        assert actual == list(range(len(actual)))
        assert spool.status().put_total == len(actual)


def test_a_log_without_its_file_never_meets_a_new_one(tmp_path: Path) -> None:
    with open_spool(tmp_path / "a") as spool:
        spool.put(*(result(n) for n in range(50)))
        shutil.copytree(tmp_path / "a", tmp_path / "b")
    (tmp_path / "b" / "spool.db").unlink()
    with open_spool(tmp_path / "b") as spool:
        assert numbers(spool) == []
        (aside,) = spool.status().damaged_files
        assert (tmp_path / "b" / f"{aside}-wal").exists()


def test_modes_keep_others_out(tmp_path: Path) -> None:
    folder = tmp_path / "new" / "state"
    with open_spool(folder) as spool:
        spool.put(result(1))
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        for name in ("spool.db", "spool.db-wal", "spool.db-shm", "agent.lock"):
            assert stat.S_IMODE((folder / name).stat().st_mode) == 0o600, name
    (folder / "spool.db").chmod(0o644)
    open_spool(folder).close()
    assert stat.S_IMODE((folder / "spool.db").stat().st_mode) == 0o600


def test_a_state_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("x")
    with pytest.raises(
        SpoolUnusable, match=r"state: the state folder cannot be used: File exists; check \[agent\] state_dir"
    ):
        open_spool(tmp_path / "state")


def test_no_spool_yet_is_said_so(tmp_path: Path) -> None:
    with pytest.raises(NoSpool, match="no spool here yet; the agent has not run"):
        open_spool(tmp_path, role="reader")
    (tmp_path / "spool.db").touch()
    with pytest.raises(NoSpool):
        open_spool(tmp_path, role="reader")
    assert sorted(os.listdir(tmp_path)) == ["spool.db"], "looking made nothing"


AS_NOBODY = """
import os, sys
from pathlib import Path
from campus_agent.spool.errors import SpoolError
from campus_agent.spool.spool import open_spool
import campus_agent.spool.salvage, zlib
os.setgid(65534); os.setuid(65534)
try:
    with open_spool(Path(sys.argv[1]), role=sys.argv[2]) as spool:
        print("opened", spool.status().pending_results)
except SpoolError as error:
    print(error)
"""


def as_nobody(folder: Path, role: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(folder), role], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def let_through(folder: Path) -> None:
    """Let another user reach a folder of pytest's: beside other tests it lies a level deeper."""
    for parent in folder.parents:
        if parent.is_relative_to(Path(tempfile.gettempdir()) / f"pytest-of-{getpass.getuser()}"):
            parent.chmod(0o755)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_what_another_user_may_not_touch_is_named(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(tmp_path_factory.mktemp("shared"))
    folder.chmod(0o755)
    let_through(folder)
    path = filled(folder, 3)
    assert (
        as_nobody(folder, "reader")
        == f"{path}: cannot be opened: Permission denied; run this as the agent's user or as root"
    )
    assert "Permission denied" in as_nobody(folder, "owner")
    (folder / "agent.lock").unlink()
    assert (
        as_nobody(folder, "owner")
        == f"{folder}: the state folder cannot be used: Permission denied; check [agent] state_dir and who owns the folder"
    )
    assert "state folder cannot be used: Permission denied" in as_nobody(folder / "deeper", "owner")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to become another user")
def test_a_measurement_as_root_does_not_lock_the_agents_user_out(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = Path(tmp_path_factory.mktemp("theirs"))
    let_through(folder)
    os.chown(folder, 65534, 65534)
    with open_spool(folder, role="writer") as spool:
        spool.put(result(1))
        assert as_nobody(folder, "owner") == "opened 1"


HOLD = """
import sys
from pathlib import Path
from campus_agent.spool.spool import open_spool
spool = open_spool(Path(sys.argv[1]))
print("mine", flush=True)
sys.stdin.read()
"""


def test_a_second_agent_is_told_which_process_has_the_folder(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "mine\n"
        with pytest.raises(
            AlreadyRunning, match=rf"already running here \(process {holder.pid}\); stop it first"
        ) as caught:
            open_spool(tmp_path)
        assert f"进程号 {holder.pid}" in caught.value.in_("zh")
        with open_spool(tmp_path, role="writer") as spool:
            spool.put(result(7))
    finally:
        holder.kill()
        holder.wait()
        if holder.stdin and holder.stdout:
            holder.stdin.close()
            holder.stdout.close()
    with open_spool(tmp_path) as spool:  # kill -9 let the lock go
        assert numbers(spool) == [7]
