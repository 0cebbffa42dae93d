"""Tables that are read into structs: each kind of value, defaults that depend on others, mistakes with their places."""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest

from campus_base.messages import bilingual
from campus_base.settings import Mistake, Table
from campus_base.typed_tables import Bounds, By, Default, Given, Key, OneOf, Pattern, read_table


def _read_upper(table: Table, key: str, default: Any) -> str:
    return str(table.string(key, default)).upper()


class Room(msgspec.Struct, frozen=True):
    """A row."""

    id: Annotated[str, Pattern("[a-z]+", bilingual("small letters", "小写字母"))]
    port: Annotated[int, Bounds(1, 99), Default(lambda values: 10 if values["engine"] == "a" else 20)]
    engine: Annotated[str, OneOf(("a", "b"))] = "a"

    def check(self, table: Table) -> None:
        """A rule between two fields."""
        if self.id == "b" and self.engine == "a":
            table.wrong("engine", bilingual("is not for b", "不适用于 b"))


class SchoolTable(msgspec.Struct, frozen=True):
    """The top."""

    name: Annotated[str, Key("school.name"), By(_read_upper), Default("x")]
    plan: Annotated[Path | None, Key("school.plan")] = None
    share: Annotated[float, Bounds(0, 1)] = 0.5
    open: bool = False
    days: Annotated[tuple[int, ...], Bounds(1, 7)] = ()
    rooms: Annotated[tuple[Room, ...], Key("room")] = ()
    hall: Annotated[Room | None, Given({"id": "hall"})] = None


def read(values: dict[str, Any]) -> tuple[SchoolTable, list[Mistake]]:
    mistakes: list[Mistake] = []
    return read_table(SchoolTable, Table(values, "", mistakes, Path("/etc/school"))), mistakes


def test_every_kind_of_value() -> None:
    values = {
        "school": {"name": "n", "plan": "p.txt"},
        "share": 1,
        "open": True,
        "days": [1, 7],
        "room": [{"id": "c"}, {"id": "d", "engine": "b"}, {"id": "e", "port": 5}],
        "hall": {"engine": "b"},
    }
    school, mistakes = read(values)
    assert mistakes == []
    rooms = (Room("c", 10, "a"), Room("d", 20, "b"), Room("e", 5, "a"))
    assert school == SchoolTable("N", Path("/etc/school/p.txt"), 1, True, (1, 7), rooms, Room("hall", 20, "b"))


def test_nothing_is_given() -> None:
    assert read({}) == (SchoolTable("X"), [])


@pytest.mark.parametrize(
    ("values", "places"),
    [
        ({"share": 2}, ["share"]),
        ({"share": "much", "open": 1}, ["share", "open"]),
        ({"room": [{"id": "C"}]}, ["room[0].id"]),
        ({"room": [{"port": 0}]}, ["room[0].id", "room[0].port"]),
        ({"room": [{"id": "b"}]}, ["room[0].engine"]),
        ({"hall": {"id": "c"}}, ["hall.id"]),
        ({"school": {"nmae": "n"}}, ["school.nmae"]),
        ({"school": 5, "days": [8]}, ["school", "days"]),
        ({"hous": {}}, ["hous"]),
    ],
)
def test_all_mistakes_are_noted_with_their_places(values: dict[str, Any], places: list[str]) -> None:
    assert [mistake.path for mistake in read(values)[1]] == places
