"""A PostgreSQL server of the tests' own: real, on loopback and a socket, in a temporary folder, ended with the tests that started it."""

import atexit
import ctypes
import functools
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psycopg
from psycopg import sql

from campus_collector.domain.postgres_url import PostgresUrl
from campus_collector.store.postgres import PostgresTransport

PROGRAMS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name), reverse=True)
PR_SET_PDEATHSIG = 1
START_SECONDS = 60
_TEMPLATE = "campus_template"


class PostgresServer:
    """One server; `new_database` is the address of an empty database of the present schema."""

    def __init__(self, *settings: str) -> None:
        """`settings` are those of postgresql.conf, `name=value`."""
        self.programs = PROGRAMS[0]
        self.folder = Path(tempfile.mkdtemp(prefix="campus-postgres-", dir="/tmp"))
        self.password = secrets.token_hex(8)
        self._user = _unprivileged()
        self._settings = settings
        self._numbers = count(1)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        secret = self.folder / "secret"
        secret.write_text(self.password)
        for path in (self.folder, secret):
            shutil.chown(path, *self._user)
        initdb = [str(self.programs / "initdb"), "--pgdata", str(self.folder / "data"), "--username=campus"]
        initdb += ["--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}"]
        # not the "C" of the tables' own columns: a comparison that forgets it shows
        initdb += ["--encoding=UTF8", "--locale-provider=icu", "--icu-locale=zh", "--locale=C.UTF-8"]
        self._run(initdb)
        self.start()

    def start(self) -> None:
        """Raises AssertionError when it does not answer."""
        user, group = self._user
        options = [f"-c{setting}" for setting in self._settings]
        where = ["-D", self.folder / "data", "-k", self.folder, "-h", "127.0.0.1", "-p", str(self.port)]
        self.process = subprocess.Popen(
            [self.programs / "postgres", *where, *options],
            stdout=(self.folder / "log").open("ab"),
            stderr=subprocess.STDOUT,
            user=user,
            group=group,
            extra_groups=[],
            cwd=self.folder,
            preexec_fn=_end_with_parent,
        )
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                self.administrator().close()
                return
            except psycopg.OperationalError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < end, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """SIGINT: connections are closed, everything is written. SIGQUIT: as in a crash."""
        self.process.send_signal(how)
        self.process.wait(60)

    def remove(self) -> None:
        self.stop(signal.SIGQUIT)  # nothing is kept: no checkpoint is waited for
        shutil.rmtree(self.folder, ignore_errors=True)

    def administrator(self, database: str = "postgres") -> "psycopg.Connection[tuple[object, ...]]":
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str) -> str:
        return f"postgresql://campus:{self.password}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Its address. It is a copy of one that was brought to the present schema once."""
        self._make_template()
        name = f"test{next(self._numbers)}"
        with self.administrator() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(*map(sql.Identifier, (name, _TEMPLATE)))
            )
        return self.url(name)

    @contextmanager
    def closed(self, database: str) -> Iterator[None]:
        """Meanwhile nobody may connect to it, and who was connected is not any more."""
        allow = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
        with self.administrator() as connection:
            connection.execute(allow.format(sql.Identifier(database), False))
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (database,))
            try:
                yield
            finally:
                connection.execute(allow.format(sql.Identifier(database), True))

    def empty_database(self) -> str:
        """Its address; there are no tables in it."""
        name = f"empty{next(self._numbers)}"
        with self.administrator() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        return self.url(name)

    @functools.cache  # noqa: B019 - one server a session
    def _make_template(self) -> None:
        with self.administrator() as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
        transport = PostgresTransport(PostgresUrl(self.url(_TEMPLATE)))
        transport.open().close()
        transport.close()

    def _run(self, command: list[str]) -> None:
        user, group = self._user
        done = subprocess.run(
            command, user=user, group=group, extra_groups=[], cwd=self.folder, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr.decode()


@functools.cache
def shared_server() -> PostgresServer:
    """That of all tests of this process; it ends with the process."""
    server = PostgresServer()
    atexit.register(server.remove)
    return server


def _unprivileged() -> tuple[int, int]:
    """(user, group) for a server, which refuses to run as root."""
    if os.geteuid() != 0:
        return os.geteuid(), os.getegid()
    user = pwd.getpwnam("nobody")
    return user.pw_uid, user.pw_gid


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)
