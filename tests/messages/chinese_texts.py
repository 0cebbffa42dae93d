"""Every Chinese text that people read: catalogues, manual, README, dashboards, alerts, samples, headings of sheets."""

import ast
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.pofile import read_po

from tests.messages.catalogues import ROOT

CATALOGUES = sorted(ROOT.glob("*/*/locale/zh/LC_MESSAGES/*.po"))
HEADINGS = ROOT / "collector/campus_collector/inventory/headings.py"
CHINESE = re.compile("[\u4e00-\u9fff]")
PLAIN = (
    "README.zh-CN.md",
    "docs/pages/*.md",
    "docs/*.toml",
    "docs/*.py",
    "docs/*.yml",
    "docs/theme/*",
    "deploy/**/*",
    "collector/policy.toml",
    "collector/campus_collector/http/pages/templates/*",
    "collector/campus_collector/report/templates/*",
    "agent/campus_agent/measure/equipment/profiles/*.toml",
    "dashboards/build.py",
)
"""Files whose lines with Chinese letters are looked at."""


def chinese_texts() -> Iterator[tuple[str, str]]:
    """The file's name and a text of it."""
    for path in CATALOGUES:
        yield from ((path.name, str(entry.string)) for entry in catalogue(path) if entry.id)
    for path in sorted((ROOT / "dashboards/zh").glob("*.json")):
        yield from ((path.name, text) for text in _strings(json.loads(path.read_text(encoding="utf-8"))))
    for pattern in PLAIN:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
                yield from ((path.name, line) for line in lines if CHINESE.search(line))
    yield from _headings()


def _headings() -> Iterator[tuple[str, str]]:
    """The headings that are written; those that are read as well (`alike`) keep older words."""
    tree = ast.parse(HEADINGS.read_text(encoding="utf-8"))
    older = {
        id(inside)
        for node in ast.walk(tree)
        if isinstance(node, ast.keyword) and node.arg == "alike"
        for inside in ast.walk(node)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in older:
            yield HEADINGS.name, node.value


@cache
def catalogue(path: Path) -> Catalog:
    with path.open("rb") as stream:
        return read_po(stream, "zh")


def _strings(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)
