"""One HTTP exchange with the level above. The address is the configuration's and no other: no redirect is followed, no proxy of the environment used.

Certificates are always checked: against `ca_file` alone where there is one, else against the system's authorities; TLS 1.2 or newer.
"""

import gzip
import http.client
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

import msgspec

from campus_base.messages import Message, message
from campus_base.system_errors import error_words

TIMEOUT_SECONDS = 60.0
"""For each step: to connect, to send a part, to read a part."""
MAX_ANSWER_BYTES = 64 * 1024


_Answer = TypeVar("_Answer")


class NoAnswer(Exception):
    """Nothing came back; says why."""

    def __init__(self, words: Message) -> None:
        super().__init__(words.en)
        self.words = words


@dataclass(frozen=True, slots=True)
class UpperAnswer:
    """Status and body, and after how many seconds to try again where that was asked for."""

    status: int
    body: bytes
    retry_seconds: float | None = None


def post(url: str, path: str, body: bytes, ca_file: Path | None = None, token: str = "") -> UpperAnswer:
    """Send a JSON body, packed. Raises NoAnswer; the token is in no message."""
    parts = urlsplit(url)
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", "Accept": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    connection: http.client.HTTPConnection | None = None
    try:
        connection = _connection(parts.scheme == "https", parts.hostname or "", parts.port, ca_file)
        connection.request("POST", parts.path.rstrip("/") + path, gzip.compress(body, 6), headers)
        response = connection.getresponse()
        answer = response.read(MAX_ANSWER_BYTES)
        asked = response.headers.get("Retry-After", "")
        return UpperAnswer(response.status, answer, float(asked) if asked.isascii() and asked.isdigit() else None)
    except http.client.HTTPException as error:
        raise NoAnswer(message("the answer was not understood ({error})", error=type(error).__name__)) from None
    except (OSError, UnicodeError) as error:
        raise NoAnswer(message("no connection: {reason}", reason=error_words(error))) from None
    finally:
        if connection is not None:
            connection.close()


def decoded(body: bytes, kind: type[_Answer]) -> _Answer | None:
    """What an answer says; None where it is nothing of this kind: whoever answers at that address, it is no error of this program."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return None


def _connection(secure: bool, host: str, port: int | None, ca_file: Path | None) -> http.client.HTTPConnection:
    """Nothing is opened yet. Raises OSError for a file without certificates."""
    if not secure:  # this machine's own address: the configuration allows no other
        return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    context = ssl.create_default_context(cafile=str(ca_file) if ca_file else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)
