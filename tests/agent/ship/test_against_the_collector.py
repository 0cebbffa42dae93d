"""The real collector in its own process, the shipping process killed twenty times: every spooled id is stored exactly once."""

import random
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from campus_agent.spool.spool import open_spool
from tests.agent.measure.equipment.peers import free_port
from tests.agent.spool.things import measured, result_id
from tests.collector.stored import stored_results
from tests.flow.programs import ENVIRONMENT, get_json, python, running, until

KILLS = 20
RESULTS = 3000
SHIP = """
import sys
from pathlib import Path
from campus_agent.clock.clock import system_clock
from campus_agent.config.model import Collector
from campus_agent.ship import shipper
from campus_agent.spool.spool import open_spool
from campus_wire.records import AgentState, Announcement

folder, url = Path(sys.argv[1]), sys.argv[2]
shipper.MAX_BATCH_RESULTS = int(sys.argv[3])  # small ones: many instants to die at
spool = open_spool(folder / "state")
sender = shipper.Shipper(
    Collector(url, folder / "token"), "s001", spool, system_clock(), Announcement(), lambda: AgentState("1.0")
)
print("shipping", flush=True)
while True:
    outcome = sender.drain()
    if outcome.failure or outcome.reason:
        print(outcome, flush=True)
    if spool.status().pending_results == 0:
        print("all sent", flush=True)
        break
"""


def test_twenty_kills_of_the_shipping_process(tmp_path: Path) -> None:
    chance, port, state = random.Random(3), free_port(), str(tmp_path / "collector")
    url = f"http://127.0.0.1:{port}"
    token = subprocess.run(
        python("campus_collector", "agent-token", "s001", "--state-dir", state), check=True, capture_output=True
    ).stdout
    (tmp_path / "token").write_bytes(token)
    now = datetime.now(UTC) - timedelta(hours=1)
    with open_spool(tmp_path / "state") as spool:
        spool.put(*(measured(n, at=now, boot_id="an-earlier-boot", school="s001") for n in range(RESULTS)))
    ship = [sys.executable, "-c", SHIP, str(tmp_path), url, "20"]
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{port}"
    try:
        with running(python("campus_collector", "serve", "--state-dir", state), tmp_path / "collector.log"):
            until(lambda: get_json(f"{url}/healthz"), 60, "the collector is up")
            left = []
            for _ in range(KILLS):
                with subprocess.Popen(ship, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as child:
                    assert child.stdout is not None
                    assert child.stdout.readline() == "shipping\n"
                    time.sleep(chance.uniform(0, 0.08))
                    child.kill()
                with open_spool(tmp_path / "state", role="reader") as reader:
                    left.append(reader.status().pending_results)
            assert 0 < left[-1] < RESULTS, "killed in the middle of it"
            last = subprocess.run([*ship[:-1], "500"], capture_output=True, text=True, timeout=60, check=True)
            assert last.stdout == "shipping\nall sent\n"
    finally:
        del ENVIRONMENT["CAMPUS_SERVER_LISTEN"]
    with open_spool(tmp_path / "state") as spool:
        status = spool.status()
    assert (status.pending_results, status.quarantined_total, status.lost_total) == (0, 0, 0)
    assert status.acknowledged_total == RESULTS
    stored = [row.id for row in stored_results(tmp_path / "collector" / "campus.db")]
    assert sorted(stored) == [result_id(n) for n in range(RESULTS)]
