"""The SQL of the tables runs on both databases: nothing in it that only SQLite knows, and PostgreSQL understands every statement."""

import ast
import re
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from pathlib import Path

import psycopg
import pytest

from tests.postgres_server import shared_server

STORE = Path(str(files("campus_collector.store")))
OF_A_DATABASE = {"sqlite.py", "files.py", "backup.py", "postgres.py"}
MODULES = sorted(
    path for path in STORE.rglob("*.py") if path.name not in OF_A_DATABASE and path.parent.name != "archive"
)
"""All but what asks DuckDB about files."""
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


BEGINS = re.compile(r"(SELECT|INSERT INTO|UPDATE (?!SET\b)|DELETE FROM|WITH)\b")
PARAMETER = re.compile(r"'(?:[^']|'')*'|(?<!:):([a-z_]\w*)")
NOT_WHOLE = 28
"""So many statements have a part that only their function knows; the suite runs them on both databases (`--store postgres`)."""


def whole_statements(module: Path) -> Iterator[str | None]:
    """The statements of a module as they are sent; None for one that cannot be put together without its function."""
    name = "campus_collector.store." + ".".join(module.relative_to(STORE).with_suffix("").parts)
    names = vars(import_module(name.removesuffix(".__init__")))
    inner: set[ast.AST] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if node in inner or not isinstance(node, ast.BinOp | ast.JoinedStr | ast.Constant):
            continue
        inner.update(ast.walk(node))
        if not any(isinstance(part, ast.Constant) and BEGINS.match(str(part.value)) for part in ast.walk(node)):
            continue
        try:
            text = eval(compile(ast.Expression(node), str(module), "eval"), names)
        except NameError:
            yield None
            continue
        # the beginning of other statements ends with a blank
        if isinstance(text, str) and BEGINS.match(text) and text == text.rstrip():
            yield text


def numbered(statement: str) -> str:
    """With PostgreSQL's own parameters."""
    seen: list[str] = []

    def replaced(match: re.Match[str]) -> str:
        if match[1] is None:
            return match[0]
        if match[1] not in seen:
            seen.append(match[1])
        return f"${seen.index(match[1]) + 1}"

    return PARAMETER.sub(replaced, statement)


def test_postgresql_understands_every_statement() -> None:
    prepared, not_whole = 0, 0
    with psycopg.connect(shared_server().new_database(), autocommit=True) as connection:
        for module in MODULES:
            for statement in whole_statements(module):
                if statement is None:
                    not_whole += 1
                    continue
                try:
                    connection.execute(f"PREPARE statement AS {numbered(statement)}".encode())
                except psycopg.Error as error:
                    pytest.fail(f"{module.name}: {statement}: {error}")
                connection.execute("DEALLOCATE statement")
                prepared += 1
    assert prepared > 60
    assert not_whole <= NOT_WHOLE
