"""Grafana's own types accept every dashboard (`tsc --strict` with @grafana/schema), and would not accept a wrong one."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TYPES = Path(__file__).parent / "types"
BOARDS = sorted((ROOT / "dashboards").glob("*/*.json"))
pytestmark = pytest.mark.skipif(
    shutil.which("npm") is None and not os.environ.get("CI"), reason="NO NPM: install Node.js and npm"
)


Mistake = tuple[tuple[str | int, ...], str, object]
MISTAKES: list[Mistake] = [
    (("panels", 0), "type", "statt"),
    (("panels", 0, "options"), "colourMode", "value"),
    (("panels", 0, "fieldConfig", "defaults"), "unit", 5),
    (("panels", 0, "targets", 0), "query", "up"),
    (("templating", "list", 0), "hide", 9),
    ((), "refreshh", "1m"),
]


def mistaken(mistake: Mistake) -> str:
    """The county's dashboard with a wrong value at one place."""
    where, key, value = mistake
    board = json.loads((ROOT / "dashboards" / "zh" / "county.json").read_text(encoding="utf-8"))
    place = board
    for step in where:
        place = place[step]
    place[key] = value
    return json.dumps(board)


@pytest.fixture(scope="module")
def complaints(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What the compiler, by the lock file, says of all dashboards and of the mistaken ones, each written as a literal: one run for all."""
    folder = tmp_path_factory.mktemp("types") / "types"
    shutil.copytree(TYPES, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True)
    texts = {f"good-{path.parent.name}-{path.stem}": path.read_text(encoding="utf-8") for path in BOARDS}
    texts |= {f"wrong-{number}": mistaken(mistake) for number, mistake in enumerate(MISTAKES)}
    for name, text in texts.items():
        literal = f"import type {{ Board }} from './shape.js';\nexport const board: Board = {text};\n"
        (folder / f"{name}.ts").write_text(literal, encoding="utf-8")
    command = [str(folder / "node_modules" / ".bin" / "tsc"), "-p", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False).stdout


def test_every_dashboard_is_of_grafanas_types(complaints: str) -> None:
    assert len(BOARDS) == 16
    of_mistakes = re.compile(
        r"^(wrong-\d+\.ts\(|\s)"
    )  # a complaint begins with its file; its further lines are indented
    assert [line for line in complaints.splitlines() if not of_mistakes.match(line)] == []


@pytest.mark.parametrize("number", range(len(MISTAKES)), ids=[key for _, key, _ in MISTAKES])
def test_a_mistake_is_found(complaints: str, number: int) -> None:
    assert re.search(rf"^wrong-{number}\.ts\(.*error TS", complaints, re.MULTILINE)


def test_the_lock_file_names_no_registry() -> None:
    text = (TYPES / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "http" not in text
