"""Connections: how many there may be, how long they may keep us waiting, and the server that takes them.

Every connection waits for something: a TLS handshake, a request's head, a request's body, a reader of the answer. Each wait has a deadline.
The number of connections stays below the process's limit of open files; when it is reached, or that of one address, the connection that
has waited longest for its client makes room for the new one, so that a client that says what it wants is always answered.
"""

import asyncio
import contextlib
import logging
import resource
import socket
import struct
from collections.abc import Collection
from time import monotonic
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from campus_collector.http.forwarding import Network, address_group, parse_address
from campus_collector.tls.served import ServedCertificate

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 10.0
HEAD_SECONDS = 10.0
"""From the first byte of a request (or from the connection) to the end of its head."""
BODY_SECONDS = 120.0
"""From the head of a request to the end of its body; an inventory over a slow line."""
WRITE_SECONDS = 60.0
"""So long a client may take nothing of an answer."""
KEEP_ALIVE_SECONDS = 75
SWEEP_SECONDS = 1.0
ACCEPT_RETRY_SECONDS = 0.5
SHORTAGE_LOG_SECONDS = 60.0
"""A shortage of files is logged so often: while it lasts, connections are taken and refused in turn."""
MAX_CONNECTIONS = 4000
"""A prefecture's 1 500 gateways keep a request waiting each, and send beside it."""
MAX_OF_ONE_ADDRESS = 256
"""A whole town may come through one address translation."""
RESERVED_FILES = 256
"""For the database's readers, reports, logs: what is no connection."""


def raise_file_limit() -> int:
    """Raise the soft limit of open files to the hard one. How many connections fit below it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
            soft = hard
        except (OSError, ValueError) as error:
            log.warning("the limit of open files stays as it is", extra={"limit": soft, "error": str(error)})
    if soft == resource.RLIM_INFINITY:
        return MAX_CONNECTIONS
    return max(8, min(MAX_CONNECTIONS, soft - min(RESERVED_FILES, soft // 2)))


class Connection(H11Protocol):
    """One HTTP/1.1 connection, with the moment since which it waits for its client."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.access_log = False  # whatever handlers there are: a request is no line in the log
        self._waits_since: float | None = monotonic()
        self._head_begun = True
        self._body_since: float | None = None
        self._blocked_since: float | None = None
        self._closes_since: float | None = None

    def data_received(self, data: bytes) -> None:
        """The time for a request's head begins with its first byte."""
        if self._waits_since is not None and not self._head_begun:
            self._waits_since, self._head_begun = monotonic(), True
        super().data_received(data)
        self._update_waiting()

    def on_response_complete(self) -> None:
        """The answer is out: the connection waits for the next request, or for the rest of this one's body."""
        self._waits_since, self._head_begun = monotonic(), False
        super().on_response_complete()
        self._update_waiting()

    def pause_writing(self) -> None:
        self._blocked_since = monotonic()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._blocked_since = None
        super().resume_writing()

    def waits_since(self) -> float | None:
        """Since when it waits for a request or its body; None while an answer is made."""
        return self._waits_since if self._waits_since is not None else self._body_since

    def overdue(self, now: float) -> bool:
        """Has its client had its time?"""
        if self._waits_since is not None and self._head_begun and now - self._waits_since > HEAD_SECONDS:
            return True
        if self._body_since is not None and now - self._body_since > BODY_SECONDS:
            return True
        if self.transport.is_closing() and self._closes_since is None:
            self._closes_since = now
        stuck_since = self._closes_since if self._closes_since is not None else self._blocked_since
        return stuck_since is not None and now - stuck_since > WRITE_SECONDS

    def _should_upgrade(self) -> bool:
        return False  # no WebSockets here; uvicorn would log two lines for each request that asks

    def _update_waiting(self) -> None:
        in_request = self.cycle is not None and not self.cycle.response_complete
        if in_request:
            self._waits_since, self._head_begun = None, False
        elif self._waits_since is None:
            self._waits_since, self._head_begun = monotonic(), False
        unfinished = self.conn.their_state is h11.SEND_BODY
        if not unfinished:
            self._body_since = None
        elif self._body_since is None:
            self._body_since = monotonic()


class AcceptedConnection:
    """An accepted socket: first in its TLS handshake, then with a connection."""

    __slots__ = ("address", "connection", "since", "socket", "task")

    def __init__(self, client: socket.socket, address: str) -> None:
        self.socket = client
        self.address = address_group(address)
        self.since = monotonic()
        self.task: asyncio.Task[None] | None = None
        self.connection: Connection | None = None

    def waits_since(self) -> float | None:
        return self.since if self.connection is None else self.connection.waits_since()

    def end(self) -> None:
        """At once: what the client has not taken is thrown away by the kernel too, which would keep megabytes of it for a client that takes nothing."""
        if self.connection is not None and self.connection.transport is not None:
            with contextlib.suppress(OSError):
                self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.transport.abort()
        elif self.task is not None:
            self.task.cancel()


class Server(uvicorn.Server):
    """uvicorn's server, but it accepts connections itself: bounded in number, with deadlines, with a certificate that may be renewed."""

    def __init__(
        self,
        config: uvicorn.Config,
        certificate: ServedCertificate | None = None,
        trusted: Collection[Network] = (),
        max_connections: int = MAX_CONNECTIONS,
        max_of_one_address: int = MAX_OF_ONE_ADDRESS,
    ) -> None:
        """`trusted`: networks of proxies, whose connections are many people's."""
        super().__init__(config)
        self._certificate, self._trusted = certificate, trusted
        self._max, self._max_of_one = max_connections, max_of_one_address
        self._all: dict[AcceptedConnection, None] = {}
        self._by_address: dict[str, dict[AcceptedConnection, None]] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._shortage_logged_at = -SHORTAGE_LOG_SECONDS

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Take connections from listening sockets."""
        await self.lifespan.startup()
        for listener in sockets or []:
            listener.setblocking(False)
            self._tasks.append(asyncio.create_task(self._accept(listener)))
        self._tasks.append(asyncio.create_task(self._sweep()))
        self.servers = []
        self.started = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Take no more; finish what is being answered."""
        for task in self._tasks:
            task.cancel()
        for accepted in list(self._all):
            if accepted.connection is None:
                accepted.end()
        await super().shutdown(sockets)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                client, address = await loop.sock_accept(listener)
            except ConnectionError:
                continue
            except OSError as error:
                if monotonic() - self._shortage_logged_at >= SHORTAGE_LOG_SECONDS:
                    self._shortage_logged_at = monotonic()
                    log.error("no more connections can be taken", extra={"error": error.strerror or str(error)})
                self._close_longest_waiting(self._all)
                await asyncio.sleep(ACCEPT_RETRY_SECONDS)
                continue
            try:
                self._admit(client, str(address[0]))
            except Exception:  # one connection must not end the taking of all others
                log.exception("a connection could not be taken")
                client.close()

    def _admit(self, client: socket.socket, address: str) -> None:
        of_address = self._by_address.get(address_group(address), {})
        admitted = len(self._all) < self._max or self._close_longest_waiting(self._all)
        if admitted and len(of_address) >= self._max_of_one and not self._is_proxy(address):
            admitted = self._close_longest_waiting(of_address)
        if not admitted:
            client.close()
            return
        accepted = AcceptedConnection(client, address)
        self._all[accepted] = None
        self._by_address.setdefault(accepted.address, {})[accepted] = None
        accepted.task = asyncio.create_task(self._connect(accepted))
        accepted.task.add_done_callback(lambda _: self._forget(accepted) if accepted.connection is None else None)

    async def _connect(self, accepted: AcceptedConnection) -> None:
        def make_protocol() -> Connection:
            state = getattr(self.lifespan, "state", {})
            return _TrackedConnection(
                on_lost=lambda: self._forget(accepted),
                config=self.config,
                server_state=self.server_state,
                app_state=state,
            )

        loop = asyncio.get_running_loop()
        accepted.socket.setblocking(False)
        context = self._certificate.context() if self._certificate is not None else None
        timeout = HANDSHAKE_SECONDS if context is not None else None
        try:
            _, accepted.connection = await loop.connect_accepted_socket(
                make_protocol, accepted.socket, ssl=context, ssl_handshake_timeout=timeout
            )
        except (OSError, asyncio.CancelledError):
            accepted.socket.close()

    def _forget(self, accepted: AcceptedConnection) -> None:
        self._all.pop(accepted, None)
        of_address = self._by_address.get(accepted.address, {})
        of_address.pop(accepted, None)
        if not of_address:
            self._by_address.pop(accepted.address, None)

    def _close_longest_waiting(self, among: dict[AcceptedConnection, None]) -> bool:
        """End the connection that has waited longest for its client. False when none waits."""
        waiting = [(since, accepted) for accepted in among if (since := accepted.waits_since()) is not None]
        if not waiting:
            return False
        _, longest = min(waiting, key=lambda entry: entry[0])
        self._forget(longest)
        longest.end()
        return True

    def _is_proxy(self, address: str) -> bool:
        from_address = parse_address(address)
        return from_address is not None and any(from_address in network for network in self._trusted)

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_SECONDS)
            now = monotonic()
            for accepted in list(self._all):
                if accepted.connection is not None and accepted.connection.overdue(now):
                    accepted.end()


class _TrackedConnection(Connection):
    """A connection that calls `on_lost` when it has ended."""

    def __init__(self, *, on_lost: Any, **given: Any) -> None:
        super().__init__(**given)
        self._on_lost = on_lost

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._on_lost()
