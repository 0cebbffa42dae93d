"""HTTP/1.1 without the socket (RFC 9112): a request to bytes, bytes to one answer. Every length is bounded; redirects are reported, not followed.

Each exchange has its own connection, so an answer ends by its length, its last chunk, the end of the connection, or when whoever reads its body
has enough. Devices count characters where bytes are meant, or send no length and stay: a body with a reader of its own is read past that.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from campus_agent.measure.equipment.message_head import HEAD_END, MAX_HEADER_BYTES, parse_head
from campus_wire.digits import ascii_integer

MAX_BODY_BYTES = 256 * 1024
_MAX_CHUNK_LINE_BYTES = 256


class HttpError(ValueError):
    """What came is not HTTP, or too much of it."""


@dataclass(frozen=True, slots=True)
class HttpResponse:
    """An answer. Header names are in lower case, the first of a name counts; `challenges` are all WWW-Authenticate headers.

    `body` is empty where a reader of its own took it; `whole` is False when time ended it.
    """

    status: int
    headers: Mapping[str, str]
    challenges: tuple[str, ...]
    body: bytes
    whole: bool = True


def request(method: str, host: str, path: str, headers: Mapping[str, str], body: bytes = b"") -> bytes:
    """One request on a connection of its own. Raises HttpError for text that would break the message."""
    lines = [f"{method} {path} HTTP/1.1", f"Host: {host}", "User-Agent: CampusMeter", "Connection: close"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    if body or method == "POST":
        lines.append(f"Content-Length: {len(body)}")
    if any("\r" in line or "\n" in line for line in lines) or " " in path:
        raise HttpError("a line break or a space where none may be")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + body


def authority(host: str, port: int) -> str:
    """Host and port as a Host header names them."""
    name = f"[{host}]" if ":" in host else host
    return name if port in (80, 443) else f"{name}:{port}"


@dataclass(slots=True)
class ResponseReader:
    """Bytes in, one answer out. `take`: gets the body of statuses in `taken` as it comes, and says when it has enough."""

    take: Callable[[bytes], bool] | None = None
    taken: tuple[int, ...] = (200, 400, 500)
    _buffer: bytearray = field(default_factory=bytearray)
    _head: tuple[int, dict[str, str], tuple[str, ...]] | None = None
    _body: bytearray = field(default_factory=bytearray)
    _passed: int = 0

    @property
    def status(self) -> int | None:
        """The status, once its headers are there."""
        return self._head[0] if self._head else None

    @property
    def overdue(self) -> bool:
        """Has all come that was announced, and whoever takes it wants more?"""
        if self._head is None or self.take is None:
            return False
        length = ascii_integer(self._head[1].get("content-length", ""), MAX_BODY_BYTES * 64)
        return length is not None and self._passed >= length

    def feed(self, data: bytes) -> HttpResponse | None:
        """The answer, once it is whole. Raises HttpError."""
        self._buffer += data
        while self._head is None:
            if not self._headers():
                return None
            # interim, another follows (RFC 9110 section 15.2)
            if self._head is not None and 100 <= self._head[0] < 200:
                self._head = None
        status, headers, _ = self._head
        if self.take is not None and status not in self.taken:
            return self._whole(b"")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            return self._whole() if self._chunks() else None
        if self.take is not None:
            return self._whole() if self._pass(self._buffer, len(self._buffer)) else None
        if len(self._buffer) > MAX_BODY_BYTES:
            raise HttpError(f"more than {MAX_BODY_BYTES} octets of body")
        length = _length(headers)
        return None if length is None or len(self._buffer) < length else self._whole(bytes(self._buffer[:length]))

    def end(self, whole: bool = True) -> HttpResponse | None:
        """Nothing more comes: the answer, None without a single byte. Raises HttpError for half of one that nobody took."""
        if self._head is None:
            if self._buffer:
                raise HttpError("the answer ends within its headers")
            return None
        if self.take is not None:
            return self._whole(b"", whole)
        _, headers, _ = self._head
        if _length(headers) is not None or "chunked" in headers.get("transfer-encoding", "").lower():
            raise HttpError("the answer ends within its body")
        return self._whole(bytes(self._buffer))

    def _whole(self, body: bytes | None = None, whole: bool = True) -> HttpResponse:
        if self._head is None:
            raise RuntimeError("headers come first")
        status, headers, challenges = self._head
        return HttpResponse(status, headers, challenges, bytes(self._body) if body is None else body, whole)

    def _pass(self, data: bytearray, count: int) -> bool:
        """Give bytes to whoever takes the body, and forget them; True when that is enough."""
        piece = bytes(data[:count])
        del data[:count]
        self._passed += count
        return self.take is not None and self.take(piece)

    def _headers(self) -> bool:
        while self._buffer.startswith((b"\r", b"\n")):
            del self._buffer[:1]
        end = HEAD_END.search(self._buffer, 0, MAX_HEADER_BYTES + 4)
        if end is None:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise HttpError(f"headers without end: more than {MAX_HEADER_BYTES} octets")
            return False
        self._head = _parsed(bytes(self._buffer[: end.start()]))
        del self._buffer[: end.end()]
        return True

    def _chunks(self) -> bool:
        """Take whole chunks from the buffer (RFC 9112 section 7.1); True after the last, or when it is enough. Trailers are not waited for."""
        while True:
            line = self._buffer.find(b"\r\n", 0, _MAX_CHUNK_LINE_BYTES)
            if line < 0:
                if len(self._buffer) > _MAX_CHUNK_LINE_BYTES:
                    raise HttpError("a chunk without a size")
                return False
            text = bytes(self._buffer[:line]).partition(b";")[0].strip()
            try:
                size = int(text, 16) if text.isalnum() and len(text) <= 8 else -1
            except ValueError:
                size = -1
            if (
                size < 0
                or (self.take is None and len(self._body) + size > MAX_BODY_BYTES)
                or size > 64 * MAX_BODY_BYTES
            ):
                raise HttpError(f"a chunk of {text[:20]!r} octets")
            if size == 0:
                return True
            if len(self._buffer) < line + 2 + size + 2:
                return False
            del self._buffer[: line + 2]
            if self.take is None:
                self._body += self._buffer[:size]
                del self._buffer[: size + 2]
            else:
                enough = self._pass(self._buffer, size)
                del self._buffer[:2]
                if enough:
                    return True


def _parsed(data: bytes) -> tuple[int, dict[str, str], tuple[str, ...]]:
    try:
        first_line, headers, challenges = parse_head(data)
    except ValueError as error:
        raise HttpError(str(error)) from None
    version, _, line = first_line.partition(" ")
    status = ascii_integer(line.partition(" ")[0], 999)
    if not version.startswith("HTTP/1.") or status is None or status < 100:
        raise HttpError(f"no HTTP answer: {first_line[:60]!a}")
    return status, headers, challenges


def _length(headers: Mapping[str, str]) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    length = ascii_integer(text, MAX_BODY_BYTES)
    if length is None:
        raise HttpError(f"a body of {text[:20]!a} octets")
    return length
