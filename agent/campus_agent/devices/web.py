"""Ask a device's own web page: the status it should give, and readings from its JSON. Bounded in time and octets; nothing is kept."""

import http.client
import json
import socket
import ssl
from time import monotonic
from typing import Any

from campus_agent.devices.profile import Http
from campus_agent.measure.errors import failure_of
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind, Operation

TIMEOUT_SECONDS = 4.0
MAX_BODY_BYTES = 256 * 1024


def ask(host: str, what: Http) -> Any:
    """The JSON of the answer, None where it is none. Raises ProbeFailed: no answer, another status, a body without end."""
    port = what.port or (443 if what.tls else 80)
    end = monotonic() + TIMEOUT_SECONDS
    try:
        with socket.create_connection((host, port), timeout=TIMEOUT_SECONDS) as plain:
            # Devices bring certificates of their own making; nothing secret is sent, so there is nothing to protect.
            sock = _unchecked().wrap_socket(plain, server_hostname=host) if what.tls else plain
            connection = http.client.HTTPConnection(host, port)
            connection.sock = sock
            connection.request("GET", what.path, headers={"User-Agent": "CampusMeter", "Connection": "close"})
            response = connection.getresponse()
            if response.status != what.status:
                detail = f"status {response.status} instead of {what.status}"
                raise ProbeFailed(Operation.READ, FailureKind.HTTP_STATUS, detail)
            return _json(_body(response, end)) if what.readings else None
    except http.client.HTTPException as error:
        raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, type(error).__name__) from None
    except OSError as error:
        failure = failure_of(Operation.CONNECT, error)
        raise ProbeFailed(failure.operation, failure.kind, failure.detail) from None


def _body(response: http.client.HTTPResponse, end: float) -> bytes:
    parts = bytearray()
    while part := response.read1(16_384):
        parts += part
        if len(parts) > MAX_BODY_BYTES:
            raise ProbeFailed(Operation.READ, FailureKind.PROTOCOL_ERROR, f"more than {MAX_BODY_BYTES} octets of body")
        if monotonic() > end:
            raise ProbeFailed(Operation.READ, FailureKind.TIMEOUT, "a body without end")
    return bytes(parts)


def _json(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def _unchecked() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
