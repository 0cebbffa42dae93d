"""One key, one sentence: words of the pages that stand in two tables would hide each other."""

import ast
import inspect

from campus_collector.http.pages import words
from campus_collector.http.pages.school_words import SCHOOL_WORDS


def test_no_key_stands_twice() -> None:
    table = next(
        node.value
        for node in ast.walk(ast.parse(inspect.getsource(words)))
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "WORDS"
    )
    assert isinstance(table, ast.Dict)
    keys = [key.value for key in table.keys if isinstance(key, ast.Constant)]
    assert [key for key in keys if keys.count(key) > 1 or key in SCHOOL_WORDS] == []
    assert len(words.WORDS) == len(keys) + len(SCHOOL_WORDS)
