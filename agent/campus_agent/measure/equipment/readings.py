"""From a device's answers to readings. Pure: a value that makes no sense is a reading that failed, not a device that is down."""

import re
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from math import isfinite
from typing import Any, NamedTuple

from campus_agent.measure.equipment.profile import HttpReading, Limit, SnmpReading
from campus_wire.digits import ascii_integer
from campus_wire.failures import Failure, FailureKind, Operation

Value = int | bytes | str
Columns = Mapping[str, Mapping[str, Value]]
"""Column identifier -> row index -> value."""
MAX_TEXT = 120
MAX_PLACE = 100_000
"""Of an item in a JSON list."""
MAX_OFFSET_HOURS = 14
"""Of a local time from UTC: no zone is further."""
READ_ONLY = 2
"""hrFSAccess (RFC 2790)."""
_NO_STORAGE = re.compile(r"/(dev|proc|sys|run|tmp|media|snap|boot|rom|mnt/(usb|sd|cd)\w*)(/.*)?")
"""Where Linux mounts what is removable, in memory, or its own: agents call all of it fixed disks."""


@dataclass(slots=True)
class Readings:
    """What is known of a device: numbers, words, what did not work by reading, and oddities worth a remark."""

    numbers: dict[str, float] = field(default_factory=dict)
    words: dict[str, str] = field(default_factory=dict)
    failed: dict[str, Failure] = field(default_factory=dict)
    odd: list[str] = field(default_factory=list)

    @property
    def values(self) -> dict[str, float | str]:
        """Numbers and words together."""
        values: dict[str, float | str] = dict(self.numbers)
        values.update(self.words)
        return values

    def fail(self, reading: str, detail: str, kind: FailureKind = FailureKind.PROTOCOL_ERROR) -> None:
        """A reading that could not be had; one that another protocol gave stays."""
        self.lack(reading, Failure(Operation.READ, kind, detail[:300]))

    def lack(self, reading: str, why: Failure) -> None:
        """A reading that could not be had, and why; one that another protocol gave stays."""
        if reading not in self.numbers and reading not in self.words:
            self.failed[reading] = why

    def offer(self, reading: str, value: float | str) -> None:
        """A reading that is taken unless another protocol has given it: which protocol gives it must not depend on which is faster."""
        if reading not in self.numbers and reading not in self.words:
            self.put(reading, value)

    def put(self, reading: str, value: float | str) -> None:
        self.failed.pop(reading, None)
        if isinstance(value, str):
            self.words[reading] = value[:MAX_TEXT]
        else:
            self.numbers[reading] = value


class Nonsense(ValueError):
    """An answer that cannot be this reading."""


class Missing(Nonsense):
    """The device has no such object, or no row of it."""


class Unknown(Nonsense):
    """The device has the object without a value: no reading, and no failure."""


def read_snmp(
    definitions: tuple[SnmpReading, ...],
    objects: Mapping[str, Value | None],
    columns: Columns,
    now: datetime,
    into: Readings,
) -> None:
    """All readings of a profile's SNMP part from what was got. `now` is in the school's zone: a device that names none means that."""
    answers = _SnmpAnswers(objects, columns, now)
    for reading in definitions:
        try:
            value = _COMPUTE[reading.compute](reading, answers)
            into.put(
                reading.reading, value if isinstance(value, str) else _sane(reading.reading, value * reading.multiply)
            )
        except Unknown:
            continue
        except Nonsense as error:
            if not (reading.optional and isinstance(error, Missing)):
                into.fail(reading.reading, f"{reading.object}: {error}")


def read_json(definitions: tuple[HttpReading, ...], body: Any, into: Readings) -> None:
    for reading in definitions:
        try:
            value = _at(body, reading.path)
            if isinstance(value, str) and not reading.map and reading.reading == "firmware":
                into.put(reading.reading, _printable(value))
                continue
            into.put(reading.reading, _sane(reading.reading, _mapped(value, reading.map) * reading.multiply))
        except Nonsense as error:
            into.fail(reading.reading, f"{reading.path}: {error}")


def remarks(limits: tuple[Limit, ...], readings: Readings) -> list[str]:
    """Which readings are outside their limits, as `reading value`."""
    texts = []
    for limit in limits:
        value = readings.numbers.get(limit.reading)
        if value is None:
            continue
        low = limit.minimum is not None and value < limit.minimum
        high = limit.maximum is not None and value > limit.maximum
        if low or high:
            texts.append(f"{limit.reading} {value:g}")
    return texts


def date_and_time(octets: bytes, local: tzinfo) -> datetime:
    """SNMPv2-TC DateAndTime (RFC 2579): 8 octets are local time, 11 name their offset from UTC. Raises Nonsense."""
    if len(octets) not in (8, 11):
        raise Nonsense(f"a DateAndTime of {len(octets)} octets")
    year, month, day, hour, minute, second, _ = struct.unpack(">HBBBBBB", octets[:8])
    zone = local
    if octets[8:9] in (b"+", b"-"):
        sign = 1 if octets[8:9] == b"+" else -1
        hours, minutes = octets[9], octets[10]
        if hours > MAX_OFFSET_HOURS or minutes > 59:
            raise Nonsense(f"no date: {hours}:{minutes:02} h from UTC")
        zone = timezone(sign * timedelta(hours=hours, minutes=minutes))
    try:
        return datetime(year, month, day, hour, minute, min(second, 59), tzinfo=zone)
    except ValueError as error:
        raise Nonsense(f"no date: {error}") from None


class _SnmpAnswers(NamedTuple):
    """What a device answered by SNMP, and when its clock was read."""

    objects: Mapping[str, Value | None]
    columns: Columns
    now: datetime


def _value(reading: SnmpReading, answers: _SnmpAnswers) -> float:
    value = _had(answers.objects.get(reading.oid))
    if value in reading.unknown:
        raise Unknown("the device does not know")
    return _mapped(value, reading.map)


def _text(reading: SnmpReading, answers: _SnmpAnswers) -> str:
    value = _had(answers.objects.get(reading.oid))
    return _printable(value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value))


def _leading_number(reading: SnmpReading, answers: _SnmpAnswers) -> float:
    text = _text(reading, answers)
    number = re.match(r"[0-9]{1,15}(\.[0-9]{1,9})?(?![0-9.])", text)
    if number is None:
        raise Nonsense(f"'{text}' begins with no number")
    return float(number[0])


def _offset(reading: SnmpReading, answers: _SnmpAnswers) -> float:
    value = _had(answers.objects.get(reading.oid))
    if not isinstance(value, bytes):
        raise Nonsense("not a DateAndTime")
    return (date_and_time(value, answers.now.tzinfo or UTC) - answers.now).total_seconds()


def _of_column(reduce: Callable[[list[float]], float]) -> "_Compute":
    def compute(reading: SnmpReading, answers: _SnmpAnswers) -> float:
        values = answers.columns.get(reading.oid, {}).values()
        numbers = [_mapped(value, reading.map) for value in values if value not in reading.unknown]
        if values and not numbers:
            raise Unknown("the device does not know")
        if not numbers:
            raise Missing("no rows")
        return reduce(numbers)

    return compute


def _worst_free(reading: SnmpReading, answers: _SnmpAnswers) -> float:
    shares = []
    column = answers.columns.get(reading.free_oid or reading.used_oid or "", {})
    for index, size in _storage_rows(reading, answers.columns):
        share = _number(_had(column.get(index))) / size
        shares.append(share if reading.free_oid else max(0.0, 1 - share))
    if not shares:
        raise Missing("no disk among its rows")
    return min(shares)


def _total_bytes(reading: SnmpReading, answers: _SnmpAnswers) -> float:
    units = answers.columns.get(reading.unit_oid or "", {})
    sizes = [size * _number(units.get(index, 1)) for index, size in _storage_rows(reading, answers.columns)]
    if not sizes:
        raise Missing("no disk among its rows")
    return sum(sizes)


def _storage_rows(reading: SnmpReading, columns: Columns) -> list[tuple[str, float]]:
    """Rows of the wanted type with a size, by index. Sizes beyond 2^31 come as negative numbers from some agents (Integer32)."""
    types = columns.get(reading.type_oid or "", {})
    units = columns.get(reading.unit_oid or "", {})
    left_out = _no_storage(reading, columns)
    rows = []
    for index, raw in columns.get(reading.size_oid or "", {}).items():
        if index in left_out or (reading.only is not None and types.get(index) != reading.only):
            continue
        size = _number(raw)
        size += 2**32 if size < 0 else 0
        if size > 0 and size * _number(units.get(index, 1)) >= reading.minimum_bytes:
            rows.append((index, size))
    return rows


def _no_storage(reading: SnmpReading, columns: Columns) -> set[str]:
    """Rows that are mounted read-only, or where nothing is kept."""
    storage = columns.get(reading.row_oid or "", {})
    access = columns.get(reading.access_oid or "", {})
    indexes = {str(storage[index]) for index, value in access.items() if value == READ_ONLY and index in storage}
    for index, name in columns.get(reading.name_oid or "", {}).items():
        if isinstance(name, bytes) and _NO_STORAGE.fullmatch(name.decode("utf-8", "replace")):
            indexes.add(index)
    return indexes


_Compute = Callable[[SnmpReading, _SnmpAnswers], float | str]
_COMPUTE: dict[str, _Compute] = {
    "value": _value,
    "text": _text,
    "leading_number": _leading_number,
    "date_and_time": _offset,
    "mean": _of_column(lambda numbers: sum(numbers) / len(numbers)),
    "sum": _of_column(sum),
    "max": _of_column(max),
    "worst_free_ratio": _worst_free,
    "sum_bytes": _total_bytes,
}
_RATIOS = frozenset({"storage_free_ratio", "load_ratio", "battery_charge_ratio"})
_BOUNDS = {
    "temperature_celsius": (-60.0, 150.0),
    "uptime_seconds": (0.0, 1e10),
    "storage_total_bytes": (0.0, 1e18),
    "clock_offset_seconds": (-4e9, 4e9),
    "recording": (0.0, 1.0),
    "on_battery": (0.0, 1.0),
}


def _sane(reading: str, value: float) -> float:
    """A figure that can be this reading. Raises Nonsense."""
    low, high = (0.0, 1.0) if reading in _RATIOS else _BOUNDS.get(reading, (-1e18, 1e18))
    if not isfinite(value) or not low <= value <= high:
        raise Nonsense(f"{value:g} is no {reading}")
    return value


def _had(value: Value | None) -> Value:
    if value is None:
        raise Missing("the device has no such object")
    return value


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Nonsense("not a number")
    try:
        return float(value)
    except OverflowError:  # whole numbers have no bound in BER and in JSON
        raise Nonsense("a number beyond all bounds") from None


def _mapped(value: Any, states: tuple[tuple[str, float], ...]) -> float:
    """A state by its number in the profile, or the number itself."""
    if not states:
        return _number(value)
    name = (
        value.decode("utf-8", "replace")
        if isinstance(value, bytes)
        else str(value).lower()
        if isinstance(value, bool)
        else str(value)
    )
    codes = dict(states)
    if name not in codes:
        raise Nonsense(f"'{_printable(name)}' is none of {', '.join(codes)}")
    return codes[name]


def _at(body: Any, path: str) -> Any:
    here = body
    for part in path.split("."):
        if isinstance(here, dict) and part in here:
            here = here[part]
            continue
        position = ascii_integer(part, MAX_PLACE)
        if not isinstance(here, list) or position is None or position >= len(here):
            raise Nonsense("not in the answer")
        here = here[position]
    return here


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text[: 2 * MAX_TEXT]).strip()[:MAX_TEXT]
