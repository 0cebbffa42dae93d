"""What would an import change? Added, changed, removed, row by row. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from campus_collector.inventory.headings import SHEETS
from campus_collector.inventory.model import Inventory
from campus_wire.language import Language, Text

What = Literal["added", "changed", "removed"]
WHAT_WORDS: dict[What, Text] = {
    "added": Text("added", "新增"),
    "changed": Text("changed", "修改"),
    "removed": Text("removed", "移除"),
}
REMOVED_SHARE = 0.2
REMOVED_ROWS = 20
"""Removing more than this share and more than so many rows of a sheet must be meant."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row; `fields` are (name, before, after) of a changed one."""

    sheet: str
    what: What
    key: str
    name: str
    fields: tuple[tuple[str, str, str], ...] = ()


def changes(before: Inventory, after: Inventory) -> list[RowChange]:
    """In the order of the sheets; `after` is whole (see `Inventory.over`)."""
    found: list[RowChange] = []
    for sheet in SHEETS:
        old = {_key(one): one for one in getattr(before, sheet.name) or ()}
        new = {_key(one): one for one in getattr(after, sheet.name) or ()}
        found += [RowChange(sheet.name, "added", key, _name(new[key])) for key in new if key not in old]
        for key in new:
            if key in old and new[key] != old[key]:
                found.append(RowChange(sheet.name, "changed", key, _name(new[key]), _differences(old[key], new[key])))
        found += [RowChange(sheet.name, "removed", key, _name(old[key])) for key in old if key not in new]
    return found


def removes_much(before: Inventory, made: Sequence[RowChange]) -> list[tuple[str, int, int]]:
    """(sheet, removed, of so many) where an import would remove so much that it looks like a mistake."""
    found = []
    for sheet in SHEETS:
        had = len(getattr(before, sheet.name) or ())
        gone = sum(one.sheet == sheet.name and one.what == "removed" for one in made)
        if gone > REMOVED_ROWS and gone > REMOVED_SHARE * had:
            found.append((sheet.name, gone, had))
    return found


def counted(made: Sequence[RowChange]) -> dict[str, dict[str, int]]:
    """How many rows of each sheet are added, changed, removed."""
    return {
        sheet.name: {what: sum(one.sheet == sheet.name and one.what == what for one in made) for what in WHAT_WORDS}
        for sheet in SHEETS
    }


def as_lines(made: Sequence[RowChange], language: Language, most: int = 200) -> list[str]:
    """For a person: counts of each sheet, then row by row."""
    if not made:
        return [Text("No change.", "没有变化。").in_(language)]
    lines = []
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    comma = Text(", ", "，").in_(language)
    for name, counts in counted(made).items():
        said = [f"{WHAT_WORDS[what].in_(language)} {counts[what]}" for what in WHAT_WORDS if counts[what]]
        if said:
            lines.append(
                f"{words[name]}: {comma.join(said)}" if language == "en" else f"{words[name]}：{comma.join(said)}"
            )
    marks = {"added": "+", "changed": "~", "removed": "-"}
    for one in made[:most]:
        fields = "; ".join(f"{name}: {old or '—'} → {new or '—'}" for name, old, new in one.fields)
        lines.append(
            f"  {marks[one.what]} {words[one.sheet]} {one.key} {one.name}" + (f"  ({fields})" if fields else "")
        )
    if len(made) > most:
        lines.append(Text("  … and {more} more", "  ……另有 {more} 行").in_(language, more=len(made) - most))
    return lines


def _key(row: Any) -> str:
    """What names a row in its sheet; a platform may stand for several towns."""
    if hasattr(row, "url"):
        return f"{row.id}@{row.town}" if row.town else str(row.id)
    if not hasattr(row, "id"):  # a timetable: of a school, or of all
        return row.school or "*"
    return f"{row.school}/{row.id}" if hasattr(row, "school") else str(row.id)


def _name(row: Any) -> str:
    return getattr(row, "name", "")


def _differences(old: Any, new: Any) -> tuple[tuple[str, str, str], ...]:
    before, after = msgspec.structs.asdict(old), msgspec.structs.asdict(new)
    return tuple((name, _shown(before[name]), _shown(after[name])) for name in after if before[name] != after[name])


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return "" if value is None else str(value)
