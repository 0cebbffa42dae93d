"""No pattern of either side takes a newline at its end: `$` does, and so does a search without anchors."""

import importlib
import pkgutil
import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

import campus_agent
import campus_base
import campus_collector
import campus_wire

ROOT = Path(__file__).parents[2]
SOURCES = [path for side in ("agent", "collector") for path in (ROOT / side).rglob("*.py") if path.name != "openapi.py"]
"""The OpenAPI document speaks the patterns of JSON Schema, where `$` is the very end."""


def metas(kind: object, seen: set[object]) -> Iterator[str]:
    """Every pattern that msgspec checks within a type."""
    if id(kind) in seen:
        return
    seen.add(id(kind))
    if isinstance(kind, msgspec.inspect.StrType) and kind.pattern is not None:
        yield kind.pattern
    for name in ("types", "fields", "type", "key_type", "value_type", "item_type", "item_types"):
        inner = getattr(kind, name, None)
        for each in inner if isinstance(inner, tuple) else (inner,):
            if each is not None:
                yield from metas(each, seen)


def structs() -> Iterator[type]:
    for package in (campus_wire, campus_base, campus_agent, campus_collector):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__"):
                continue
            for value in vars(importlib.import_module(module.name)).values():
                if isinstance(value, type) and issubclass(value, msgspec.Struct) and value is not msgspec.Struct:
                    yield value


def test_msgspec_searches_so_that_every_pattern_is_anchored() -> None:
    found = set()
    for struct in structs():
        try:
            info = msgspec.inspect.type_info(struct)
        except (TypeError, NameError):  # a type only mypy knows
            continue
        found |= set(metas(info, set()))
    assert found, "there are patterns"
    for pattern in found:
        assert pattern.startswith("^"), pattern
        assert pattern.endswith(r"\Z"), pattern


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_pattern_ends_in_a_dollar(path: Path) -> None:
    for literal in re.findall(r"""r[f]?("[^"\n]*\$"|'[^'\n]*\$')""", path.read_text(encoding="utf-8")):
        assert literal.endswith(('\\$"', "\\$'")), literal
