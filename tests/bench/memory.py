"""What does the resident agent weigh after a day's worth of cycles? Run: PYTHONPATH=. python tests/bench/memory.py

A real daemon object with real probes on loopback, a real spool on disk, and a real collector in another process; only the waiting
between and within measurements is shortened. The day: 40 classrooms, default cycles (96 latencies and 4 throughput tests a
classroom, 288 host and 288 service results); the throughput workers meet a refused port, which costs the parent the same.
The bound is for the package's Python: PYTHONPATH=. COLLECTOR_PYTHON=.venv/bin/python /opt/campus-agent/bin/python3 tests/bench/memory.py
"""

import os
import sys
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PAGE = os.sysconf("SC_PAGE_SIZE")
PORT = "18099"


def rss_megabytes() -> float:
    """Resident memory of this process."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * PAGE / 1e6


def main() -> None:
    """Print a table."""
    print(f"{'bare Python':<34}{rss_megabytes():6.1f} MB")
    from campus_agent.schedule import calendar

    calendar._public_days(time.localtime().tm_year)  # as the resident program begins
    print(f"{'configuration and holidays':<34}{rss_megabytes():6.1f} MB")
    for module in ("asyncio", "msgspec", "sqlite3", "http.client", "campus_agent.daemon"):
        before = rss_megabytes()
        __import__(module)
        print(f"  + {module:<30}{rss_megabytes():6.1f} MB  (+{rss_megabytes() - before:.1f})")
    import asyncio
    import signal
    from pathlib import Path

    # The collector is started and the folder made by a child, so that this process loads nothing a daemon does not.
    folder = Path(f"/tmp/campus-memory-bench-{os.getpid()}")
    folder.mkdir(mode=0o700)
    state = f"--state-dir {folder}/collector"
    python = os.environ.get("COLLECTOR_PYTHON", sys.executable)
    prefix = f"CAMPUS_SERVER_LISTEN=127.0.0.1:{PORT} {python} -m campus_collector"
    os.system(f"umask 077; {prefix} agent-token s001 {state} > {folder}/token 2>/dev/null")
    pid = os.spawnl(os.P_NOWAIT, "/bin/sh", "sh", "-c", f"exec env {prefix} serve {state} 2>/dev/null")
    try:
        asyncio.run(day(folder))
    finally:
        os.kill(pid, signal.SIGTERM)
        os.waitpid(pid, 0)
        os.system(f"rm -r {folder}")


async def day(folder: "Path") -> None:
    """A day of one school."""
    import asyncio

    import msgspec

    from campus_agent.clock.clock import system_clock
    from campus_agent.config.read import load_config
    from campus_agent.daemon import Daemon, limit_lookup_threads
    from campus_agent.measure.probes import PROBES, host, latency
    from campus_agent.schedule.jobs import Job
    from campus_agent.spool.spool import open_spool

    rooms = "".join(f'[[classroom]]\nid = "c{n}"\nhost = "127.0.0.1"\nengine = "iperf3"\nport = 1\n' for n in range(40))
    (folder / "agent.toml").write_text(
        '[agent]\nschool = "s001"\nstate_dir = "state"\n[timetable]\nperiods = ["08:00-08:45"]\n[collector]\nurl = "http://127.0.0.1:18099"\n'
        + rooms
        + '[[service]]\nid = "web"\nurl = "http://127.0.0.1:18099/healthz"\n'
    )
    limit_lookup_threads()
    config = load_config(folder / "agent.toml")
    daemon = Daemon(config, open_spool(config.state_dir, config.spool), system_clock())
    quick = {"latency": latency.LatencySettings("127.0.0.1", "classroom", count=4, interval_seconds=0.001),
             "host": host.HostSettings(config.state_dir, 0.001)}  # fmt: skip
    from campus_agent import daemon as module

    module.PROBES = dict(PROBES)
    for kind, settings in quick.items():
        module.PROBES[kind] = msgspec.structs.replace(PROBES[kind], settings=lambda *_, settings=settings: settings)
    daemon.planner.next("load", daemon._moment(), 10**9)  # the calendar is in memory
    plan = [("latency", 40 * 96), ("host", 288), ("service", 288), ("throughput", 40 * 4)]
    await asyncio.sleep(2)
    print(f"{'daemon ready':<34}{rss_megabytes():6.1f} MB")
    for kind, count in plan:
        began = time.monotonic()
        for number in range(count):
            subject = {"host": "gateway", "service": "web"}.get(kind, f"c{number % 40}")
            await daemon._store(*await daemon._run_probe(Job(kind, subject, 900.0)))
            if number % 100 == 99 and daemon._shipper is not None:
                await asyncio.to_thread(daemon._shipper.drain)
        seconds = time.monotonic() - began
        print(f"after {count:>5} x {kind:<21}{rss_megabytes():6.1f} MB  ({seconds:.0f} s)", flush=True)
    print(f"{'idle at the end of the day':<34}{rss_megabytes():6.1f} MB  (bound 30 MB, with Debian's Python)")


if __name__ == "__main__":
    from campus_agent.resident import SMALL_ENVIRONMENT, load_lazily

    if "MALLOC_ARENA_MAX" not in os.environ:  # as `campus-agent run` begins
        os.execve(sys.executable, [sys.executable, *sys.argv], os.environ | SMALL_ENVIRONMENT)
    load_lazily()
    main()
