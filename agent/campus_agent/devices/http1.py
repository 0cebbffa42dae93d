"""HTTP/1.1 without the socket (RFC 9112): a request to octets, octets to one answer. Every length is bounded; redirects are only told.

Each exchange has its own connection, so an answer ends by its length, its last chunk, or the end of the connection.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

MAX_HEADER_BYTES = 16_384
MAX_HEADERS = 100
MAX_BODY_BYTES = 256 * 1024
_MAX_CHUNK_LINE_BYTES = 256


class HttpError(ValueError):
    """What came is not HTTP, or too much of it."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer. Header names are in lower case; `challenges` are all WWW-Authenticate headers."""

    status: int
    headers: Mapping[str, str]
    challenges: tuple[str, ...]
    body: bytes


def request(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One request on a connection of its own. Raises HttpError for text that would break the message."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: CampusMeter", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines) or " " in path:
        raise HttpError("a line break or a space where none may be")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace") + body


def authority(host: str, port: int) -> str:
    """Host and port as a Host header names them."""
    place = f"[{host}]" if ":" in host else host
    return place if port in (80, 443) else f"{place}:{port}"


@dataclass(slots=True)
class Reader:
    """Octets in, one answer out."""

    _buffer: bytearray = field(default_factory=bytearray)
    _head: tuple[int, dict[str, str], tuple[str, ...]] | None = None
    _body: bytearray = field(default_factory=bytearray)

    @property
    def status(self) -> int | None:
        """The status, once its headers are there."""
        return self._head[0] if self._head else None

    def feed(self, data: bytes) -> Answer | None:
        """The answer, once it is whole. Raises HttpError."""
        self._buffer += data
        while self._head is None:
            if not self._headers():
                return None
            if (
                self._head is not None and 100 <= self._head[0] < 200
            ):  # interim, another follows (RFC 9110 section 15.2)
                self._head = None
        _, headers, _ = self._head
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._whole() if self._chunks() else None
        if len(self._buffer) > MAX_BODY_BYTES:
            raise HttpError(f"more than {MAX_BODY_BYTES} octets of body")
        length = _length(headers)
        return None if length is None or len(self._buffer) < length else self._whole(bytes(self._buffer[:length]))

    def end(self) -> Answer | None:
        """The connection has ended: the answer, None without a single octet. Raises HttpError for half of one."""
        if self._head is None:
            if self._buffer:
                raise HttpError("the answer ends within its headers")
            return None
        _, headers, _ = self._head
        if _length(headers) is not None or "chunked" in headers.get("transfer-encoding", "").lower():
            raise HttpError("the answer ends within its body")
        return self._whole(bytes(self._buffer))

    def _whole(self, body: bytes | None = None) -> Answer:
        if self._head is None:
            raise RuntimeError("headers come first")
        status, headers, challenges = self._head
        return Answer(status, headers, challenges, bytes(self._body) if body is None else body)

    def _headers(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n", 0, MAX_HEADER_BYTES + 4)
        if end < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise HttpError(f"headers without end: more than {MAX_HEADER_BYTES} octets")
            return False
        self._head = _parsed(bytes(self._buffer[:end]))
        del self._buffer[: end + 4]
        return True

    def _chunks(self) -> bool:
        """Take whole chunks from the buffer (RFC 9112 section 7.1); True after the last. Trailers are not waited for."""
        while True:
            line = self._buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE_BYTES)
            if line < 0:
                if len(self._buffer) > _MAX_CHUNK_LINE_BYTES:
                    raise HttpError("a chunk without a size")
                return False
            text = bytes(self._buffer[:line]).partition(b";")[0].strip()
            try:
                size = int(text, 16) if text.isalnum() else -1
            except ValueError:
                size = -1
            if size < 0 or len(self._body) + size > MAX_BODY_BYTES:
                raise HttpError(f"a chunk of {text[:20]!r} octets")
            if size == 0:
                return True
            if len(self._buffer) < line + 2 + size + 2:
                return False
            self._body += self._buffer[line + 2 : line + 2 + size]
            del self._buffer[: line + 2 + size + 2]


def _parsed(head: bytes) -> tuple[int, dict[str, str], tuple[str, ...]]:
    first, *rest = head.decode("utf-8", "replace").split("\r\n")
    version, _, line = first.partition(" ")
    code = line.partition(" ")[0]
    if not version.startswith("HTTP/1.") or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise HttpError(f"no HTTP answer: {first[:60]!r}")
    if len(rest) > MAX_HEADERS:
        raise HttpError(f"more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    challenges = []
    for text in rest:
        name, colon, value = text.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
            if name.strip().lower() == "www-authenticate":
                challenges.append(value.strip())
    return int(code), headers, tuple(challenges)


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 12 or int(text) > MAX_BODY_BYTES:
        raise HttpError(f"a body of {text[:20]} octets")
    return int(text)
