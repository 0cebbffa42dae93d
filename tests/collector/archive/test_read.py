"""Reading an archive's file: in its order, whatever is asked of it."""

from pathlib import Path

import duckdb
import pytest

from campus_collector.rejudge import part
from campus_collector.store.archive.format import NO_TOWN
from campus_collector.store.archive.read import ArchivedMonth


@pytest.mark.parametrize("condition", ["", "kind IN ('throughput', 'service')", part._JUDGED])
def test_rows_come_in_the_order_of_the_file(condition: str, tmp_path: Path) -> None:
    """Of its first 2048 rows, which DuckDB reads at once, a condition takes a few: they are not held back until the end."""
    folder = tmp_path / "month=2026-10"
    file = ArchivedMonth(folder).file_of("")
    assert NO_TOWN in str(file)
    file.parent.mkdir(parents=True)
    duckdb.sql(
        "COPY (SELECT i AS sequence, CASE WHEN i BETWEEN 2030 AND 9000 THEN 'throughput' ELSE 'host' END AS kind, '' AS subject"
        f" FROM range(20000) numbers(i)) TO '{file}' (FORMAT parquet, ROW_GROUP_SIZE 4096)"
    )
    places = [place for (place,) in ArchivedMonth(folder).rows("", "sequence", condition)]
    assert places == (list(range(2030, 9001)) if condition else list(range(20000)))
