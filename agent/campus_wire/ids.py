"""Names of things: result ids (UUIDv7, RFC 9562 section 5.7) and the ids of schools, classrooms and devices."""

import re
import secrets
import uuid

ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,63}$"
_ID = re.compile(ID_PATTERN)


def is_id(text: str) -> bool:
    """Is this a valid id of a town, school, classroom, room, device or service?"""
    return _ID.fullmatch(text) is not None


def new_result_id(unix_milliseconds: int) -> str:
    """A new result id, sortable by time where the clock was right, unique (74 random bits) where it was not."""
    stamp = max(0, unix_milliseconds) & (1 << 48) - 1
    value = stamp << 80 | 0x7 << 76 | secrets.randbits(12) << 64 | 0b10 << 62 | secrets.randbits(62)
    return str(uuid.UUID(int=value))
