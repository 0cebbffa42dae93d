"""The SQL of the tables runs on PostgreSQL too: nothing in it that only SQLite knows, and no module but SQLite's own that imports it."""

import ast
import re
from importlib.resources import files
from pathlib import Path

import pytest

STORE = Path(str(files("campus_collector.store")))
OF_SQLITE = {"sqlite.py", "files.py", "backup.py"}
MODULES = sorted(path for path in STORE.rglob("*.py") if path.name not in OF_SQLITE)
ONLY_SQLITE = {
    "positional parameters": r"\?\d?(?=[\s,)]|$)",
    "INSERT OR": r"\bINSERT OR\b",
    "an upsert without its columns": r"ON CONFLICT DO UPDATE",
    "temporary tables": r"\bTEMP(ORARY)?\b|\btemp\.",
    "functions": r"\b(iif|ifnull|json_each|json_extract|last_insert_rowid|randomblob|typeof|glob)\s*\(",
    "max or min of two values": r"\b(max|min)\s*\([^()]*,",
    "schema": r"\bsqlite_master\b|\browid\b|\bPRAGMA\b|\bWITHOUT ROWID\b|\bIS NOT excluded\b",
}
STATEMENT = re.compile(r"\b(SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM)\b")


def statements(module: Path) -> list[str]:
    """Every text of a module in which SQL stands; what is put into it stands as {}."""
    texts = []
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.JoinedStr):
            parts = [str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values]
            texts.append("".join(parts))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            texts.append(node.value)
    return [text for text in texts if STATEMENT.search(text)]


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(STORE)))
def test_no_statement_is_sqlite_only(module: Path) -> None:
    actual = [
        (what, statement)
        for statement in statements(module)
        for what, pattern in ONLY_SQLITE.items()
        if re.search(pattern, statement)
    ]
    assert actual == []


def test_the_patterns_are_found() -> None:
    examples = (
        "SELECT a FROM t WHERE b = ?1",
        "INSERT OR IGNORE INTO t VALUES (1)",
        "INSERT INTO t VALUES (1) ON CONFLICT DO UPDATE SET a = 1",
        "UPDATE t SET a = max(a, 2)",
        "SELECT iif(a, b, c)",
    )
    assert all(any(re.search(pattern, text) for pattern in ONLY_SQLITE.values()) for text in examples)
    assert sum(len(statements(module)) for module in MODULES) > 60
