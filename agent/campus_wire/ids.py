"""Names of things: result ids (UUIDv7, RFC 9562 section 5.7) and the ids of schools, classrooms and devices."""

import re
import uuid
from random import SystemRandom

ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}\Z"
"""`\\Z` and not `$`: that would let a newline pass at the end."""
_ID = re.compile(ID_PATTERN)
_random = SystemRandom()  # as good as `secrets`, without half a megabyte of hash functions in the resident agent


def is_id(text: str) -> bool:
    """Is this a valid id of a town, school, classroom, room, device or service?"""
    return _ID.fullmatch(text) is not None


def new_result_id(unix_milliseconds: int) -> str:
    """A new result id, sortable by time where the clock was right, unique (74 random bits) where it was not."""
    stamp = max(0, unix_milliseconds) & (1 << 48) - 1
    value = stamp << 80 | 0x7 << 76 | _random.getrandbits(12) << 64 | 0b10 << 62 | _random.getrandbits(62)
    return str(uuid.UUID(int=value))
