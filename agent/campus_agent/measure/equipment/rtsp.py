"""RTSP 1.0 without the socket (RFC 2326): requests to bytes, bytes to answers, the device's own requests and interleaved packets.

Every length is bounded. Bytes that belong to no message are skipped up to the next one, as players do: cameras send blank lines after a
description, packets longer than they say, and remains of another protocol between packets.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from campus_agent.measure.equipment.message_head import HEAD_END, MAX_HEADER_BYTES, MessageHead, parse_head
from campus_wire.digits import ascii_integer

MAX_BODY_BYTES = 65_536
_DOLLAR = 0x24
_VERSION = b"RTSP/1."
_METHODS = (
    b"OPTIONS",
    b"ANNOUNCE",
    b"DESCRIBE",
    b"GET_PARAMETER",
    b"SET_PARAMETER",
    b"SETUP",
    b"PLAY",
    b"PAUSE",
    b"RECORD",
    b"REDIRECT",
    b"TEARDOWN",
)
_STARTS = (_VERSION, *(method + b" " for method in _METHODS))
_NEXT = re.compile(b"|".join((rb"\$", *map(re.escape, _STARTS))))
_LONGEST_START = max(map(len, _STARTS))


class RtspError(ValueError):
    """What came is not RTSP, or too much of it."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer. Header names are in lower case, the first of a name counts; `challenges` are all WWW-Authenticate headers.

    Bytes that are no UTF-8 are kept as surrogate escapes: what a challenge says has to be sent back as it came.
    """

    status: int
    reason: str
    headers: Mapping[str, str]
    challenges: tuple[str, ...] = ()
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """A request of the device to us (RFC 2326 section 10: OPTIONS, ANNOUNCE, GET_PARAMETER, SET_PARAMETER, REDIRECT)."""

    method: str
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Interleaved:
    """A packet of a channel carried on the same connection (section 10.12)."""

    channel: int
    payload: bytes


Event = Response | DeviceRequest | Interleaved


def request(method: str, uri: str, sequence: int, headers: Mapping[str, str]) -> bytes:
    """One request. Raises RtspError for text that would break the message."""
    lines = [f"{method} {uri} RTSP/1.0", f"CSeq: {sequence}", *(f"{name}: {value}" for name, value in headers.items())]
    if any("\r" in line or "\n" in line for line in lines):
        raise RtspError("a line break within a header")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape")


def reply(asked: DeviceRequest) -> bytes:
    """The answer to a request of the device: what keeps a session open is granted, anything else is not implemented here."""
    granted = asked.method in ("OPTIONS", "GET_PARAMETER", "SET_PARAMETER", "ANNOUNCE", "REDIRECT", "TEARDOWN")
    lines = ["RTSP/1.0 200 OK" if granted else "RTSP/1.0 501 Not Implemented"]
    sequence = ascii_integer(asked.headers.get("cseq", ""), 2**32)
    if sequence is not None:
        lines.append(f"CSeq: {sequence}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("ascii")


@dataclass(slots=True)
class Parser:
    """Bytes in, events out. `channels` are those in use within the connection: they distinguish a packet from a stray `$`."""

    channels: set[int] = field(default_factory=set)
    _buffer: bytearray = field(default_factory=bytearray)
    _lost: bool = False
    _understood: bool = False

    @property
    def half_answer(self) -> bool:
        """Is there an answer of which only the body is not whole?"""
        return self._buffer.startswith(_VERSION) and HEAD_END.search(self._buffer) is not None

    def feed(self, data: bytes) -> Iterator[Event]:
        """The events these bytes complete. Raises RtspError."""
        self._buffer += data
        while self._buffer:
            if not self._at_a_start():
                if not self._skip():
                    return
                continue
            event = self._interleaved() if self._buffer[0] == _DOLLAR else self._message()
            if event is None:
                return
            self._lost, self._understood = False, True
            if not isinstance(event, Interleaved) or event.payload:
                yield event

    def unfinished(self) -> Response | None:
        """The answer whose body does not become whole, with as much of it as came: no length, or a wrong one. Raises RtspError."""
        head = HEAD_END.search(self._buffer) if self.half_answer else None
        if head is None:
            return None
        first, headers, challenges = _head(bytes(self._buffer[: head.start()]))
        body = bytes(self._buffer[head.end() :][:MAX_BODY_BYTES])
        self._buffer.clear()
        status, reason = _status(first)
        return Response(status, reason, headers, challenges, body)

    def nonsense(self) -> str | None:
        """How the bytes begin of which nothing was understood; None when something was, or nothing came."""
        return None if self._understood or not self._buffer else repr(bytes(self._buffer[:60]))[1:]

    def _at_a_start(self) -> bool:
        """Does a message begin here, by the bytes so far?"""
        if self._buffer[0] != _DOLLAR:
            begin = bytes(self._buffer[:_LONGEST_START])
            return any(begin.startswith(start) or start.startswith(begin) for start in _STARTS)
        if not self.channels or len(self._buffer) < 5:
            return True
        if self._buffer[2:4] == b"\0\0":
            return not self._lost
        has_channel = not self._lost or self._buffer[1] in self.channels
        return has_channel and self._buffer[4] >> 6 == 2  # both RTP and RTCP begin with version 2

    def _skip(self) -> bool:
        """Go to where the next message may begin; False when that is not here yet. Raises RtspError for a peer that uses another protocol."""
        self._lost = True
        next_start = _NEXT.search(self._buffer, 1)
        if next_start is not None:
            if self._understood or self._buffer[next_start.start()] != _DOLLAR:
                del self._buffer[: next_start.start()]
                return True
        elif self._understood or not self._buffer.strip():
            del self._buffer[: max(1, len(self._buffer) - _LONGEST_START + 1)]
            return bool(self._buffer)
        if b"\n" in self._buffer.lstrip() or len(self._buffer) > MAX_HEADER_BYTES:
            raise RtspError(f"no RTSP answer: {self.nonsense()}")
        return False

    def _interleaved(self) -> Interleaved | None:
        if len(self._buffer) < 4:
            return None
        length = int.from_bytes(self._buffer[2:4])
        if len(self._buffer) < 4 + length:
            return None
        packet = Interleaved(self._buffer[1], bytes(self._buffer[4 : 4 + length]))
        del self._buffer[: 4 + length]
        return packet

    def _message(self) -> Response | DeviceRequest | None:
        end = HEAD_END.search(self._buffer, 0, MAX_HEADER_BYTES + 4)
        if end is None:
            if len(self._buffer) > MAX_HEADER_BYTES:
                raise RtspError(f"headers without end: more than {MAX_HEADER_BYTES} octets")
            return None
        first, headers, challenges = _head(bytes(self._buffer[: end.start()]))
        length_text = headers.get("content-length", "")
        length = ascii_integer(length_text or "0", MAX_BODY_BYTES)
        if length is None:
            raise RtspError(f"a body of {_shown(length_text[:20])} octets")
        if not length_text and "sdp" in headers.get("content-type", "").lower():
            return None  # a description without a length: see `unfinished`
        if len(self._buffer) < end.end() + length:
            return None
        body = bytes(self._buffer[end.end() : end.end() + length])
        del self._buffer[: end.end() + length]
        if not first.startswith("RTSP/1"):
            return DeviceRequest(first.partition(" ")[0], headers)
        status, reason = _status(first)
        return Response(status, reason, headers, challenges, body)


def _head(head: bytes) -> MessageHead:
    try:
        return parse_head(head)
    except ValueError as error:
        raise RtspError(str(error)) from None


def _status(first: str) -> tuple[int, str]:
    _, _, line = first.partition(" ")
    code, _, reason = line.strip().partition(" ")
    status = ascii_integer(code, 999)
    if status is None or status < 100:
        raise RtspError(f"no RTSP answer: {_shown(first[:60])!r}")
    return status, _shown(reason[:60])


def _shown(text: str) -> str:
    """Text that can be put into a message: bytes that are no UTF-8 become a mark."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
