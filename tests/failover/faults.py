"""What goes wrong, at random: a program is killed, a machine is lost, a cable is pulled. Each says what it did and from when on all must be well again."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random

from tests.failover.cluster import Cluster, end_all

MOST_SECONDS = 30.0 if "CAMPUS_FAULTS" in os.environ else 10.0
"""So long at most something is away; in the run of the suite not as long."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One that was made."""

    what: str
    since: float
    """From this moment on (monotonic) the collectors can go on: that of the fault, or of its end where nobody could."""
    excused: int | None = None
    """A collector (its number) that cannot answer meanwhile."""


def collector(cluster: Cluster, random: Random) -> Iterator[Fault]:
    program = random.choice(cluster.collectors)
    program.kill(5.0)
    yield Fault(f"{program.log.stem} killed, back after 5 s", time.monotonic())


def frozen_collector(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """As a virtual machine that is moved; it may be in the middle of a commit, and everybody else waits for it."""
    number = random.randrange(len(cluster.collectors))
    process, seconds = cluster.collectors[number].process, random.uniform(5, MOST_SECONDS)
    if process is None:
        return
    os.kill(process.pid, signal.SIGSTOP)
    try:
        yield Fault(f"collector {number} frozen for {seconds:.0f} s", time.monotonic(), number)
        time.sleep(seconds)
    finally:
        os.kill(process.pid, signal.SIGCONT)


def primary(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """PostgreSQL alone: Patroni lives and decides."""
    node = cluster.primary()
    count = len(end_all(cluster.machines[node], "postgres"))
    yield Fault(f"postgres of the primary {node} killed ({count} processes)", time.monotonic())


def patroni(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """With it PostgreSQL ends (deploy/postgres/patroni.service.conf)."""
    node = cluster.primary()
    cluster.program(node, "patroni").kill(2.0)
    yield Fault(f"patroni and postgres of the primary {node} killed, back after 2 s", time.monotonic())


def machine(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """A power cut: database, Patroni and etcd at once."""
    node, away = random.choice((cluster.primary(), "db1", "db2")), random.uniform(5, MOST_SECONDS)
    for name in ("etcd", "patroni"):
        cluster.program(node, name).kill(away)
    end_all(cluster.machines[node], "postgres")
    yield Fault(f"machine {node} without power for {away:.0f} s", time.monotonic())


def standby(cluster: Cluster, random: Random) -> Iterator[Fault]:
    node = "db2" if cluster.primary() == "db1" else "db1"
    end_all(cluster.machines[node], "postgres")
    yield Fault(f"postgres of the standby {node} killed", time.monotonic())


def etcd_leader(cluster: Cluster, random: Random) -> Iterator[Fault]:
    node, away = cluster.etcd_leader(), random.uniform(2, 10)
    cluster.program(node, "etcd").kill(away)
    yield Fault(f"etcd's leader {node} killed, back after {away:.0f} s", time.monotonic())


def database_cable(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """Nothing is answered or refused any more; connections hang."""
    node, seconds = random.choice((cluster.primary(), "db1", "db2")), random.uniform(5, MOST_SECONDS)
    with pulled(cluster, node):
        yield Fault(f"cable of {node} pulled for {seconds:.0f} s", time.monotonic())
        time.sleep(seconds)


def collectors_cable(cluster: Cluster, random: Random) -> Iterator[Fault]:
    seconds = random.uniform(1, 15)
    with pulled(cluster, "app"):
        time.sleep(seconds)
    yield Fault(f"cable of the collectors pulled for {seconds:.0f} s", time.monotonic())


def connections(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """All of the collectors', by an administrator; a commit that waits for the second server is cut off in its wait."""
    node = cluster.primary()
    end = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = 'campus-collector'"
    ended = cluster.as_postgres(
        node, "psql", "--host", str(cluster.folder / node), "--tuples-only", "--command", end
    ).stdout.strip()
    yield Fault(f"{ended or 'no'} connections of the collectors ended on {node}", time.monotonic())


def commits(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """Statements under way are cancelled, again and again: also commits that wait for the second server."""
    node = cluster.primary()
    cancel = (
        "DO $$ BEGIN FOR _ IN 1..40 LOOP PERFORM pg_cancel_backend(pid) FROM pg_stat_activity"
        " WHERE application_name = 'campus-collector' AND (state = 'active' OR wait_event = 'SyncRep');"
        " PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$"
    )
    cluster.as_postgres(node, "psql", "--host", str(cluster.folder / node), "--command", cancel)
    yield Fault(f"statements of the collectors cancelled for 2 s on {node}", time.monotonic())


def switchover(cluster: Cluster, random: Random) -> Iterator[Fault]:
    """A planned one, by the documented command."""
    node = cluster.primary()
    config = str(cluster.folder / node / "config.yml")
    done = cluster.as_postgres(node, "patronictl", "-c", config, "switchover", "--force")
    happened = "Successfully" in done.stdout
    yield Fault(f"switch-over from {node}: {'done' if happened else 'refused'}", time.monotonic())


FAULTS: tuple[Callable[[Cluster, Random], Iterator[Fault]], ...] = (
    etcd_leader, connections, collector, primary, patroni, database_cable,
    commits, standby, machine, collectors_cable, frozen_collector, switchover,
)  # fmt: skip
NEED_BOTH = (primary, patroni, database_cable)
"""After these nobody takes over unless the second server was in step."""
SHORT = 6
"""So many of them are in the run of the suite."""


@contextmanager
def pulled(cluster: Cluster, node: str) -> Iterator[None]:
    cluster.link(node, "down")
    try:
        yield
    finally:
        cluster.link(node, "up")


class Ongoing(threading.Thread):
    """A fault whose end is waited for beside the measuring."""

    def __init__(self, fault: Iterator[Fault]) -> None:
        super().__init__(daemon=True)
        self._fault = fault
        self.begun: Fault | None = next(fault, None)
        self.start()

    def run(self) -> None:
        for _ in self._fault:
            pass
