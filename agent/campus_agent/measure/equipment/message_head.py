"""The head of a response by HTTP or RTSP: a first line, then headers (RFC 9112 section 5, RFC 2326 section 4), as devices write them. Pure."""

import re
from typing import NamedTuple

MAX_HEADER_BYTES = 16_384
MAX_HEADERS = 100
HEAD_END = re.compile(rb"\r?\n\r?\n")


class MessageHead(NamedTuple):
    """Header names are in lower case, the first of a name counts; `challenges` are all WWW-Authenticate headers.

    Bytes that are no UTF-8 are kept as surrogate escapes: what a challenge says has to be sent back as it came.
    """

    first_line: str
    headers: dict[str, str]
    challenges: tuple[str, ...]


def parse_head(head: bytes) -> MessageHead:
    """Lines without a colon are left out. Raises ValueError for too many headers."""
    first_line, *lines = re.split(r"\r?\n", head.decode("utf-8", "surrogateescape"))
    if len(lines) > MAX_HEADERS:
        raise ValueError(f"more than {MAX_HEADERS} headers")
    headers: dict[str, str] = {}
    challenges = []
    for line in lines:
        name, colon, value = line.partition(":")
        if colon:
            headers.setdefault(name.strip().lower(), value.strip())
            if name.strip().lower() == "www-authenticate":
                challenges.append(value.strip())
    return MessageHead(first_line, headers, tuple(challenges))
