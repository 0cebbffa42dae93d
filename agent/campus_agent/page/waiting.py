"""Pages that stay open in classrooms: each holds one request that is answered when there is something to do. One thread watches all of them.

A machine that sleeps, or whose lid was closed, does not answer the kernel's keep-alive; a closed page ends its connection; a browser that
is suspended leaves an answered request without a next one.
"""

import json
import selectors
import socket
import threading
from contextlib import suppress
from dataclasses import dataclass
from random import uniform
from time import monotonic

from campus_wire.failures import Failure, FailureKind, Operation

POLL_SECONDS = 60.0
"""So long a request is held: longer than the keep-alive needs to find a machine that sleeps."""
SPREAD_SECONDS = 15.0
"""Pages that all began at one moment, after a restart of the gateway, do not come back at one moment."""
RETURN_SECONDS = 20.0
"""From an answer to the next request; later the browser is suspended."""
WATCH_SECONDS = 5.0
_KEEP_ALIVE = ((socket.TCP_KEEPIDLE, 15), (socket.TCP_KEEPINTVL, 5), (socket.TCP_KEEPCNT, 3))
_HEAD = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"


@dataclass(frozen=True, slots=True)
class WaitingPage:
    """One page: its connection, which tab it is, from where, and what its browser says of itself. `network`: as the browser names it, or ""; `until`: when its request is answered."""

    connection: socket.socket
    tab: str
    client: str
    browser: str
    hidden: bool
    network: str
    until: float


@dataclass(slots=True)
class _LastSeen:
    """What became of a classroom's page last: `answered`, `closed`, `silent`, `elsewhere` or `key`; `at` in monotonic seconds."""

    what: str
    at: float
    client: str = ""


class WaitingPages:
    """By classroom the one page that waits; the newest tab takes the place of another."""

    def __init__(self) -> None:
        self._pages: dict[str, WaitingPage] = {}
        self._seen: dict[str, _LastSeen] = {}
        self._lock = threading.Lock()
        self._selector = selectors.DefaultSelector()
        self._closed = threading.Event()
        threading.Thread(target=self._watch, name="page-waiting", daemon=True).start()

    def add(self, room: str, page: WaitingPage) -> None:
        """Hold this page's request. Another tab of the classroom is answered that it is not needed."""
        with suppress(OSError):
            page.connection.setblocking(False)
            page.connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            for option, value in _KEEP_ALIVE:
                page.connection.setsockopt(socket.IPPROTO_TCP, option, value)
        with self._lock:
            before = self._remove(room)
            self._pages[room] = page
            self._selector.register(page.connection, selectors.EVENT_READ, room)
        if before is not None:
            _answer(before, "rest" if before.tab != page.tab else "again")

    def note(self, room: str, what: str, client: str) -> None:
        """A page of this classroom was refused: `elsewhere` or `key`. Forgotten as soon as the right page waits; a page that was just answered comes back."""
        seen = self._seen.get(room)
        if seen is not None and absence_of(seen, monotonic()) is None:
            return
        self._seen[room] = _LastSeen(what, monotonic(), client)

    def take(self, room: str, trial: str) -> WaitingPage | None:
        """Give the classroom's page a test to carry; None: none waits."""
        with self._lock:
            page = self._remove(room)
        if page is None:
            return None
        self._seen[room] = _LastSeen("answered", monotonic(), page.client)
        _answer(page, "test", trial)
        return page

    def client_of(self, room: str) -> str | None:
        """The address of the page that waits; None: none does."""
        page = self._pages.get(room)
        return None if page is None else page.client

    def absence(self, room: str) -> Failure | None:
        """Why does no page of this classroom wait? None: one does."""
        with self._lock:
            if room in self._pages:
                return None
        return absence_of(self._seen.get(room), monotonic())

    def close(self) -> None:
        """End the thread that watches; the pages' connections end with the process."""
        self._closed.set()

    def _remove(self, room: str) -> WaitingPage | None:
        page = self._pages.pop(room, None)
        if page is not None:
            with suppress(KeyError, ValueError):
                self._selector.unregister(page.connection)
        return page

    def _watch(self) -> None:
        while not self._closed.is_set():
            for key, _ in self._selector.select(WATCH_SECONDS) if self._pages else ():
                self._note_end(key.data, key.fileobj)
            if not self._pages:
                self._closed.wait(1.0)
            now = monotonic()
            with self._lock:
                late = [room for room, page in self._pages.items() if now > page.until]
                answered = [(room, page) for room in late if (page := self._remove(room)) is not None]
            for room, page in answered:
                self._seen[room] = _LastSeen("answered", now, page.client)
                _answer(page, "again")

    def _note_end(self, room: str, connection: object) -> None:
        """This connection became readable: it has ended, because a page that waits sends nothing. Another may wait in its place already."""
        with self._lock:
            page = self._pages.get(room)
            if page is None or page.connection is not connection:
                return
            self._remove(room)
        what = "closed"
        try:
            page.connection.recv(1024)
        except TimeoutError:  # the keep-alive was not answered
            what = "silent"
        except OSError:
            pass
        self._seen[room] = _LastSeen(what, monotonic(), page.client)
        with suppress(OSError):
            page.connection.close()


def absence_of(seen: _LastSeen | None, now: float) -> Failure | None:
    """The failure that says what became of a page that does not wait; None: it has just been answered and comes back. Pure."""
    if seen is None:
        detail = "no page of this classroom has been open since the gateway's page began"
        return Failure(Operation.CONNECT, FailureKind.HOST_UNREACHABLE, detail)
    ago = now - seen.at
    if seen.what == "answered" and ago < RETURN_SECONDS:
        return None
    details = {
        "answered": "its browser was answered and did not ask again: suspended or throttled, or the machine sleeps",
        "silent": "its machine does not answer any more: asleep, lid closed, switched off or unplugged",
        "closed": "the page was closed",
        "elsewhere": f"a page with this classroom's key is open at {seen.client}, which is not the classroom's host",
        "key": f"a page at {seen.client} has a key that is not, or no longer, this classroom's",
    }
    kind = {"elsewhere": FailureKind.NOT_AUTHORISED, "key": FailureKind.NOT_AUTHORISED}.get(
        seen.what, FailureKind.TIMEOUT if seen.what in ("silent", "answered") else FailureKind.HOST_UNREACHABLE
    )
    return Failure(Operation.CONNECT, kind, f"{details[seen.what]} ({ago:.0f} s ago)")


def answer_at() -> float:
    """When a request that begins to wait now is answered at the latest, in monotonic seconds."""
    return monotonic() + POLL_SECONDS + uniform(0.0, SPREAD_SECONDS)


def _answer(page: WaitingPage, what: str, trial: str = "") -> None:
    body = json.dumps({"do": what, "trial": trial}).encode()
    with suppress(OSError):
        page.connection.sendall(_HEAD.format(length=len(body)).encode() + body)
        page.connection.shutdown(socket.SHUT_WR)
    with suppress(OSError):
        page.connection.close()
