"""The beginning of an HTTP answer's body, read strictly: what a browser would refuse is no answer of a platform.

`http.client` reads the head; its own reading of bodies takes a missing end, signs in sizes and lengths that contradict each other for good.
Sources: RFC 9112 sections 6.3, 7.1 and 8; RFC 9110 section 8.4.1.
"""

import re
import zlib
from http.client import HTTPResponse
from io import BufferedIOBase
from typing import cast

MAX_INTERIM_ANSWERS = 10
SWITCHING_PROTOCOLS = 101
_MAX_LINE_BYTES = 8192
_PART_BYTES = 8192
_LENGTH = re.compile(r"[0-9]{1,15}")
"""Larger than any answer: nine hundred terabytes."""
_CHUNK_SIZE = re.compile(rb"[0-9A-Fa-f]{1,12}")
_BODILESS = frozenset({204, 304})
_SHOWN_LETTERS = 40


class BrokenAnswer(ValueError):
    """This is no sound HTTP answer; the message says why, for a technician."""


def begin(response: HTTPResponse) -> None:
    """Read the head; announcements before it (103 Early Hints) are passed over. Raises BrokenAnswer, HTTPException, OSError."""
    response.begin()
    for _ in range(MAX_INTERIM_ANSWERS):
        if not 100 <= response.status < 200 or response.status == SWITCHING_PROTOCOLS:
            break
        response.headers = response.msg = None  # type: ignore[assignment]  # `begin` reads another head
        response.begin()
    if response.status < 200:
        raise BrokenAnswer(f"status {response.status} and no answer after it")


def read_body(response: HTTPResponse, max_bytes: int) -> bytes:
    """At most `max_bytes` of the body, unpacked. Raises BrokenAnswer, OSError."""
    stream = cast(BufferedIOBase, response.fp)
    length = _declared_length(response)
    if response.status in _BODILESS:
        return b""
    if _is_chunked(response):
        body, complete = _read_chunks(stream, max_bytes)
    elif length is None:
        body = _read(stream, max_bytes)
        complete = len(body) < max_bytes
    else:
        body = _read(stream, min(length, max_bytes))
        complete = len(body) == length
        if len(body) < min(length, max_bytes):
            raise BrokenAnswer(f"the connection was closed after {len(body)} of {length} bytes of the answer")
    encoding = (response.headers.get("Content-Encoding") or "").strip().lower()
    return _unpacked(encoding, body, complete, max_bytes)


def _is_chunked(response: HTTPResponse) -> bool:
    codings = ",".join(response.headers.get_all("Transfer-Encoding") or ()).lower().split(",")
    return codings[-1].strip() == "chunked"


def _declared_length(response: HTTPResponse) -> int | None:
    """By Content-Length; None where none is given, or where the coding marks the body's end."""
    if response.headers.get_all("Transfer-Encoding"):
        return None
    fields = response.headers.get_all("Content-Length") or ()
    values = {value.strip() for value in ",".join(fields).split(",")} if fields else set()
    if not values:
        return None
    if len(values) > 1:
        raise BrokenAnswer(f"lengths that contradict each other: Content-Length {_shown(', '.join(sorted(values)))}")
    (value,) = values
    if not _LENGTH.fullmatch(value):
        raise BrokenAnswer(f"no length of an answer: Content-Length {_shown(value)}")
    return int(value)


def _read(stream: BufferedIOBase, size: int) -> bytes:
    """So many bytes, or fewer where the connection ends."""
    body = bytearray()
    while len(body) < size and (part := stream.read1(min(size - len(body), _PART_BYTES))):
        body += part
    return bytes(body)


def _read_chunks(stream: BufferedIOBase, max_bytes: int) -> tuple[bytes, bool]:
    """The body, and whether it is whole."""
    body = b""
    while len(body) < max_bytes:
        line = stream.readline(_MAX_LINE_BYTES)
        text = line.partition(b";")[0].strip(b" \t\r\n")
        if not line.endswith(b"\n") or not _CHUNK_SIZE.fullmatch(text):
            what = (
                "the connection was closed before the last chunk" if not line else f"no size of a chunk: {_shown(text)}"
            )
            raise BrokenAnswer(what)
        size = int(text, 16)
        if size == 0:
            return body, True
        wanted = min(size, max_bytes - len(body))
        part = _read(stream, wanted)
        body += part
        if len(part) < wanted:
            raise BrokenAnswer(f"the connection was closed after {len(part)} of a chunk's {size} bytes")
        if wanted == size and stream.readline(_MAX_LINE_BYTES).strip(b"\r\n"):
            raise BrokenAnswer(f"a chunk is longer than its size of {size} bytes")
    return body, False


def _unpacked(encoding: str, body: bytes, complete: bool, max_bytes: int) -> bytes:
    """The content; another encoding than was asked for is left as it is."""
    if not body or encoding not in ("gzip", "x-gzip", "deflate"):
        return body
    formats = (zlib.MAX_WBITS, -zlib.MAX_WBITS) if encoding == "deflate" else (zlib.MAX_WBITS | 16,)
    for window in formats:  # some servers send raw deflate under that name, and browsers take it
        unpacker = zlib.decompressobj(window)
        try:
            content = unpacker.decompress(body, max_bytes)
        except zlib.error:
            continue
        if complete and not unpacker.eof and len(content) < max_bytes:
            raise BrokenAnswer(f"Content-Encoding {encoding}: the content ends before its end")
        return content
    raise BrokenAnswer(f"Content-Encoding {encoding}, but the content is none")


def _shown(text: str | bytes) -> str:
    short = text.decode("ascii", "replace") if isinstance(text, bytes) else text
    return repr(short if len(short) <= _SHOWN_LETTERS else f"{short[:_SHOWN_LETTERS]}... ({len(short)} letters)")
