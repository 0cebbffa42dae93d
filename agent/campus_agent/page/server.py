"""The page over HTTP on the school's network: standard library, a thread for each of few connections, everything bounded.

Only the classrooms' networks are answered. A request that changes anything carries a header that other sites' pages cannot send, and names this gateway by
an address or its own name: a name that somebody else's DNS points here is refused.
"""

import http.server
import ipaddress
import json
import logging
import mmap
import os
import select
import socket
import socketserver
import threading
from collections import Counter
from contextlib import suppress
from http import HTTPStatus
from time import monotonic, sleep
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import msgspec

from campus_agent.measure.burst.server import has_ipv6
from campus_agent.measure.link.resolve import without_mapping
from campus_agent.page.admission import ADMISSION_SECONDS, WHY, Admission, BrowserCount, NotAdmitted
from campus_agent.page.browser_test import LOAD_SECONDS, WHOLE_SECONDS, BrowserTest
from campus_agent.page.carried_test import CarriedTest
from campus_agent.page.view import classroom_page, codes_page, stay_page
from campus_agent.page.waiting import WaitingPage, answer_at
from campus_base.language import Language
from campus_base.messages import message
from campus_wire.bandwidth import DEFAULT_TOLERANCE_RATIO, line_rate_of, verdict_of_record
from campus_wire.digits import ascii_integer
from campus_wire.failures import Validity
from campus_wire.records import InspectionResult, ThroughputRecord

log = logging.getLogger(__name__)
_OUTSIDE = message("only from the school's own network")
_BY_NAME = message("open this page by the gateway's address")
MAX_CONNECTIONS = 24
MAX_CONNECTIONS_OF_ADDRESS = 8
"""A browser opens six; one machine must not take the page from all others."""
IDLE_SECONDS = 15.0
REQUEST_SECONDS = 15.0
"""From the end of one answer to the end of the next request, however slowly its bytes come."""
MAX_BODY_BYTES = 4096
MAX_UPLOAD_BYTES = 64 * 1024 * 1024
CHUNK_BYTES = 1 << 20
WRITE_WAIT_SECONDS = 0.1
_TCP_NOTSENT_LOWAT = 25  # linux/tcp.h; Python does not name it before 3.12
UNSENT_BYTES = 262_144
DEADLINE_CHECK_SECONDS = 0.5
BEGIN_SECONDS = ADMISSION_SECONDS + 5.0
"""A test may have to wait for the line; `begin` ends its own wait before."""
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cache-Control": "no-store",
}
POLICY = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'unsafe-inline'; img-src 'self' data:; connect-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class _Finish(BrowserCount, frozen=True, kw_only=True):
    test_id: str = msgspec.field(name="trial")


class _Begin(msgspec.Struct):
    room: str


class _Wait(msgspec.Struct):
    room: str
    key: str
    tab: str = ""
    hidden: bool = False
    network: str = ""


class PageServer(socketserver.ThreadingMixIn, http.server.HTTPServer):
    """The number of connections is bounded; its threads do not keep the process running."""

    daemon_threads = True
    request_queue_size = 32

    def __init__(self, admission: Admission, listen: str, port: int) -> None:
        """Listens at once. Raises OSError."""
        self.admission = admission
        if listen == "::" and not has_ipv6():
            listen = "0.0.0.0"  # noqa: S104
        self.address_family = socket.AF_INET6 if ":" in listen else socket.AF_INET
        self._free_places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self.noise = _noise()
        self._guard = threading.Lock()
        self._of_address: Counter[str] = Counter()
        self._deadlines: dict[socket.socket, float] = {}
        self._closed = threading.Event()
        self._held: set[socket.socket] = set()
        super().__init__((listen, port), _Handler)
        threading.Thread(target=self._end_late, name="page-deadlines", daemon=True).start()

    def process_request(self, request: Any, client_address: Any) -> None:
        """In a thread of its own, or not at all."""
        if not self._enter(client_address[0]):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._leave(request, client_address[0])
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Give the place back whatever happens."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._leave(request, client_address[0])

    def allow(self, request: socket.socket, seconds: float) -> None:
        """What goes on on this connection must be over in so long."""
        with self._guard:
            self._deadlines[request] = monotonic() + seconds

    def hold(self, request: socket.socket) -> None:
        """This connection outlives its handler: it belongs to the waiting pages."""
        with self._guard:
            self._held.add(request)
            self._deadlines.pop(request, None)

    def release(self, request: socket.socket) -> None:
        """This connection ends with its handler after all."""
        with self._guard:
            self._held.discard(request)

    def shutdown_request(self, request: Any) -> None:
        """End a connection, unless it is held."""
        with self._guard:
            held = request in self._held
            self._held.discard(request)
        if not held:
            super().shutdown_request(request)

    def server_close(self) -> None:
        self._closed.set()
        super().server_close()

    def _enter(self, address: str) -> bool:
        with self._guard:
            if self._of_address[address] >= MAX_CONNECTIONS_OF_ADDRESS or not self._free_places.acquire(blocking=False):
                return False
            self._of_address[address] += 1
            return True

    def _leave(self, request: socket.socket, address: str) -> None:
        with self._guard:
            self._deadlines.pop(request, None)
            self._of_address[address] -= 1
            if not self._of_address[address]:
                del self._of_address[address]
        self._free_places.release()

    def _end_late(self) -> None:
        """A time-out for each read is no bound: a client that sends a byte now and then would keep its place for ever."""
        while not self._closed.wait(DEADLINE_CHECK_SECONDS):
            now = monotonic()
            with self._guard:
                for request in [request for request, until in self._deadlines.items() if until < now]:
                    del self._deadlines[request]
                    _hang_up(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that went away is not worth an error."""
        log.debug("page request ended", exc_info=True)


def printable(text: str, most_letters: int) -> str:
    """The beginning of a text from outside, without control characters."""
    return "".join(letter for letter in text[: 4 * most_letters] if letter.isprintable())[:most_letters]


def _noise() -> int:
    """A file in memory full of bytes that nothing can compress."""
    handle = os.memfd_create("campus-page")
    os.ftruncate(handle, CHUNK_BYTES)
    with mmap.mmap(handle, CHUNK_BYTES) as memory:
        memory[:] = os.urandom(CHUNK_BYTES)
    return handle


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "CampusMeter"
    sys_version = ""
    timeout = IDLE_SECONDS
    server: PageServer
    ROUTES: ClassVar[dict[tuple[str, str], str]] = {
        ("GET", "/"): "_page",
        ("GET", "/codes"): "_codes",
        ("GET", "/stay"): "_stay",
        ("GET", "/ping"): "_ping",
        ("GET", "/down"): "_down",
        ("POST", "/begin"): "_begin",
        ("POST", "/up"): "_up",
        ("POST", "/wait"): "_wait",
        ("POST", "/finish"): "_finish",
    }

    def handle_one_request(self) -> None:
        """Under one deadline from its first byte to its answer."""
        self.server.allow(self.connection, REQUEST_SECONDS)
        super().handle_one_request()

    def do_GET(self) -> None:
        self._dispatch()

    def do_POST(self) -> None:
        """Begin, send a load, finish."""
        self._dispatch()

    def log_message(self, format: str, *args: Any) -> None:
        """Requests are not logged: a load is many of them."""

    def _dispatch(self) -> None:
        self.query: dict[str, str] = {}
        try:
            parts = urlsplit(self.path)
            self.query = {key: values[0] for key, values in parse_qs(parts.query, max_num_fields=20).items()}
        except ValueError:
            self._answer(HTTPStatus.BAD_REQUEST, {"why": "no address of a page"}, close=True)
            return
        name = self.ROUTES.get((self.command, parts.path))
        if not self.server.admission.networks.contain(self.client_address[0]):
            self._answer(HTTPStatus.FORBIDDEN, {"why": f"{_OUTSIDE.zh} / {_OUTSIDE.en}"}, close=True)
        elif not self._names_us() or (self.command == "POST" and self.headers.get("X-CampusMeter") != "1"):
            why = f"{_BY_NAME.zh} / {_BY_NAME.en}"
            self._answer(HTTPStatus.FORBIDDEN, {"why": why}, close=True)
        elif name is None:
            self._answer(HTTPStatus.NOT_FOUND, {"why": "not here"}, close=True)
        else:
            getattr(self, name)()

    def _names_us(self) -> bool:
        """Was this gateway asked for by an address, or by its own name?"""
        try:
            host = urlsplit(f"//{self.headers.get('Host', '')}").hostname or ""
        except ValueError:  # a bracket without its other half
            return False
        with suppress(ValueError):
            ipaddress.ip_address(host)
            return True
        name = socket.gethostname().lower()
        return host in ("localhost", "gateway", name, name.partition(".")[0])

    def _language(self) -> Language:
        asked = self.query.get("lang") or self.headers.get("Accept-Language", "")[:2].lower()
        return "en" if asked == "en" else "zh"

    def _page(self) -> None:
        nonce = os.urandom(16).hex()
        page = classroom_page(self.server.admission.classrooms(), self.query.get("room", ""), self._language(), nonce)
        self._send_page(page, nonce)

    def _stay(self) -> None:
        nonce = os.urandom(16).hex()
        page = stay_page(self.server.admission.classrooms(), self.query.get("room", ""), self._language(), nonce)
        if page is None:
            self._answer(HTTPStatus.NOT_FOUND, {"why": WHY["room"].in_(self._language())}, close=True)
        else:
            self._send_page(page, nonce)

    def _wait(self) -> None:
        """Keep the request of a page that stays open: it is answered when there is something to do."""
        body = self._body(_Wait)
        if body is None:
            return
        client = without_mapping(self.client_address[0])
        texts = (printable(body.tab, 32), client, printable(self.headers.get("User-Agent", ""), 300))
        page = WaitingPage(self.connection, *texts, body.hidden, printable(body.network, 20), answer_at())
        self.close_connection = True
        self.server.hold(self.connection)
        try:
            refused = self.server.admission.wait(body.room, body.key, page)
        except BaseException:
            self.server.release(self.connection)
            raise
        if refused is not None:
            self.server.release(self.connection)
            self._answer(HTTPStatus.FORBIDDEN, {"reason": refused}, close=True)

    def _send_page(self, page: str, nonce: str) -> None:
        self._send(
            HTTPStatus.OK,
            page.encode(),
            "text/html; charset=utf-8",
            {"Content-Security-Policy": POLICY.format(nonce=nonce)},
        )

    def _codes(self) -> None:
        host = urlsplit(f"//{self.headers.get('Host', '')}").netloc
        admission = self.server.admission
        page = codes_page(admission.classrooms(), f"http://{host}", self._language(), admission.holidays_are_known())
        self._send(
            HTTPStatus.OK,
            page.encode(),
            "text/html; charset=utf-8",
            {"Content-Security-Policy": POLICY.format(nonce="none")},
        )

    def _begin(self) -> None:
        body = self._body(_Begin)
        if body is None:
            return
        self.server.allow(self.connection, BEGIN_SECONDS)
        browser = printable(self.headers.get("User-Agent", ""), 300)
        try:
            test = self.server.admission.begin(body.room, without_mapping(self.client_address[0]), browser)
        except NotAdmitted as refused:
            why = WHY[refused.reason].in_(self._language())
            self._answer(HTTPStatus.CONFLICT, {"reason": refused.reason, "why": why})
            return
        self._answer(HTTPStatus.OK, {"trial": test.id, "load_seconds": LOAD_SECONDS})

    def _ping(self) -> None:
        test = self._test()
        if test is not None:
            test.ping(self.connection)
            self._send(HTTPStatus.NO_CONTENT, b"", "text/plain")

    def _down(self) -> None:
        """Send bytes from memory to the socket by the kernel alone, until the time is over."""
        test = self._test()
        if test is None:
            return
        self.close_connection = True
        self.server.allow(self.connection, WHOLE_SECONDS)
        self.send_response(HTTPStatus.OK)
        for name, value in (HEADERS | {"Content-Type": "application/octet-stream", "Connection": "close"}).items():
            self.send_header(name, value)
        self.end_headers()
        load = test.down
        test.pace(self.connection)
        with suppress(OSError):  # what the kernel holds unsent is sent after the end, for nothing
            self.connection.setsockopt(socket.IPPROTO_TCP, _TCP_NOTSENT_LOWAT, UNSENT_BYTES)
        self.connection.setblocking(False)  # a browser that does not read must not hold a thread
        writable, offset = select.poll(), 0
        writable.register(self.connection, select.POLLOUT)
        with suppress(OSError), load.carried_by(self.connection):
            while not load.expired():
                try:
                    sent = os.sendfile(self.connection.fileno(), self.server.noise, offset, CHUNK_BYTES - offset)
                    offset = (offset + sent) % CHUNK_BYTES
                except BlockingIOError:
                    writable.poll(WRITE_WAIT_SECONDS * 1000)
        _hang_up(self.connection)

    def _up(self) -> None:
        """Read and discard the bytes of the browser; the kernel counts them."""
        test = self._test()
        if test is None:
            return
        length = ascii_integer(self.headers.get("Content-Length", ""), MAX_UPLOAD_BYTES)
        if length is None:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"why": "too large"}, close=True)
            return
        self.server.allow(self.connection, WHOLE_SECONDS)
        load, left = test.up, length
        buffer = memoryview(bytearray(256 * 1024))
        with load.carried_by(self.connection):
            while left and not load.expired():
                count = self.rfile.readinto1(buffer[: min(left, len(buffer))])
                if not count:
                    break
                left -= count
                if (ahead := load.ahead_seconds()) > 0:  # unread bytes hold the browser back
                    sleep(ahead)
        if left:
            self.close_connection = True
            _hang_up(self.connection)
            return
        self._answer(HTTPStatus.OK, {"over": load.expired()})

    def _finish(self) -> None:
        counted = self._body(_Finish)
        if counted is None:
            return
        self.server.allow(self.connection, BEGIN_SECONDS)
        test = self.server.admission.begun(counted.test_id)
        if test is None:
            self._answer(HTTPStatus.GONE, {"why": "this test is over"})
            return
        self._answer(HTTPStatus.OK, shown(self.server.admission.finish(test, counted)))

    def _test(self) -> BrowserTest | CarriedTest | None:
        """The test that a request belongs to; None when there is none, and the browser was answered so."""
        test = self.server.admission.test(self.query.get("trial", ""))
        if test is None:
            self._answer(HTTPStatus.GONE, {"why": "this test is over"}, close=True)
            return None
        if test.client != without_mapping(self.client_address[0]):
            self._answer(HTTPStatus.FORBIDDEN, {"why": "another machine's test"}, close=True)
            return None
        return test

    def _body(self, kind: type[Any]) -> Any:
        length = ascii_integer(self.headers.get("Content-Length", ""), MAX_BODY_BYTES)
        if length is None:
            self._answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, {"why": "too large"}, close=True)
            return None
        try:
            return msgspec.json.decode(self.rfile.read(length), type=kind)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            self._answer(HTTPStatus.BAD_REQUEST, {"why": str(error)[:200]}, close=True)
            return None

    def _answer(self, status: HTTPStatus, content: dict[str, Any], close: bool = False) -> None:
        if close:
            self.close_connection = True
        self._send(status, json.dumps(content, ensure_ascii=False).encode(), "application/json")

    def _send(self, status: HTTPStatus, body: bytes, kind: str, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        named = HEADERS | {"Content-Type": kind, "Content-Length": str(len(body))} | (more or {})
        if self.close_connection:
            named["Connection"] = "close"
        for name, value in named.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


def shown(result: InspectionResult) -> dict[str, Any]:
    """What the page shows of a result: line rates beside what is required, latency, the verdict of this one test."""
    record = result.record.measured if result.record is not None else None
    if record is None:
        return {"verdict": "insufficient"}

    def rate(name: str) -> float | None:
        direction = getattr(record, name)
        return None if direction is None else line_rate_of(direction, record.encapsulation)

    verdict = verdict_of_record(record) if result.validity is Validity.OK else "insufficient"
    return {
        "id": result.id,
        "validity": str(result.validity),
        "verdict": str(verdict),
        "required_bits_per_second": record.required_bits_per_second,
        "threshold_bits_per_second": record.required_bits_per_second * DEFAULT_TOLERANCE_RATIO,
        "down_bits_per_second": rate("down"),
        "up_bits_per_second": rate("up"),
        "down_at_least": record.down is not None and record.down.lower_bound,
        "up_at_least": record.up is not None and record.up.lower_bound,
        "rtt_seconds": _median(record, "idle"),
        "working_rtt_seconds": _median(record, "working"),
        "own_machine": result.record is not None and result.record.own_machine,
    }


def _median(record: ThroughputRecord, name: str) -> float | None:
    latency = getattr(record, name)
    return None if latency is None else latency.rtt_median_seconds


def _hang_up(connection: socket.socket) -> None:
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
