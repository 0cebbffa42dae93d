"""Grafana's own types accept every dashboard (`tsc --strict` with @grafana/schema), and would not accept a wrong one."""

import json
import os
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


@pytest.fixture(scope="module")
def compiler(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the compiler and the types, by the lock file."""
    folder = tmp_path_factory.mktemp("types") / "types"
    shutil.copytree(TYPES, folder)
    subprocess.run(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund"], cwd=folder, check=True, timeout=300)
    return folder


def complaints(folder: Path, boards: dict[str, str]) -> str:
    """What the compiler says of some dashboards, each written as a literal."""
    for old in folder.glob("board-*.ts"):
        old.unlink()
    for name, text in boards.items():
        literal = f"import type {{ Board }} from './shape.js';\nexport const board: Board = {text};\n"
        (folder / f"board-{name}.ts").write_text(literal, encoding="utf-8")
    command = [str(folder / "node_modules" / ".bin" / "tsc"), "-p", "."]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=120).stdout


def test_every_dashboard_is_of_grafanas_types(compiler: Path) -> None:
    assert len(BOARDS) == 12
    texts = {f"{one.parent.name}-{one.stem}": one.read_text(encoding="utf-8") for one in BOARDS}
    assert complaints(compiler, texts) == ""


@pytest.mark.parametrize(
    ("where", "key", "value"),
    [
        (("panels", 0), "type", "statt"),
        (("panels", 0, "options"), "colourMode", "value"),
        (("panels", 0, "fieldConfig", "defaults"), "unit", 5),
        (("panels", 0, "targets", 0), "query", "up"),
        (("templating", "list", 0), "hide", 9),
        ((), "refreshh", "1m"),
    ],
)
def test_a_mistake_is_found(compiler: Path, where: tuple[str | int, ...], key: str, value: object) -> None:
    board = json.loads((ROOT / "dashboards" / "zh" / "county.json").read_text(encoding="utf-8"))
    place = board
    for step in where:
        place = place[step]
    place[key] = value
    assert "error TS" in complaints(compiler, {"wrong": json.dumps(board)})


def test_the_lock_file_names_no_registry() -> None:
    text = (TYPES / "package-lock.json").read_text(encoding="utf-8")
    assert "resolved" not in text
    assert "http" not in text
