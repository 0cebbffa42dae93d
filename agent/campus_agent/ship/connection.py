"""One HTTP conversation with the collector: TLS, token, deadline. All the I/O of shipping is here."""

import contextlib
import http.client
import socket
import ssl
from dataclasses import dataclass
from time import monotonic
from urllib.parse import urlsplit

from campus_agent.config import Collector
from campus_agent.measure.errors import failure_of
from campus_wire.failures import Failure, FailureKind, Operation
from campus_wire.settings import read_secret

CONNECT_TIMEOUT_SECONDS = 15.0
ANSWER_TIMEOUT_SECONDS = 60.0
MAX_ANSWER_BYTES = 1024 * 1024


class ShipFailed(Exception):
    """No answer was had: which step, which kind."""

    def __init__(self, failure: Failure) -> None:
        """Keep the failure as data."""
        super().__init__(f"{failure.operation}: {failure.kind}: {failure.detail}")
        self.failure = failure


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, and when by the monotonic clock of this process."""

    status: int
    body: bytes
    retry_after: str | None
    date: str | None
    sent_at: float
    received_at: float


class Connection:
    """Kept open for one drain; the token is read from its file each time, so a rotated one is used at once."""

    def __init__(self, collector: Collector) -> None:
        """Nothing is opened yet."""
        self._collector = collector
        self._http: http.client.HTTPConnection | None = None

    def post(self, path: str, body: bytes) -> Answer:
        """Send a gzip JSON body. Raises ShipFailed."""
        try:
            token = read_secret(self._collector.token_file).reveal()
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            detail = f"token file {self._collector.token_file}: {reason}"
            raise ShipFailed(Failure(Operation.PREPARE, FailureKind.NOT_AUTHORISED, detail[:300])) from None
        headers = {
            "Authorization": f"Bearer {token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
            "Accept": "application/json",
        }
        return self._exchange("POST", urlsplit(self._collector.url).path + path, body, headers)

    def get(self, path: str) -> Answer:
        """Ask without a token (/healthz). Raises ShipFailed."""
        return self._exchange("GET", urlsplit(self._collector.url).path + path, None, {"Accept": "application/json"})

    def close(self) -> None:
        """Hang up."""
        if self._http is not None:
            with contextlib.suppress(OSError):
                self._http.close()
            self._http = None

    def _exchange(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        operation = Operation.CONNECT
        try:
            if self._http is None:
                self._http = self._connect()
            operation = Operation.REQUEST
            sent_at = monotonic()
            self._http.request(method, path, body, headers)
            operation = Operation.READ
            response = self._http.getresponse()
            received_at = monotonic()
            content = response.read(MAX_ANSWER_BYTES + 1)
            if len(content) > MAX_ANSWER_BYTES:
                raise http.client.HTTPException(f"answer larger than {MAX_ANSWER_BYTES} bytes")
        except http.client.HTTPException as error:
            self.close()
            detail = f"{type(error).__name__}: {error}"[:300]
            raise ShipFailed(Failure(operation, FailureKind.PROTOCOL_ERROR, detail)) from None
        except OSError as error:
            self.close()
            raise ShipFailed(_failure(operation, error)) from None
        if response.will_close:
            self.close()
        return Answer(
            response.status,
            content,
            response.headers.get("Retry-After"),
            response.headers.get("Date"),
            sent_at,
            received_at,
        )

    def _connect(self) -> http.client.HTTPConnection:
        parts = urlsplit(self._collector.url)
        host = parts.hostname or ""
        made: http.client.HTTPConnection
        if parts.scheme == "https":
            ca = str(self._collector.ca_file) if self._collector.ca_file else None
            context = ssl.create_default_context(cafile=ca)
            context.minimum_version = ssl.TLSVersion.TLSv1_2
            made = http.client.HTTPSConnection(host, parts.port, timeout=CONNECT_TIMEOUT_SECONDS, context=context)
        else:
            made = http.client.HTTPConnection(host, parts.port, timeout=CONNECT_TIMEOUT_SECONDS)
        made.connect()
        made.sock.settimeout(ANSWER_TIMEOUT_SECONDS)
        return made


def _failure(operation: Operation, error: OSError) -> Failure:
    if isinstance(error, socket.gaierror):
        operation = Operation.RESOLVE
    elif isinstance(error, ssl.SSLError):
        operation = Operation.TLS
    elif isinstance(error, FileNotFoundError):  # the CA file
        return Failure(Operation.TLS, FailureKind.CERTIFICATE_UNTRUSTED, f"ca_file: {error.strerror}")
    return failure_of(operation, error)
