"""Reads the text that `snmpwalk -On` prints (net-snmp) into objects. Bounded, because such files come from other people.

Both outputs are read: with the makers' MIBs loaded (`INTEGER: up(1)`, dates as text) and without. `iso.3.6` stands for `.1.3.6`.
"""

import re
import struct
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from campus_agent.measure.equipment.profile import OID_PATTERN
from campus_agent.measure.equipment.readings import Value
from campus_base.messages import message
from campus_base.settings import read_file
from campus_wire.digits import ascii_integer

MAX_WALK_BYTES = 8_000_000
MAX_OBJECTS = 50_000
MAX_VALUE_LETTERS = 4_096
_TOO_LARGE = message("is larger than 8 MB: no walk of one device")
_MAX_NUMBER = 2**64
_LINE = re.compile(r"(?:\.|iso\.|)([0-9][0-9.]{0,700}) = ?(.*)", re.DOTALL)
_ISO = re.compile(r"iso\.")
_TYPE = re.compile(r"(?:Wrong Type \(should be [^)]{1,60}\): )?([A-Za-z][A-Za-z0-9 -]{0,30}): ?(.*)", re.DOTALL)
_NUMBER = re.compile(r"(?:[^()]{0,100}\()?(-?[0-9]{1,20})\)?(?: .{0,100})?", re.DOTALL)
_DATE = re.compile(
    r"([0-9]{1,5})-([0-9]{1,2})-([0-9]{1,2}),([0-9]{1,2}):([0-9]{1,2}):([0-9]{1,2})\.([0-9])(?:,([+-])([0-9]{1,2}):([0-9]{1,2}))?"
)
_NOTHING = ("No Such Object", "No Such Instance", "No more variables left", "NULL")


class Walk(msgspec.Struct, frozen=True):
    """The objects of a device by their identifiers. `unread`: the numbers of the lines (from 1) that were not understood; `cut`: there was more."""

    objects: dict[str, Value]
    unread: tuple[int, ...] = ()
    cut: bool = False


def read_walk(file: Path) -> Walk:
    """The walk in a file. Raises OSError, UnusableFile."""
    return parse_walk(read_file(file, MAX_WALK_BYTES, _TOO_LARGE).decode("utf-8", "surrogateescape"))


def parse_walk(text: str) -> Walk:
    """All objects of a walk. Never raises: what is not understood is counted by its line."""
    objects: dict[str, Value] = {}
    unread: list[int] = []
    for number, entry in _entries(text):
        if len(objects) >= MAX_OBJECTS:
            return Walk(objects, tuple(unread), cut=True)
        parsed = _LINE.fullmatch(entry)
        oid = "" if parsed is None else ("1." if _ISO.match(entry) else "") + parsed[1]
        if parsed is None or re.fullmatch(OID_PATTERN, oid) is None:
            unread.append(number)
            continue
        rest = parsed[2].strip()
        if rest.startswith(_NOTHING):
            continue
        value = _value(rest)
        if value is None:
            unread.append(number)
        else:
            objects[oid] = value
    return Walk(objects, tuple(unread))


def _entries(text: str) -> Iterator[tuple[int, str]]:
    """Each object's text with the number of its first line: strings and octets may go on over several lines."""
    first, parts, letters = 0, list[str](), 0
    for number, line in enumerate(text.split("\n"), 1):
        if _LINE.fullmatch(line[:1_000]) is not None or not parts:
            if parts:
                yield first, "\n".join(parts)
            first, parts, letters = number, [], 0
            if not line.strip() or line.lstrip().startswith("#"):
                continue
        if letters < MAX_VALUE_LETTERS:
            parts.append(line[:MAX_VALUE_LETTERS].rstrip("\r"))
            letters += len(line)
    if parts:
        yield first, "\n".join(parts)


def _value(text: str) -> Value | None:
    if text in ("", '""'):
        return b""
    typed = _TYPE.fullmatch(text)
    if typed is None or typed[1] not in _READERS:
        return text[1:-1].encode("utf-8", "surrogateescape") if len(text) >= 2 and text[0] == text[-1] == '"' else None
    return _READERS[typed[1]](typed[2].strip())


def _number(text: str) -> int | None:
    parsed = _NUMBER.fullmatch(text)
    number = None if parsed is None else int(parsed[1])
    return number if number is not None and -_MAX_NUMBER < number < _MAX_NUMBER else None


def _text(text: str) -> bytes:
    date = _DATE.fullmatch(text)
    if date is not None:
        return _date(date) or text.encode("utf-8", "surrogateescape")
    quoted = len(text) >= 2 and text[0] == text[-1] == '"'
    plain = text[1:-1].replace('\\"', '"').replace("\\\\", "\\") if quoted else text
    return plain.encode("utf-8", "surrogateescape")


def _date(date: re.Match[str]) -> bytes | None:
    """A DateAndTime (RFC 2579) as its octets, from the form that its display hint gives."""
    zone = b"" if date[8] is None else date[8].encode() + bytes((int(date[9]), int(date[10])))
    try:
        return struct.pack(">HBBBBBB", *(int(part) for part in date.groups()[:7])) + zone
    except struct.error:
        return None


def _octets(text: str) -> bytes | None:
    parts = text.split()
    if not all(re.fullmatch(r"[0-9A-Fa-f]{2}", part) for part in parts):
        return None
    return bytes(int(part, 16) for part in parts)


def _identifier(text: str) -> str | None:
    oid = "1." + text[4:] if text.startswith("iso.") else text.removeprefix(".")
    return oid if re.fullmatch(OID_PATTERN, oid) else None


def _address(text: str) -> bytes | None:
    parts = [ascii_integer(part, 255) for part in text.split(".")]
    return bytes(part for part in parts if part is not None) if len(parts) == 4 and None not in parts else None


_READERS: dict[str, Callable[[str], Value | None]] = {
    "INTEGER": _number,
    "Integer32": _number,
    "UInteger32": _number,
    "Unsigned32": _number,
    "Gauge32": _number,
    "Gauge": _number,
    "Counter32": _number,
    "Counter": _number,
    "Counter64": _number,
    "Timeticks": _number,
    "TimeTicks": _number,
    "STRING": _text,
    "OCTET STRING": _text,
    "Hex-STRING": _octets,
    "OID": _identifier,
    "IpAddress": _address,
    "Network Address": _octets,
}
