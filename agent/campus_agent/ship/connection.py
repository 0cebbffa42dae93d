"""One HTTP conversation with the collector: TLS, token, deadline. With `timed`, all the I/O of shipping is here."""

import contextlib
import http.client
import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime
from time import monotonic
from urllib.parse import urlsplit

import msgspec

from campus_agent.config.model import Collector
from campus_agent.measure.clock_check import clock_fault, refused_for_its_dates, their_time
from campus_agent.measure.errors import failure_of
from campus_agent.measure.link.connect import connect_here
from campus_agent.ship.timed import TimedSocket
from campus_base.settings import read_token
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

CONNECT_TIMEOUT_SECONDS = 15.0
"""For TCP, and again for the TLS handshake."""
EXCHANGE_TIMEOUT_SECONDS = 90.0
"""For one request and its whole answer: 100 KB, a full batch compressed, take 13 s at 64 kbit/s."""
MAX_ANSWER_BYTES = 1024 * 1024
_MAX_DETAIL = 300


class ShipFailed(Exception):
    """There was no answer: the step and kind of the failure; `clock`: why this gateway's clock is the cause, None when it is not."""

    def __init__(self, operation: Operation, kind: FailureKind, detail: str, clock: str | None = None) -> None:
        """Keep the failure as data."""
        super().__init__(f"{operation}: {kind}: {detail}")
        self.failure = Failure(operation, kind, detail[:_MAX_DETAIL])
        self.clock = clock


class CollectorAnswer(msgspec.Struct, frozen=True):
    """What came back, and when by the monotonic clock of this process."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None
    sent_at: float
    received_at: float
    version: str | None = None
    """The collector's version, which it gives only to a valid token."""
    tag: str | None = None
    """Of what was fetched (ETag)."""


class CollectorConnection:
    """Opened when it is needed, kept until closed; the token is read from its file each time: a rotated one is used at once."""

    def __init__(
        self,
        collector: Collector,
        connect_seconds: float = CONNECT_TIMEOUT_SECONDS,
        exchange_seconds: float = EXCHANGE_TIMEOUT_SECONDS,
        *,
        certificate_checked: bool = True,
    ) -> None:
        """Nothing is opened yet. Without a check of the certificate only what is proved by other means may be fetched."""
        self._certificate_checked = certificate_checked
        self._collector = collector
        self._parts = urlsplit(collector.url)
        self._connect_seconds = connect_seconds
        self.exchange_seconds = exchange_seconds
        self._http: http.client.HTTPConnection | None = None
        self._line: TimedSocket | None = None
        self._token = ""
        self._hung_up = False
        self._context: ssl.SSLContext | None = None

    def post(self, path: str, body: bytes) -> CollectorAnswer:
        """Send a gzip JSON body. Raises ShipFailed."""
        self._token = self._read_token()
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Accept": "application/json",
        }
        return self._exchange("POST", path, body, headers)

    def ask(self, path: str) -> CollectorAnswer:
        """POST without a body, with the token. Raises ShipFailed."""
        self._token = self._read_token()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json", "Content-Length": "0"}
        return self._exchange("POST", path, None, headers)

    def post_openly(self, path: str, body: bytes) -> CollectorAnswer:
        """The same without a token, for whoever has none yet. Raises ShipFailed."""
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept": "application/json"}
        return self._exchange("POST", path, body, headers)

    def fetch(self, path: str, tag: str | None) -> CollectorAnswer:
        """Ask with the token; with the tag of what we have, 304 says that it is still that. Raises ShipFailed."""
        self._token = self._read_token()
        headers = {"Authorization": f"Bearer {self._token}", "Accept": "application/json"}
        return self._exchange("GET", path, None, headers | ({"If-None-Match": tag} if tag else {}))

    def get(self, path: str) -> CollectorAnswer:
        """Ask without a token (/healthz). Raises ShipFailed."""
        return self._exchange("GET", path, None, {"Accept": "application/json"})

    def close(self) -> None:
        """Close the connection; the next request opens it again."""
        if self._http is not None:
            with contextlib.suppress(OSError):
                self._http.close()
        self._http = self._line = None

    def hang_up(self) -> None:
        """End a running exchange, from another thread; none begins after it."""
        self._hung_up = True
        line = self._line
        if line is not None:
            with contextlib.suppress(OSError):
                line.hang_up()

    def scrubbed(self, text: str) -> str:
        """The text without our token, whoever repeated it."""
        if self._token:
            text = text.replace(self._token, "***")
        return re.sub(r"(?i)\bbearer\s+\S+", "Bearer ***", text)

    def _read_token(self) -> str:
        file = self._collector.token_file
        try:
            return read_token(file).reveal()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise ShipFailed(Operation.PREPARE, FailureKind.NOT_AUTHORISED, f"token file {file}: {reason}") from None

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> CollectorAnswer:
        """One request. A kept connection that the other side closed meanwhile is opened again, once: a result counts once anyway."""
        reused = self._http is not None
        try:
            return self._once(method, self._parts.path + path, body, headers)
        except ShipFailed as failed:
            if not reused or self._hung_up or failed.failure.kind is not FailureKind.CONNECTION_RESET:
                raise
        return self._once(method, self._parts.path + path, body, headers)

    def _once(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> CollectorAnswer:
        if self._http is None or self._line is None:
            self._http, self._line = self._connect()
        if self._hung_up:
            self.close()
            raise ShipFailed(Operation.CONNECT, FailureKind.CONNECTION_RESET, "we are stopping")
        self._line.restart(self.exchange_seconds)
        sent_at = monotonic()
        cut = False
        try:
            with _as_ship_failed(Operation.REQUEST):
                try:
                    self._http.request(method, path, body, headers | {"Host": self._parts.netloc})
                except (BrokenPipeError, ConnectionResetError):
                    cut = True  # it may have answered (413, 401) before it had read everything
            with _as_ship_failed(Operation.READ):
                response = self._http.getresponse()
                received_at = monotonic()
                content = _read_all(response)
        except ShipFailed:
            self.close()
            raise
        if cut or response.will_close:
            self.close()
        retry_after, date = response.headers.get("Retry-After"), response.headers.get("Date")
        version = response.headers.get("CampusMeter-Version")
        tag = response.headers.get("ETag")
        return CollectorAnswer(response.status, content, retry_after, date, sent_at, received_at, version, tag)

    def _connect(self) -> tuple[http.client.HTTPConnection, TimedSocket]:
        secure = self._parts.scheme == "https"
        host, port = self._parts.hostname or "", self._parts.port or (443 if secure else 80)
        context = self._tls() if secure else None
        with _as_ship_failed(Operation.CONNECT):
            plain, _ = connect_here(host, port, self._connect_seconds)
            _keep_alive(plain)
        if context is not None:
            try:
                plain = context.wrap_socket(plain, server_hostname=host)
            except OSError as error:
                plain.close()
                self._context = None  # the authorities may have changed
                raise self._refused(error, host, port) from None
        line = TimedSocket(plain)
        connection = http.client.HTTPConnection(host, port)
        connection.auto_open = 0  # it must never connect by itself, without TLS
        connection.sock = line
        return connection, line

    def _refused(self, error: OSError, host: str, port: int) -> ShipFailed:
        """A handshake that failed; a certificate refused for its dates is looked at once more: is it the clock?"""
        failure = failure_of(Operation.TLS, error)
        clock = None
        if isinstance(error, ssl.SSLCertVerificationError) and refused_for_its_dates(error):
            theirs, ca_file = None, self._collector.ca_file
            with contextlib.suppress(OSError, UnicodeError):
                again, _ = connect_here(host, port, self._connect_seconds)
                theirs = their_time(again, host, str(ca_file) if ca_file else None)
            clock = clock_fault(error, theirs, datetime.now(UTC))
        return ShipFailed(failure.operation, failure.kind, failure.detail, clock)

    def _tls(self) -> ssl.SSLContext:
        """Certificates are always checked: against `ca_file` alone where there is one, else the system's authorities.

        `ca_file` is read for each connection; the system's store only once: it takes 50 ms and 2 MB.
        """
        if not self._certificate_checked:
            unchecked = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            unchecked.check_hostname, unchecked.verify_mode = False, ssl.CERT_NONE
            return unchecked
        ca_file = self._collector.ca_file
        if self._context is not None and ca_file is None:
            return self._context
        try:
            self._context = context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
        except OSError as error:
            reason = "it holds no PEM certificate" if isinstance(error, ssl.SSLError) else error.strerror
            raise ShipFailed(Operation.TLS, FailureKind.CERTIFICATE_UNTRUSTED, f"ca_file {ca_file}: {reason}") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def _keep_alive(plain: socket.socket) -> None:
    """A held request stays known to address translations, and a line that died is noticed after a minute and a half."""
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in ((socket.TCP_KEEPIDLE, 30), (socket.TCP_KEEPINTVL, 20), (socket.TCP_KEEPCNT, 3)):
        plain.setsockopt(socket.IPPROTO_TCP, option, value)


def _read_all(response: http.client.HTTPResponse) -> bytes:
    content = response.read(MAX_ANSWER_BYTES + 1)
    if len(content) > MAX_ANSWER_BYTES:
        raise http.client.HTTPException(f"answer larger than {MAX_ANSWER_BYTES} bytes")
    expected = ascii_integer(response.headers.get("Content-Length", ""), 2**63)
    if expected is not None and len(content) < expected:  # `read` with a bound does not complain
        raise http.client.IncompleteRead(content, expected - len(content))
    return content


@contextlib.contextmanager
def _as_ship_failed(operation: Operation) -> Iterator[None]:
    """Errors of this step as ShipFailed."""
    try:
        yield
    except socket.gaierror as error:
        failure = failure_of(Operation.RESOLVE, error)
        raise ShipFailed(failure.operation, failure.kind, failure.detail) from None
    except UnicodeError:
        raise ShipFailed(Operation.RESOLVE, FailureKind.NAME_NOT_FOUND, "this is no valid name") from None
    except (http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
        detail = f"the other side hung up: {type(error).__name__}"
        raise ShipFailed(operation, FailureKind.CONNECTION_RESET, detail) from None
    except (http.client.HTTPException, ValueError) as error:  # ValueError: a number in a header that is none
        raise ShipFailed(operation, FailureKind.PROTOCOL_ERROR, f"{type(error).__name__}: {error}") from None
    except OSError as error:
        failure = failure_of(operation, error)
        raise ShipFailed(failure.operation, failure.kind, failure.detail) from None
