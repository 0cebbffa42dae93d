"""kill -9 of agent, worker and collector at random instants, 50 times, and a collector that stays away: nothing lost, nothing twice."""

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import psutil

from tests.agent.measure.equipment.peers import free_port
from tests.collector.stored import stored_results
from tests.flow.programs import ENVIRONMENT, agent_status, get_json, logged, python, start, stop, until

KILLS = 50
SEED = 20261123


def configuration(folder: Path, collector: int, iperf3: int) -> Path:
    """Many small measurements: the more results, the more chances to lose one."""
    lines = ["[agent]", 'school = "s001"', 'state_dir = "state"']
    lines += ["[collector]", f'url = "http://127.0.0.1:{collector}"', "[limits]", "max_cpu_ratio = 1.0"]
    lines += ["max_cross_traffic_ratio = 1.0", "daily_test_bytes = 1_000_000_000_000_000"]
    lines += ["[throughput]", "duration_seconds = 2", "warmup_seconds = 0", "[cycle]", "throughput_seconds = 10"]
    lines += ["latency_seconds = 10", "service_seconds = 10", "host_seconds = 10", "ship_seconds = 1"]
    for number in range(20):
        lines += ["[[service]]", f'id = "web{number}"', f'url = "http://127.0.0.1:{collector}/healthz"']
    for number in range(4):
        lines += ["[[classroom]]", f'id = "c{number}"', 'host = "127.0.0.1"', 'engine = "iperf3"', f"port = {iperf3}"]
    path = folder / "agent.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


def kill_worker(agent: int) -> bool:
    """Wait a moment for a measuring process of the agent, and kill it."""
    end = time.monotonic() + 4
    while time.monotonic() < end:
        for child in psutil.Process(agent).children():
            os.kill(child.pid, signal.SIGKILL)
            return True
        time.sleep(0.02)
    return False


def test_fifty_kills_and_an_absent_collector_lose_nothing(tmp_path: Path) -> None:
    rng = random.Random(SEED)
    collector_port, iperf3_port = free_port(), free_port()
    config = configuration(tmp_path, collector_port, iperf3_port)
    state = ("--state-dir", str(tmp_path / "collector"))
    ENVIRONMENT["CAMPUS_SERVER_LISTEN"] = f"127.0.0.1:{collector_port}"
    token = subprocess.run(
        python("campus_collector", "agent-token", "s001", *state), check=True, capture_output=True, env=ENVIRONMENT
    ).stdout
    (tmp_path / "token").write_bytes(token)
    (tmp_path / "token").chmod(0o600)
    argv = {
        "collector": python("campus_collector", "serve", *state),
        "agent": python("campus_agent", "run", "--config", str(config)),
    }
    logs = {name: tmp_path / f"{name}.log" for name in argv}
    iperf3 = subprocess.Popen(
        ["iperf3", "-s", "-B", "127.0.0.1", "-p", str(iperf3_port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    alive = {name: start(argv[name], logs[name]) for name in argv}
    killed = {"agent": 0, "worker": 0, "collector": 0}
    try:
        for number in range(KILLS):
            time.sleep(rng.uniform(0.3, 1.6))
            victim = rng.choice(["agent", "worker", "worker", "collector"])
            if victim == "worker":
                if kill_worker(alive["agent"].pid):
                    killed["worker"] += 1
                    continue
                victim = "agent"  # no worker came
            alive[victim].kill()
            alive[victim].wait(60)
            killed[victim] += 1
            if victim == "collector" and number % 5 == 0:
                time.sleep(8)  # away for a while: results pile up in the spool
            alive[victim] = start(argv[victim], logs[victim])
        assert sum(killed.values()) >= KILLS
        until(lambda: get_json(f"http://127.0.0.1:{collector_port}/readyz"), 60, "the collector is back")
        stop(alive["agent"])
        drained = tmp_path / "drain.toml"  # the last drain measures nothing more
        drained.write_text(
            config.read_text().split("[[service]]")[0].replace("host_seconds = 10", "host_seconds = 86400")
        )
        alive["agent"] = start(python("campus_agent", "run", "--config", str(drained)), logs["agent"])
        until(lambda: agent_status(drained)["spool"]["pending_results"] == 0, 90, "the spool is empty")
    finally:
        for process in (*alive.values(), iperf3):
            stop(process)
        ENVIRONMENT.pop("CAMPUS_SERVER_LISTEN")
    spool = agent_status(drained)["spool"]
    stored = [row.id for row in stored_results(tmp_path / "collector" / "campus.db")]
    spooled = {line["id"] for line in logged(logs["agent"], "measured")}
    print(f"\nkilled {killed}; {len(stored)} results stored, {spool['put_total']} ever spooled, {len(spooled)} logged")
    assert len(stored) == len(set(stored))
    assert spooled <= set(stored), "a result that was spooled is missing"
    assert (spool["put_total"], spool["pending_results"]) == (len(stored), 0)
    assert (spool["dropped_total"], spool["quarantined_total"]) == (0, 0)
    assert len(stored) > KILLS
