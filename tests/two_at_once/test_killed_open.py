"""A collector that is killed while it opens or closes its database: the next one finds nothing wrong."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from campus_collector.store.open import open_store
from tests.collector.world import collector, throughput

pytestmark = pytest.mark.sqlite_only("its write-ahead log")

# Ends the process without closing anything, as kill -9 does, when the files have changed for the n-th time: their names, or the mode in
# the header of the database.
KILLED = """
import os, shutil, sys, threading
from pathlib import Path
from campus_collector.store.open import open_store

folder, database = Path(sys.argv[1]), Path(sys.argv[2])

def state(path):
    names = sorted(os.listdir(path.parent))
    return names, path.name + "-wal" not in names and path.exists() and path.read_bytes()[18:20]

def opened_until(path, changes):
    last = state(path)
    def look(*_):
        nonlocal last, changes
        now = state(path)
        changes -= now != last
        last = now
        if changes == 0:
            os._exit(9)
    threading.setprofile(look)
    sys.setprofile(look)
    open_store(path).close()
    os._exit(0)

ended, changes = 9, 0
while ended == 9:
    changes += 1
    path = folder / str(changes) / "campus.db"
    path.parent.mkdir(parents=True)
    if database.exists():
        shutil.copy(database, path)
    child = os.fork()
    if child == 0:
        opened_until(path, changes)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
print(changes)
"""


@pytest.mark.parametrize("is_first", [True, False])
def test_a_start_or_an_end_that_is_killed_at_any_moment_is_harmless(tmp_path: Path, is_first: bool) -> None:
    database = tmp_path / "whole" / "campus.db"
    if not is_first:
        with collector(database.parent) as world:
            world.send(throughput())
    command = [sys.executable, "-c", KILLED, str(tmp_path / "killed"), str(database)]
    moments = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert moments > 4
    blamed = {}
    for moment in range(1, moments + 1):
        store = open_store(tmp_path / "killed" / str(moment) / "campus.db")
        blamed[moment] = store.missing_log()
        store.close()
    assert set(blamed.values()) == {None}, blamed
    left = {file.name for file in (tmp_path / "killed").rglob("*") if file.is_file()}
    assert left == {"campus.db"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_what_root_leaves_beside_the_database_belongs_to_its_folder_s_owner(tmp_path: Path) -> None:
    folder = tmp_path / "state"
    folder.mkdir()
    os.chown(folder, 12_345, 12_345)
    open_store(folder / "campus.db").close()
    assert {file.stat().st_uid for file in folder.iterdir()} == {12_345}


def test_a_link_in_the_mark_s_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "campus.db-opening").symlink_to(tmp_path / "elsewhere")
    open_store(tmp_path / "campus.db").close()
    assert not (tmp_path / "elsewhere").exists()
