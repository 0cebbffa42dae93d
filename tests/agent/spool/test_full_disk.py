"""A disk without room: the new result is refused and counted, what is spooled stays, and it goes on when there is room again."""

import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from campus_agent.spool.database import Database
from campus_agent.spool.errors import SpoolFull
from campus_agent.spool.spool import Spool, open_spool
from tests.agent.spool.things import numbers, result


def limit_pages(spool: Spool, pages: int) -> None:
    """SQLite then says SQLITE_FULL, as it does when write(2) says ENOSPC."""
    database: Database = spool._database
    database.read(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())


def pages_of(spool: Spool) -> int:
    database: Database = spool._database
    return int(database.read(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0]))


def put_until_refused(spool: Spool) -> None:
    for n in range(100, 200):
        spool.put(result(n, detail="x" * 300))


def test_a_full_disk_refuses_counts_and_loses_nothing(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.put(*(result(n, detail="x" * 300) for n in range(20)))
        limit_pages(spool, pages_of(spool))
        with pytest.raises(SpoolFull, match=r"spool\.db: the disk is full; free some space: new results") as caught:
            put_until_refused(spool)
        assert "磁盘已满" in caught.value.in_("zh")
        kept = numbers(spool)
        assert kept[:20] == list(range(20))
        spool.add_test_bytes("uplink", date(2026, 11, 23), 5)
        assert spool.test_bytes_of_day(date(2026, 11, 23)) == {"uplink": 5}
        assert spool.status().unwritten_total == 1
        assert spool.acknowledge([spool.peek()[0].key]) == 1
        limit_pages(spool, 10**6)
        spool.put(result(999))
        assert numbers(spool) == [*kept[1:], 999]
    with open_spool(tmp_path) as spool:
        assert spool.status().unwritten_total == 1, "the refusal is counted durably once there is room"
        assert spool.status().lost_total == 1


ON_A_SMALL_DISK = """
import sys
from pathlib import Path
from campus_agent.spool.errors import SpoolFull
from campus_agent.spool.spool import open_spool
from tests.agent.spool.things import numbers, result

folder = Path(sys.argv[1])
spool = open_spool(folder / "state")
put = 0
try:
    while put < 20_000:
        spool.put(result(put, detail="x" * 300))
        put += 1
except SpoolFull as error:
    print("full", flush=True)
for n in range(3):
    try:
        spool.put(result(30_000 + n, detail="x" * 300))
        put += 1
    except SpoolFull:
        pass
assert numbers(spool)[:put - 3] == list(range(put - 3)), "everything that was put is there"
known = numbers(spool)
spool.close()
with open_spool(folder / "state") as spool:
    assert numbers(spool) == known, "also after opening it again on the full disk"
    (folder / "ballast").unlink()
    spool.put(result(40_000))
    assert numbers(spool) == [*known, 40_000]
print("kept", len(known))
"""


def test_a_real_small_disk(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=2m tmpfs {tmp_path} && head -c 100000 /dev/zero > {tmp_path}/ballast"
    command = ["unshare", "--mount", "--map-root-user", "sh", "-c", f"{mount} && exec {sys.executable} - {tmp_path}"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*command[:3], "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("no mount namespaces here: the small disk was NOT tested")
    done = subprocess.run(command, input=ON_A_SMALL_DISK, capture_output=True, text=True, timeout=60, check=False)
    if "mount" in done.stderr:
        pytest.skip(f"mounting is not permitted here: the small disk was NOT tested: {done.stderr}")
    assert done.returncode == 0, done.stderr
    full, kept = done.stdout.splitlines()
    assert full == "full"
    assert int(kept.split()[1]) > 50
