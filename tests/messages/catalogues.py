"""The catalogues of messages: extracted from the sources by Babel, kept as .po, compiled to .mo.

`python -m tests.messages` brings them up to date: new messages are added without a translation, unused ones are dropped. Then write the
missing Chinese into the .po files and run it again.
"""

import ast
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ROOT = Path(__file__).parents[2]
PACKAGES = {
    "campus_base": ROOT / "agent/campus_base",
    "campus_agent": ROOT / "agent/campus_agent",
    "campus_collector": ROOT / "collector/campus_collector",
}
KEYWORDS = {"message": None, "pmessage": ((1, "c"), 2)}
Found = tuple[int, str, str | tuple[str, ...], list[str]]
_CHANGING = re.compile(
    r'^"(POT-Creation-Date|PO-Revision-Date|Generated-By|Report-Msgid-Bugs-To|Last-Translator|Language-Team|Project-Id-Version)'
    r".*\n|^# .*\n|^#\n(?=#, fuzzy)|^#, fuzzy\n(?=msgid \"\")",
    re.MULTILINE,
)


def po_file(package: str) -> Path:
    """Where a package keeps its Chinese."""
    return PACKAGES[package] / "locale/zh/LC_MESSAGES" / f"{package}.po"


def mo_file(package: str) -> Path:
    """The compiled form, which the programs read."""
    return po_file(package).with_suffix(".mo")


def literal_calls(file: Any, keywords: Any, comment_tags: object, options: object) -> Iterator[Found]:
    """Babel's extraction method: the calls of `message` and `pmessage` with literals. Not its own for Python, which reads tokens and takes a
    variable `message` for the function."""
    for node in ast.walk(ast.parse(file.read())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in keywords:
            texts = [
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            ]
            if texts:
                yield node.lineno, node.func.id, texts[0] if len(texts) == 1 else tuple(texts), []


def extracted(package: str) -> Catalog:
    """What the sources of a package say, without translations."""
    catalogue = Catalog("zh", fuzzy=False)
    folder = PACKAGES[package]
    for file, _, template, _, context in extract_from_dir(
        folder, [("**.py", "tests.messages.catalogues:literal_calls")], keywords=KEYWORDS
    ):
        catalogue.add(template, locations=[(f"{package}/{file}", 0)], context=context)
    return catalogue


def kept(package: str) -> Catalog:
    """What the .po file holds."""
    if not po_file(package).exists():
        return Catalog("zh")
    with po_file(package).open("rb") as stream:
        return read_po(stream, "zh")


def update(package: str) -> int:
    """Write the .po and .mo files anew; how many messages lack their Chinese?"""
    old, new = kept(package), extracted(package)
    for entry in new:
        known = old.get(entry.id, entry.context) if entry.id else None
        if known is not None:
            entry.string = known.string
    file = po_file(package)
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as stream:
        write_po(stream, new, width=0, sort_by_file=True, include_lineno=False)
    file.write_text(_CHANGING.sub("", file.read_text(encoding="utf-8")), encoding="utf-8")
    compiled = kept(package)
    compiled.creation_date = compiled.revision_date = datetime(
        2026, 1, 1, tzinfo=UTC
    )  # the same messages give the same bytes
    with mo_file(package).open("wb") as stream:
        write_mo(stream, compiled)
    return sum(1 for entry in new if entry.id and not entry.string)
