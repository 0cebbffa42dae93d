"""Two PostgreSQL servers under Patroni, three etcd, and collectors: each machine is a network namespace, its settings are those of deploy/postgres.

What systemd does on the machines is done here by a thread: a program that ended is started again, and PostgreSQL ends with its Patroni.
"""

import contextlib
import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from tests.fakes.certificates import Authority
from tests.flow.programs import ENVIRONMENT, python, until
from tests.lab.namespaces import Namespace, command, permitted, prefix, sweep
from tests.postgres_server import PROGRAMS

SAMPLES = Path(__file__).parents[2] / "deploy" / "postgres"
NODES = {"db1": "10.0.0.11", "db2": "10.0.0.12", "db3": "10.0.0.13", "app": "10.0.0.21"}
"""Address by machine. db3 has only etcd; the collectors are on `app`."""
FIRST_PORT = 8081
START_SECONDS = 120
COLLECTOR_RESTART_SECONDS = 5.0
PATRONI_RESTART_SECONDS = 2.0
"""RestartSec of campus-collector@.service, and of deploy/postgres/patroni.service.conf."""
NEW_NETWORK = 0x40000000
PASSWORD = "change-this-4"
Answer = TypeVar("Answer")


def obstacle() -> str | None:
    """Why such a cluster cannot be had here; None when it can."""
    missing = [
        name for name in ("patroni", "patronictl", "etcd", "etcdctl", "setpriv", "openssl") if not shutil.which(name)
    ]
    if missing or not PROGRAMS:
        return f"programs are missing: {', '.join(missing) or 'PostgreSQL'} (Debian: patroni, etcd-server, etcd-client)"
    return permitted()


@dataclass
class Program:
    """A program on a machine, started again when it ended."""

    machine: Namespace
    name: str
    argv: list[str]
    log: Path
    restart_seconds: float
    user: str = "root"
    environment: dict[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    start_at: float = 0.0

    def start(self) -> None:
        as_user = ["setpriv", "--pdeathsig", "KILL"]
        if self.user != "root":
            as_user += [f"--reuid={self.user}", f"--regid={self.user}", "--init-groups"]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.machine.argv(*as_user, *self.argv),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.log.parent, env=ENVIRONMENT | {"HOME": str(self.log.parent)} | self.environment,
            )  # fmt: skip

    def watch(self) -> None:
        """Called again and again: what ended is started after its time."""
        if self.process is not None and self.process.poll() is not None:
            self.process = None
            self.start_at = max(self.start_at, time.monotonic() + self.restart_seconds)
            if self.name == "patroni":
                end_all(self.machine, "postgres")
        if self.process is None and time.monotonic() >= self.start_at:
            self.start()

    def kill(self, away_seconds: float = 0.0) -> None:
        """With SIGKILL; it is not started for so long."""
        self.start_at = time.monotonic() + away_seconds
        if self.process is not None:
            self.process.kill()


def end_all(machine: Namespace, name: str) -> list[int]:
    """SIGKILL to all processes of a program on a machine; their pids."""
    ended = []
    for pid in machine._processes():
        with contextlib.suppress(OSError):
            if Path(f"/proc/{pid}/comm").read_text().strip() == name:
                os.kill(pid, signal.SIGKILL)
                ended.append(pid)
    return ended


class Cluster:
    """Everything, running; `close` leaves nothing behind."""

    def __init__(self, folder: Path, collectors: int) -> None:
        sweep()
        folder.chmod(0o755)
        self.folder = folder
        name = prefix()
        self.machines = {node: Namespace(f"{name}-{node}") for node in NODES}
        self._switch = Namespace(f"{name}-net")
        self.programs: list[Program] = []
        self._closed = threading.Event()
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)
        self._inside = ThreadPoolExecutor(8, initializer=enter, initargs=(self.machines["app"],))
        try:
            self._connect()
            self._start_servers()
            self._start_collectors(collectors)
        except BaseException:
            self.close()
            raise

    @property
    def url(self) -> str:
        hosts = f"{NODES['db1']},{NODES['db2']}"
        return f"postgresql://campus:{PASSWORD}@{hosts}/campus?sslmode=verify-full&sslrootcert={self._ca}"

    @property
    def environment(self) -> dict[str, str]:
        """Of a command on the collectors' machine."""
        return ENVIRONMENT | {"CAMPUS_STORE_URL": self.url}

    @property
    def collectors(self) -> list[Program]:
        return [program for program in self.programs if program.name == "collector"]

    def program(self, node: str, name: str) -> Program:
        (program,) = [each for each in self.programs if each.machine is self.machines[node] and each.name == name]
        return program

    def inside(self, work: Callable[..., Answer], *values: Any) -> Answer:
        """Do it on the collectors' machine."""
        return self._inside.submit(work, *values).result()

    def link(self, node: str, state: str) -> None:
        """`down`: the machine's cable is pulled."""
        self._switch.ip("link", "set", node, state)

    def members(self) -> dict[str, dict[str, Any]]:
        """What Patroni says of each server; empty while none answers."""
        for node in ("db1", "db2"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                return {member["name"]: member for member in self.inside(fetch, NODES[node])["members"]}
        return {}

    def views(self) -> list[dict[str, tuple[str, str]]]:
        """(role, state) of each server by its name, as each Patroni sees them."""
        seen = []
        for node in ("db1", "db2"):
            with contextlib.suppress(OSError, ValueError, KeyError):
                members = self.inside(fetch, NODES[node])["members"]
                seen.append({member["name"]: (member["role"], member["state"]) for member in members})
        return seen

    def primary(self) -> str:
        """Its name; waited for."""

        def leader() -> str:
            running = [
                name
                for name, member in self.members().items()
                if member["role"] == "leader" and member["state"] == "running"
            ]
            return running[0] if running else ""

        return str(until(leader, START_SECONDS, f"there is a primary: {self.folder}"))

    def wait_until_whole(self) -> None:
        """Both servers run, the second is synchronous, and all collectors answer."""

        def whole() -> bool:
            views = self.views()
            roles = [
                sorted(role for role, state in view.values() if state in ("running", "streaming")) for view in views
            ]
            return roles == [["leader", "sync_standby"]] * 2 and views[0] == views[1]

        until(whole, 2 * START_SECONDS, f"both servers are in step: {self.folder}, {self.views()}")
        for number in range(len(self.collectors)):
            until(lambda number=number: self.inside(answers, FIRST_PORT + number), START_SECONDS, "a collector answers")

    def etcd_leader(self) -> str:
        """The machine whose etcd leads; waited for."""
        endpoints = ",".join(f"http://{NODES[node]}:2379" for node in ("db1", "db2", "db3"))
        argv = ["etcdctl", "--endpoints", endpoints, "--command-timeout=3s", "endpoint", "status", "--write-out=json"]

        def leader() -> str:
            listed = self.machines["app"].run(*argv, env=ENVIRONMENT | {"ETCDCTL_API": "3"}).stdout
            with contextlib.suppress(ValueError):
                for each in json.loads(listed):
                    if each["Status"]["leader"] == each["Status"]["header"]["member_id"]:
                        address = re.sub(r"http://|:2379", "", each["Endpoint"])
                        return next(node for node in NODES if NODES[node] == address)
            return ""

        return str(until(leader, START_SECONDS, "etcd has a leader"))

    def as_postgres(self, node: str, *argv: str) -> "subprocess.CompletedProcess[str]":
        """An administrator's command on a database machine."""
        as_user = ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
        return self.machines[node].run(*as_user, *argv, cwd=self.folder / node)

    def close(self) -> None:
        if self._closed.is_set():
            return
        self._closed.set()
        if self._supervisor.ident is not None:
            self._supervisor.join()
        for machine in (*self.machines.values(), self._switch):
            machine.remove()
        for program in self.programs:
            if program.process is not None:
                program.process.wait(60)
        self._inside.shutdown()

    def _connect(self) -> None:
        self._switch.create()
        self._switch.ip("link", "add", "br0", "type", "bridge")
        self._switch.ip("link", "set", "br0", "up")
        for node, machine in self.machines.items():
            machine.create()
            command("ip", "link", "add", "eth0", "netns", machine.name, "type", "veth", "peer", "name", node, "netns", self._switch.name)  # fmt: skip
            self._switch.ip("link", "set", node, "master", "br0")
            self._switch.ip("link", "set", node, "up")
            machine.ip("addr", "add", f"{NODES[node]}/24", "dev", "eth0")
            machine.ip("link", "set", "eth0", "up")
            (self.folder / node).mkdir()
        authority = Authority(self.folder / "ca")
        self._ca = authority.ca_file
        for node in ("db1", "db2"):
            certificate, key = authority.certificate(node, f"IP:{NODES[node]}")
            for source, name in ((certificate, "db.pem"), (key, "db-key.pem")):
                shutil.copy(source, self.folder / node / name)
                (self.folder / node / name).chmod(0o600)
                shutil.chown(self.folder / node / name, "postgres", "postgres")
        self._supervisor.start()

    def _start_servers(self) -> None:
        for node in ("db1", "db2", "db3"):
            shutil.chown(self.folder / node, "postgres", "postgres")
            self._add(node, "etcd", ["etcd"], 2.0, "postgres", self._etcd_environment(node))
        for node in ("db1", "db2"):
            config = self.folder / node / "config.yml"
            config.write_text(self._patroni_config(node))
            shutil.chown(config, "postgres", "postgres")
            config.chmod(0o600)
            self._add(node, "patroni", ["patroni", str(config)], PATRONI_RESTART_SECONDS, "postgres")
        node = self.primary()
        sockets = str(self.folder / node)
        role = f"CREATE ROLE campus LOGIN PASSWORD '{PASSWORD}'"
        for argv in (
            ["psql", "--host", sockets, "--command", role],
            ["createdb", "--host", sockets, "--owner=campus", "--encoding=UTF8", "--template=template0", "campus"],
        ):
            done = self.as_postgres(node, *argv)
            assert done.returncode == 0, done.stderr

    def _start_collectors(self, count: int) -> None:
        for port in range(FIRST_PORT, FIRST_PORT + count):
            state = self.folder / f"collector-{port}"
            environment = {"CAMPUS_STORE_URL": self.url, "CAMPUS_SERVER_LISTEN": f"127.0.0.1:{port}"}
            argv = python("campus_collector", "serve", "--state-dir", str(state))
            self._add("app", "collector", argv, COLLECTOR_RESTART_SECONDS, environment=environment)
        self.wait_until_whole()

    def _add(
        self,
        node: str,
        name: str,
        argv: list[str],
        restart_seconds: float,
        user: str = "root",
        environment: dict[str, str] | None = None,
    ) -> None:
        log = self.folder / node / f"{name}-{len(self.programs)}.log"
        program = Program(self.machines[node], name, argv, log, restart_seconds, user, environment or {})
        self.programs.append(program)

    def _supervise(self) -> None:
        while not self._closed.wait(0.05):
            for program in list(self.programs):
                program.watch()

    def _etcd_environment(self, node: str) -> dict[str, str]:
        """That of the sample; as its comments say, each machine has its own name and address."""
        text = for_machine((SAMPLES / "etcd.sample.conf").read_text(), node)
        text = text.replace("/var/lib/etcd/campus", str(self.folder / node / "etcd"))
        return dict(line.split("=", 1) for line in text.splitlines() if line and not line.startswith("#"))

    def _patroni_config(self, node: str) -> str:
        """The sample, with other paths."""
        text = for_machine((SAMPLES / "patroni.sample.yml").read_text(), node)
        folder = self.folder / node
        for path, here in {
            "/usr/lib/postgresql/15/bin": PROGRAMS[0],
            "/var/lib/postgresql/15/campus": folder / "data",
            "/var/lib/postgresql/patroni.pgpass": folder / "pgpass",
            "/var/run/postgresql": folder,
            "/etc/postgresql/db.pem": folder / "db.pem",
            "/etc/postgresql/db-key.pem": folder / "db-key.pem",
            "mode: automatic": "mode: 'off'",
        }.items():
            assert path in text
            text = text.replace(path, str(here))
        return text


def for_machine(text: str, node: str) -> str:
    """A sample of db1, changed as its comments say: in lines with (*), or below one."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if "(*)" in line:
            changed = number + 1 if line.strip() == "# (*)" else number
            lines[changed] = re.sub(r"\bdb1\b", node, lines[changed]).replace(NODES["db1"], NODES[node])
    return re.sub(r"^name: db1$", f"name: {node}", "\n".join(lines), flags=re.M)


def enter(machine: Namespace) -> None:
    """The calling thread, and threads that it starts, are on this machine from now on."""
    with Path(f"/run/netns/{machine.name}").open() as there:
        if ctypes.CDLL(None, use_errno=True).setns(there.fileno(), NEW_NETWORK):
            raise OSError(ctypes.get_errno(), f"setns {machine.name}")


def fetch(address: str) -> Any:
    """Patroni's picture of the cluster."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with direct.open(f"http://{address}:8008/cluster", timeout=3) as answer:
        return json.load(answer)


def answers(port: int) -> bool:
    """Does a collector say that it is ready?"""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with contextlib.suppress(OSError), direct.open(f"http://127.0.0.1:{port}/readyz", timeout=10):
        return True
    return False
