"""RTSP 1.0 without the socket (RFC 2326): requests to octets, octets to answers and interleaved packets. Every length is bounded."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

MAX_HEADER_BYTES = 16_384
MAX_BODY_BYTES = 65_536
MAX_HEADERS = 100


class RtspError(ValueError):
    """What came is not RTSP, or too much of it."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Header names are in lower case; `challenges` are all WWW-Authenticate headers."""

    status: int
    reason: str
    headers: Mapping[str, str]
    challenges: tuple[str, ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet of a channel carried on the same connection (section 10.12)."""

    channel: int
    payload: bytes


Event = Response | Interleaved


def request(method: str, uri: str, sequence: int, headers: Mapping[str, str]) -> bytes:
    """One request. Raises RtspError for text that would break the message."""
    lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {sequence}", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise RtspError("a line break within a header")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "replace")


@dataclass(slots=True)
class Parser:
    """Octets in, events out."""

    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events these octets complete. Raises RtspError."""
        self._buffer += data
        while self._buffer:
            event = self._interleaved() if self._buffer[0] == 0x24 else self._response()
            if event is None:
                return
            if isinstance(event, Response) or event.payload:
                yield event

    def _interleaved(self) -> Interleaved | None:
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[2:4])
        if len(self._buffer) < 4 + length:
            return None
        packet = Interleaved(self._buffer[1], bytes(self._buffer[4 : 4 + length]))
        del self._buffer[: 4 + length]
        return packet

    def _response(self) -> Response | None:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise RtspError(f"headers without end: more than {MAX_HEADER_BYTES} octets")
            return None
        if end > MAX_HEADER_BYTES:
            raise RtspError(f"headers of {end} octets")
        status, reason, headers, challenges = _head(bytes(self._buffer[:end]))
        length_text = headers.get("content-length", "0")
        if not length_text.isdigit() or int(length_text) > MAX_BODY_BYTES:
            raise RtspError(f"a body of {length_text[:20]} octets")
        length = int(length_text)
        if len(self._buffer) < end + 4 + length:
            return None
        body = bytes(self._buffer[end + 4 : end + 4 + length])
        del self._buffer[: end + 4 + length]
        return Response(status, reason, headers, challenges, body)


def _head(head: bytes) -> tuple[int, str, dict[str, str], tuple[str, ...]]:
    first, *rest = head.decode("utf-8", "replace").split("\r\n")
    version, _, line = first.partition(" ")
    code, _, reason = line.partition(" ")
    if not version.startswith("RTSP/1") or not code.isdigit() or len(code) != 3:
        raise RtspError(f"no RTSP answer: {first[:60]!r}")
    if len(rest) > MAX_HEADERS:
        raise RtspError(f"more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    challenges = []
    for text in rest:
        name, colon, value = text.partition(":")
        if not colon:
            continue
        if name.strip().lower() == "www-authenticate":
            challenges.append(value.strip())
        headers[name.strip().lower()] = value.strip()
    return int(code), reason[:60], headers, tuple(challenges)
