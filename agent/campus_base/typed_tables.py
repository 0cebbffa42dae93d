"""Reads a TOML table into a struct whose annotations say what each key may hold: both programs' configurations.

A field is the key of its name, or the one that `Key` names; its default is the key's. `int`, `float`, `bool`, `str`, paths (relative to the
file's folder), lists of them, structs (tables) and tuples of structs (arrays of tables) are read by their type, within the bounds of
the annotation; anything else by the function that `By` gives. A record with a method `check(table)` notes there what is wrong between its fields.
Mistakes are noted in the table and never raised; a record with mistakes holds defaults, empty texts or zeros instead.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, NamedTuple, TypeVar, Union, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from msgspec import NODEFAULT
from msgspec.structs import FieldInfo, fields

from campus_base.messages import Message
from campus_base.settings import REQUIRED, Table

Record = TypeVar("Record")


class Bounds(NamedTuple):
    """The least and the greatest value of a number, or of each number in a list."""

    minimum: float = 0
    maximum: float = 2**63 - 1


class Pattern(NamedTuple):
    """What a text must look like, as a regular expression and in words."""

    expression: str
    hint: Message


class OneOf(NamedTuple):
    """The only texts that are allowed."""

    choices: tuple[str, ...]


class Key(NamedTuple):
    """Where the value is: `key`, or `table.key` with a table beside the others."""

    path: str


class Default(NamedTuple):
    """What stands for an absent or empty value: a value, or a function of the other values of the table, which are read before."""

    value: Any


class Given(NamedTuple):
    """Fields of a record that its table does not hold."""

    values: Mapping[str, Any]


class By(NamedTuple):
    """Reads the value itself: of a table, a key and a default, which may be REQUIRED."""

    read: Callable[[Table, str, Any], Any]


class _Value(msgspec.Struct, frozen=True):
    """What a field's annotation says."""

    name: str
    table: str
    key: str
    kind: Any
    default: Any
    notes: Mapping[type, Any]


def read_table(kind: type[Record], table: Table, given: Mapping[str, Any] | None = None) -> Record:
    """The record that a table holds; keys that no field asks for are mistakes. `given` are fields that are not read."""
    values = dict(given or {})
    fields = [value for value in _values_of(kind) if value.name not in values]  # type: ignore[arg-type]
    for name in dict.fromkeys(value.table for value in fields if value.table):
        inner = table.table(name)
        _read_values([value for value in fields if value.table == name], inner, values)
        inner.done()
    _read_values([value for value in fields if not value.table], table, values)
    record = kind(**values)
    if hasattr(record, "check"):
        record.check(table)
    table.done()
    return record


def read_zone(mistake: Message, table: Table, key: str, default: Any) -> ZoneInfo:
    """A time zone; UTC for an unknown one, whose `name` the mistake's text takes."""
    name = table.string(key, default)
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        table.wrong(key, mistake.with_(name=name))
        return ZoneInfo("UTC")


def _read_values(fields: Sequence[_Value], table: Table, values: dict[str, Any]) -> None:
    """Into `values`; those whose default depends on others come after them."""
    for value in sorted(fields, key=lambda value: callable(value.default)):
        default = value.default(values) if callable(value.default) else value.default
        read = _read(value, table, default)
        values[value.name] = default if Default in value.notes and read in ("", None) else read


def _read(value: _Value, table: Table, default: Any) -> Any:
    kind, notes, key = value.kind, value.notes, value.key
    bounds = notes.get(Bounds, Bounds())
    if By in notes:
        return notes[By].read(table, key, default)
    if _is_record(kind):
        inner = table.table(key)
        present = key in table or default is REQUIRED
        return read_table(kind, inner, notes.get(Given, Given({})).values) if present else default
    if get_origin(kind) is tuple:
        item = get_args(kind)[0]
        if _is_record(item):
            return tuple(read_table(item, inner) for inner in table.tables(key))
        if item is str:
            return table.strings(key)
        return table.integers(key, minimum=bounds.minimum, maximum=bounds.maximum)
    if kind is bool:
        read = table.boolean(key, default)
    elif kind is int:
        read = table.integer(key, default, minimum=bounds.minimum, maximum=bounds.maximum)
    elif kind is float:
        read = table.number(key, default, minimum=bounds.minimum, maximum=bounds.maximum)
    else:
        expression, hint = notes.get(Pattern, (None, None))
        choices = notes.get(OneOf, (None,))[0]
        read = table.string(key, default, pattern=expression, hint=hint, choices=choices)
        if kind is Path:
            return table.folder / read if read else None
    return kind() if read is None and default is REQUIRED else read


def _is_record(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, msgspec.Struct)


@cache
def _values_of(kind: Any) -> list[_Value]:
    hints = get_type_hints(kind, include_extras=True)
    return [_value_of(each, hints[each.name]) for each in fields(kind)]


def _value_of(each: FieldInfo, hint: Any) -> _Value:
    notes: dict[type, Any] = {}
    while get_origin(hint) in (Annotated, Union, UnionType):
        if get_origin(hint) is Annotated:
            notes |= {type(note): note for note in hint.__metadata__}
            hint = hint.__origin__
        else:  # with None
            hint = next(part for part in get_args(hint) if part is not type(None))
    table, _, key = notes.get(Key, Key(each.name)).path.rpartition(".")
    default = each.default if each.default is not NODEFAULT else REQUIRED
    if Default in notes:
        default = notes[Default].value
    elif each.default_factory is not NODEFAULT:
        default = each.default_factory()
    return _Value(each.name, table, key, hint, default, notes)
