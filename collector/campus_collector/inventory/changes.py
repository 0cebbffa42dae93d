"""What would an import change? Added, changed, removed, row by row. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.terminal import escape_cell
from campus_collector.domain.inventory import Inventory
from campus_collector.inventory.headings import SHEETS

What = Literal["added", "changed", "removed"]
WHAT_WORDS: dict[What, Message] = {
    "added": message("added"),
    "changed": message("changed"),
    "removed": message("removed"),
}
MAX_LINES = 200
"""Rows that a preview shows one by one, and exemptions of each kind."""


@dataclass(frozen=True, slots=True)
class RowChange:
    """One row; `fields` are (name, before, after) of a changed one, `exempt` the reasons why it is not judged, before and after ("": judged)."""

    sheet: str
    what: What
    key: str
    name: str
    fields: tuple[tuple[str, str, str], ...] = ()
    exempt: tuple[str, str] = ("", "")


def changes(before: Inventory, after: Inventory) -> list[RowChange]:
    """In the order of the sheets; `after` is whole (see `Inventory.over`)."""
    row_changes: list[RowChange] = []
    for sheet in SHEETS:
        old = {_key(row): row for row in getattr(before, sheet.name) or ()}
        new = {_key(row): row for row in getattr(after, sheet.name) or ()}
        row_changes += [
            RowChange(sheet.name, "added", key, _name(new[key]), exempt=("", _exempt(new[key])))
            for key in new
            if key not in old
        ]
        for key in new:
            if key in old and new[key] != old[key]:
                reasons = (_exempt(old[key]), _exempt(new[key]))
                fields = _differences(old[key], new[key])
                row_changes.append(RowChange(sheet.name, "changed", key, _name(new[key]), fields, reasons))
        row_changes += [
            RowChange(sheet.name, "removed", key, _name(old[key]), exempt=(_exempt(old[key]), ""))
            for key in old
            if key not in new
        ]
    return row_changes


def removals(before: Inventory, row_changes: Sequence[RowChange]) -> list[tuple[str, int, int]]:
    """(sheet, removed, of so many) for each sheet that would lose rows: what must be confirmed."""
    removed = []
    for sheet in SHEETS:
        gone = sum(change.sheet == sheet.name and change.what == "removed" for change in row_changes)
        if gone:
            removed.append((sheet.name, gone, len(getattr(before, sheet.name) or ())))
    return removed


def exemptions(row_changes: Sequence[RowChange]) -> tuple[list[RowChange], list[RowChange]]:
    """What would no longer be judged, or for another reason; and what would be judged again, or is gone with its exemption."""
    begin = [change for change in row_changes if change.exempt[1] and change.exempt[0] != change.exempt[1]]
    end = [change for change in row_changes if change.exempt[0] and not change.exempt[1]]
    return begin, end


def counted(row_changes: Sequence[RowChange]) -> dict[str, dict[str, int]]:
    """How many rows of each sheet are added, changed, removed."""
    return {
        sheet.name: {
            what: sum(change.sheet == sheet.name and change.what == what for change in row_changes)
            for what in WHAT_WORDS
        }
        for sheet in SHEETS
    }


def as_lines(row_changes: Sequence[RowChange], language: Language, most: int = MAX_LINES) -> list[str]:
    """For a person: counts of each sheet, what would not be judged any more or again, then row by row."""
    if not row_changes:
        return [message("No change.").in_(language)]
    lines = []
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    comma = pmessage("clauses", ", ").in_(language)
    for name, counts in counted(row_changes).items():
        counted_words = [f"{WHAT_WORDS[what].in_(language)} {counts[what]}" for what in WHAT_WORDS if counts[what]]
        if counted_words:
            lines.append(
                message("{words}: {counted_words}", words=words[name], counted_words=comma.join(counted_words)).in_(
                    language
                )
            )
    lines += _exemption_lines(row_changes, language, most)
    marks = {"added": "+", "changed": "~", "removed": "-"}
    for change in row_changes[:most]:
        fields = "; ".join(f"{name}: {old or '—'} → {new or '—'}" for name, old, new in change.fields)
        lines.append(
            f"  {marks[change.what]} {words[change.sheet]} {change.key} {change.name}"
            + (f"  ({fields})" if fields else "")
        )
    return [escape_cell(line) for line in lines] + _more(len(row_changes) - most, language)


def _exemption_lines(row_changes: Sequence[RowChange], language: Language, most: int) -> list[str]:
    begin, end = exemptions(row_changes)
    lines = []
    for rows, words in (
        (begin, message("Exempt, not judged from then on: {count}")),
        (end, message("No longer exempt: {count}")),
    ):
        if rows:
            lines.append(words.in_(language, count=len(rows)))
            lines += [f"  ! {row.key} {row.name}: {row.exempt[1] or row.exempt[0]}" for row in rows[:most]]
            lines += _more(len(rows) - most, language)
    return lines


def _more(left: int, language: Language) -> list[str]:
    return [message("  … and {more} more").in_(language, more=left)] if left > 0 else []


def _key(row: Any) -> str:
    """What names a row in its sheet; a platform may stand for several towns."""
    if hasattr(row, "url"):
        return f"{row.id}@{row.town}" if row.town else str(row.id)
    if not hasattr(row, "id"):  # a timetable: of a school, or of all
        return row.school or "*"
    return f"{row.school}/{row.id}" if hasattr(row, "school") else str(row.id)


def _exempt(row: Any) -> str:
    return str(getattr(row, "exempt_reason", ""))


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
