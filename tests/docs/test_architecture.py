"""The architecture page is true: the picture shows the imports, every folder has its line, every path exists."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/pages/en/architecture.md"


def drawing() -> ModuleType:
    spec = importlib.util.spec_from_file_location("architecture_picture", ROOT / "docs/architecture_picture.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_picture_shows_the_imports() -> None:
    module = drawing()
    assert module.PICTURE.read_text(encoding="utf-8") == module.picture(), "run `python docs/architecture_picture.py`"
    ElementTree.fromstring(module.picture())


def test_every_folder_has_its_line() -> None:
    module, text = drawing(), PAGE.read_text(encoding="utf-8")
    assert text == module.with_folders(text), "run `python docs/architecture_picture.py`"
    empty = re.findall(r"^\| `([^`]+)` \|  \|$", text, re.MULTILINE)
    assert empty == [], "an __init__ without a docstring"


def test_every_step_is_a_folder() -> None:
    module = drawing()
    for part in module.STEPS:
        package, _, folder = part.partition(".")
        assert folder in module.parts_of(package), part


def test_steps_of_the_picture_are_those_of_the_page() -> None:
    module, text = drawing(), PAGE.read_text(encoding="utf-8")
    steps = re.findall(r"^ ?(\d+)\. \*\*[^*]+\*\* \(([^)]+)\)", text, re.MULTILINE)
    assert [number for number, _ in steps] == [str(number) for number in range(1, 14)]
    for part, numbers in module.STEPS.items():
        folder = part.replace(".", "/")
        for number in numbers.split(", "):
            assert folder in dict(steps)[number], part


def test_every_path_on_the_page_exists() -> None:
    text = PAGE.read_text(encoding="utf-8")
    paths = [path for path in re.findall(r"`([a-z][\w./-]*)`", text) if "/" in path]
    assert len(paths) > 30
    assert [path for path in paths if not (ROOT / path).exists()] == []
