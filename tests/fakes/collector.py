"""A FAKE collector: a small real HTTP(S) server on loopback that speaks POST /v1/results, and can be slow, silent or wrong on demand.

It keeps what a real one would keep (each id once, what came twice is a duplicate) and everything it was sent, for tests to look at.
"""

import contextlib
import ssl
import threading
import time
from collections import Counter, deque
from collections.abc import Callable
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any

from campus_wire.codec import decode_envelope, decode_result, decompress, encode_receipt
from campus_wire.records import AnyResult, Envelope, Quarantined, Receipt

TOKEN = "cm1_the-token-of-s001"  # not a secret: loopback, tests only
Behaviour = Callable[["Call"], None]


class Call:
    """One request, and the ways to answer it."""

    def __init__(self, collector: "FakeCollector", handler: BaseHTTPRequestHandler, body: bytes) -> None:
        self.collector = collector
        self.handler = handler
        self.headers = handler.headers
        self.body = body

    def envelope(self) -> Envelope:
        """What was sent."""
        return decode_envelope(decompress(self.body))

    def store(self) -> Receipt:
        """Keep it as a real collector would."""
        return self.collector.keep(self.envelope())

    def answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        """Send an answer; header names with underscores."""
        handler = self.handler
        handler.send_response(status)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    def cut(self) -> None:
        """Break the connection off without an answer."""
        self.handler.close_connection = True
        with contextlib.suppress(OSError):
            self.handler.connection.shutdown(2)


def well(call: Call) -> None:
    """Store, and say so."""
    call.answer(200, encode_receipt(call.store()), Content_Type="application/json")


def status(code: int, body: bytes = b"", **headers: str) -> Behaviour:
    """Refuse, storing nothing."""
    return lambda call: call.answer(code, body, **headers)


def cut_after_storing(call: Call) -> None:
    """The worst moment: it is stored, and nobody is told."""
    call.store()
    call.cut()


def cut_before_storing(call: Call) -> None:
    """Nothing is stored, nobody is told."""
    call.cut()


def cut_within_the_answer(call: Call) -> None:
    """Half a receipt."""
    whole = encode_receipt(call.store())
    handler = call.handler
    handler.send_response(200)
    handler.send_header("Content-Length", str(len(whole)))
    handler.end_headers()
    handler.wfile.write(whole[: len(whole) // 2])
    call.cut()


def silent(call: Call) -> None:
    """Say nothing until the test is over."""
    call.collector.ended.wait(60)
    call.cut()


def dripping(call: Call) -> None:
    """An octet of the header now and then, for ever."""
    with contextlib.suppress(OSError):
        call.handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not call.collector.ended.wait(0.05):
            call.handler.wfile.write(b"X")


def receipt_of(change: Callable[[Receipt], Receipt]) -> Behaviour:
    """Store, but lie in the receipt."""
    return lambda call: call.answer(200, encode_receipt(change(call.store())))


class FakeCollector:
    """`script` is used up one behaviour a request; then `otherwise`."""

    def __init__(self, certificate: tuple[Path, Path] | None = None, token: str | None = TOKEN) -> None:
        self.script: deque[Behaviour] = deque()
        self.otherwise: Behaviour = well
        self.refuse: Callable[[AnyResult], str | None] = lambda _: None
        self.max_results = 1000
        self.clock: Callable[[], float] = time.time
        self.token = token
        self.stored: dict[str, AnyResult] = {}
        self.raws: dict[str, bytes] = {}
        self.arrivals: Counter[str] = Counter()
        self.envelopes: list[Envelope] = []
        self.connections = 0
        self.ended = threading.Event()
        self._turn = threading.Lock()
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        self._scheme = "http"
        if certificate is not None:
            self._scheme = "https"
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._server.context = context
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> "FakeCollector":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.ended.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    @property
    def url(self) -> str:
        return f"{self._scheme}://127.0.0.1:{self.port}"

    def keep(self, envelope: Envelope) -> Receipt:
        """Store each result once; the receipt accounts for all."""
        with self._turn:
            stored = duplicate = 0
            quarantined = []
            for place, raw in enumerate(envelope.results):
                result = decode_result(raw)
                self.arrivals[result.id] += 1
                reason = self.refuse(result)
                if reason is not None:
                    quarantined.append(Quarantined(result.id, reason, place))
                elif result.id in self.stored:
                    duplicate += 1
                else:
                    self.stored[result.id] = result
                    self.raws[result.id] = bytes(raw)
                    stored += 1
            return Receipt(stored, duplicate, quarantined, datetime.fromtimestamp(self.clock(), UTC))

    def take(self, call: Call) -> None:
        """Answer one request."""
        with self._turn:
            behaviour = self.script.popleft() if self.script else self.otherwise
            with contextlib.suppress(ValueError):
                self.envelopes.append(call.envelope())
        if self.token is not None and call.headers.get("Authorization") != f"Bearer {self.token}":
            call.answer(401, b'{"title":"Token refused","status":401}', Content_Type="application/problem+json")
        elif behaviour is well and len(call.envelope().results) > self.max_results:
            call.answer(413, b'{"title":"Batch too large","status":413}')
        else:
            behaviour(call)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def finish_request(self, request: Any, client_address: Any) -> None:
        if self.context is not None:
            request.settimeout(10)
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, client_address)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hangs up is what some tests want."""


def _handler_for(collector: FakeCollector) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            collector.connections += 1
            super().setup()

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.path.endswith("/v1/results"):
                collector.take(Call(collector, self, body))
            else:
                self.send_error(404)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    return Handler
