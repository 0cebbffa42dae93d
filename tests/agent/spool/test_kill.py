"""kill -9 at any instant: what `put` returned for is in the spool."""

import random
import subprocess
import sys
import time
import uuid
from pathlib import Path

from campus_agent.spool.spool import open_spool

KILLS = 50
PUT_UNTIL_KILLED = """
import os, sys
from pathlib import Path
from campus_agent.spool.spool import open_spool
from tests.agent.spool.things import result

spool = open_spool(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    spool.put(result(number, detail="x" * (number % 300)))
    os.write(1, b"%d\\n" % number)
    if number % 7 == 0:  # what is taken away is taken for good, and only that
        (oldest,) = spool.peek(1)
        os.write(1, b"-%s\\n" % oldest.id.encode())
        spool.acknowledge([oldest.key])
    number += 1
"""


def test_every_result_that_was_put_survives_fifty_kills(tmp_path: Path) -> None:
    chance = random.Random(7)
    said: set[int] = set()
    gone: set[int] = set()
    start = 1
    for _ in range(KILLS):
        child = subprocess.Popen(
            [sys.executable, "-c", PUT_UNTIL_KILLED, str(tmp_path), str(start)], stdout=subprocess.PIPE
        )
        assert child.stdout is not None
        try:
            first = child.stdout.readline()
            time.sleep(chance.uniform(0, 0.05))
        finally:
            child.kill()
            lines = [first, *child.stdout.read().splitlines()]
            child.stdout.close()
            child.wait()
        said |= {int(line) for line in lines if line.strip() and not line.startswith(b"-")}
        gone |= {uuid.UUID(line[1:].decode().strip()).int for line in lines if line.startswith(b"-")}
        start = max(said) + 1000
    with open_spool(tmp_path) as spool:
        actual = [uuid.UUID(entry.id).int for entry in spool.peek(10**6, 10**9)]
        status = spool.status()
    assert status.damaged_files == ()
    assert actual == sorted(set(actual)), "in order, each once"
    assert said <= set(actual) | gone, "what was put is there, unless it was being acknowledged"
    assert len(gone & set(actual)) <= KILLS, "announced, and killed before it was acknowledged"
    assert status.put_total == status.pending_results + status.acknowledged_total
    assert len(said) > 2 * KILLS
