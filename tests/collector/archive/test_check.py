"""Whatever was done to the files of an archive is named, with its place."""

import json
import shutil
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb
import msgspec
import pytest

from campus_collector.archive.check import archives_below, verify_archives
from campus_collector.store.archive.format import Manifest, hash_of
from campus_collector.store.archive.read import ArchivedMonth
from campus_collector.store.tables.chain import head_after
from tests.collector.archive.months import NOVEMBER, OCTOBER, close, send_two_months
from tests.collector.world import World


@pytest.fixture
def folder(world: World, tmp_path: Path) -> Path:
    """Two months, which somebody may write to."""
    send_two_months(world)
    close(world, OCTOBER, NOVEMBER)
    for month in (OCTOBER, NOVEMBER):
        world.service.archives.archive(month)
    copy = tmp_path / "copy"
    shutil.copytree(world.service.config.archive_dir, copy)
    for path in copy.rglob("*"):
        path.chmod(0o750)
    return copy


def findings(folder: Path) -> list[str]:
    return [f"{found.place}: {found.words.en}" for found in verify_archives(archives_below(folder)).findings]


def rewrite(file: Path, query: str) -> None:
    """Replace a file by what a query on it gives, as Parquet."""
    other, source = file.with_name("other"), f"read_parquet('{file}', hive_partitioning = false)"
    duckdb.sql(f"COPY ({query.format(source=source)}) TO '{other}' (FORMAT parquet, COMPRESSION zstd)")
    other.replace(file)


def forge(folder: Path, change: Callable[[dict[str, Any]], None], *, sealed: bool = True) -> None:
    """A manifest that fits the files as they are now, with a change; `sealed`: with the hash it should carry."""
    file = folder / "manifest.json"
    manifest = json.loads(file.read_bytes())
    for path in manifest["files"]:
        body = (folder / path).read_bytes()
        manifest["files"][path] |= {"sha256": sha256(body).hexdigest(), "bytes": len(body)}
    change(manifest)
    if sealed:
        manifest["sha256"] = hash_of(msgspec.convert(manifest, Manifest))
    file.write_text(json.dumps(manifest))


def test_two_whole_months(folder: Path) -> None:
    checked = verify_archives(archives_below(folder))
    assert checked.findings == []
    assert (checked.months, checked.results) == (["2026-10", "2026-11"], 38)
    assert findings(folder / "month=2026-10") == []


def test_every_flipped_byte_is_named(folder: Path) -> None:
    """Of a small file every 500th byte: the file is named in any case."""
    file = folder / "month=2026-10/town=t02/results.parquet"
    whole = file.read_bytes()
    for place in range(3, len(whole), 500):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        named = findings(folder / "month=2026-10")
        assert (
            "month=2026-10/town=t02/results.parquet: is not the file that was archived: its SHA-256 is another" in named
        )
        assert all("t01" not in words for words in named)


def test_a_changed_result_is_named_whatever_the_manifest_says(folder: Path) -> None:
    file = folder / "month=2026-10/town=t01/results.parquet"
    rewrite(
        file,
        "SELECT * REPLACE (CASE WHEN sequence = 3 THEN encode(replace(decode(raw), '\"bytes\":1000', '\"bytes\":2000'))"
        " ELSE raw END AS raw) FROM {source}",
    )
    forge(folder / "month=2026-10", lambda manifest: None)
    named, *others = findings(folder)
    assert others == []
    assert "town=t01/results.parquet: s001: result #3 " in named
    assert "its bytes are not those that were archived" in named


def test_a_result_that_was_forged_with_its_hash_breaks_the_chain(folder: Path) -> None:
    file = folder / "month=2026-10/town=t01/results.parquet"
    changed = "encode(replace(decode(raw), '\"bytes\":1000', '\"bytes\":2000'))"
    rewrite(
        file,
        f"SELECT * REPLACE (CASE WHEN sequence = 3 THEN {changed} ELSE raw END AS raw,"
        f" CASE WHEN sequence = 3 THEN unhex(left(sha256({changed}), 16)) ELSE sha256_start END AS sha256_start,"
        " CASE WHEN sequence = 3 THEN 4000 ELSE test_bytes END AS test_bytes) FROM {source}",
    )
    forge(folder / "month=2026-10", lambda manifest: None)
    named = findings(folder)
    assert any("s001: its results from #1 to #28 do not lead to the head" in words for words in named), named


def test_a_removed_result_is_named(folder: Path) -> None:
    rewrite(folder / "month=2026-10/town=t01/results.parquet", "FROM {source} WHERE sequence <> 5")
    forge(folder / "month=2026-10", lambda manifest: None)
    named = findings(folder)
    assert any("s001: result #5 is missing" in words for words in named)
    assert any("22 results, where the manifest has 23" in words for words in named)


def test_a_column_that_does_not_follow_from_its_result_is_named(folder: Path) -> None:
    file = folder / "month=2026-10/town=t01/results.parquet"
    rewrite(file, "SELECT * REPLACE (1e8 AS down_line_rate_bits_per_second) FROM {source}")
    forge(folder / "month=2026-10", lambda manifest: None)
    (named,) = findings(folder)
    assert "its column down_line_rate_bits_per_second does not follow from it" in named


def test_swapped_files_are_named(folder: Path) -> None:
    first, second = (folder / f"month=2026-10/town={town}/results.parquet" for town in ("t01", "t02"))
    body = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(body)
    named = findings(folder)
    assert any("town=t01/results.parquet: holds results of s002" in words for words in named)
    assert any("town=t02/results.parquet: holds results of s001" in words for words in named)


def test_a_file_of_another_month_is_named(folder: Path) -> None:
    shutil.copy(folder / "month=2026-11/town=t01/results.parquet", folder / "month=2026-10/town=t01/results.parquet")
    assert any("is not of this month" in words for words in findings(folder))


def test_a_forged_manifest_is_named(folder: Path) -> None:
    october = folder / "month=2026-10"

    def other_head(manifest: dict[str, Any]) -> None:
        manifest["heads"][0]["head_after"] = "00" * 32

    forge(october, other_head, sealed=False)
    assert any(words.startswith("month=2026-10/manifest.json: does not carry its hash") for words in findings(folder))
    forge(october, other_head)
    assert any("do not lead to the head 000000000000" in words for words in findings(folder))


@pytest.mark.parametrize(
    "change",
    [
        {"month": "2026-13"},
        {"timezone": "Nowhere/At_All"},
        {
            "files": {
                "../../etc/passwd": {"sha256": "", "bytes": 1},
                "town=\0/results.parquet": {"sha256": "", "bytes": 1},
            }
        },
        {"heads": []},
        {"results": 5},
        {"county": "另一个县"},
    ],
)
def test_whatever_a_manifest_says_is_compared(folder: Path, change: dict[str, Any]) -> None:
    file = folder / "month=2026-10" / "manifest.json"
    file.write_text(json.dumps(json.loads(file.read_bytes()) | change))
    assert "month=2026-10/manifest.json: does not carry its hash: it was changed" in findings(folder)


def test_a_month_that_was_forged_as_a_whole_does_not_fit_the_next(folder: Path) -> None:
    """Results, hashes, heads and manifest agree with each other: what came after it, and what the collector recorded, do not."""
    october = folder / "month=2026-10"
    recorded = {"2026-10": ArchivedMonth(october).manifest.sha256}

    rewrite(october / "town=t01/results.parquet", "FROM {source} WHERE sequence > 22")
    archive = ArchivedMonth(october)
    digests = {place: digest for school, place, digest in archive.links() if school == "s001"}
    digests |= {place: sha256(raw).digest() for _, place, raw in archive.results("t01")}
    head = bytes(32)
    for place in range(22, 29):
        head = head_after(head, digests[place])

    def other_heads(manifest: dict[str, Any]) -> None:
        chain = manifest["heads"][0]
        chain |= {"head_before": "00" * 32, "head_after": head.hex(), "first_sequence": 22, "results": 2}
        manifest["results"] -= 21
        manifest["files"]["town=t01/results.parquet"]["results"] -= 21

    forge(october, other_heads)
    assert findings(october) == []
    named = {
        found.words.en.partition(": ")[2] or found.words.en
        for found in verify_archives(archives_below(folder), recorded).findings
    }
    assert named == {
        "is not the one that was recorded when the month was archived",
        "the head at result #21 is not the one of 2026-10: one of the two was replaced",
    }


@pytest.mark.parametrize("name", ["manifest.json", "context.json", "links.csv.gz", "town=t02/results.parquet"])
@pytest.mark.parametrize("what", ["removed", "emptied", "rubbish"])
def test_a_file_that_is_not_there_or_cannot_be_read_is_named(folder: Path, name: str, what: str) -> None:
    file = folder / "month=2026-10" / name
    if what == "removed":
        file.unlink()
    else:
        file.write_bytes(b"" if what == "emptied" else b"\x1f\x8bPAR1\xff{")
    assert any(words.startswith(f"month=2026-10/{name}: ") for words in findings(folder))


def test_a_file_that_is_no_part_of_it_is_named(folder: Path) -> None:
    (folder / "month=2026-10/town=t01/more.parquet").write_bytes(b"")
    assert findings(folder) == ["month=2026-10/town=t01/more.parquet: is no part of the archive"]


def test_a_block_that_stands_twice_and_results_of_the_manifest_are_compared(folder: Path) -> None:
    """The file's hash is forged as well."""
    month = folder / "month=2026-10"
    other, first = month / "town=t02/results.parquet", month / "town=t01/results.parquet"
    columns = "SELECT * EXCLUDE (school), 's009' AS school FROM read_parquet('{other}', hive_partitioning = false)"
    middle = f"SELECT * FROM ({columns.format(other=other)})"
    rewrite(first, f"FROM {{source}} UNION ALL BY NAME {middle} UNION ALL BY NAME FROM {{source}}")
    forge(month, lambda manifest: None)
    named = findings(month)
    assert "month=2026-10/town=t01/results.parquet: s001: stands there twice" in named
    assert "month=2026-10/manifest.json: 56 results, where the manifest has 33" in named


def test_a_file_of_an_older_version_lacks_columns(folder: Path) -> None:
    month = folder / "month=2026-10"
    rewrite(month / "town=t01/results.parquet", "SELECT * EXCLUDE (up, http_status) FROM {source}")
    forge(month, lambda manifest: None)
    assert findings(folder) == []


def test_that_a_month_was_closed_by_another_policy_is_a_note(folder: Path) -> None:
    def another(manifest: dict[str, Any]) -> None:
        assert manifest["closing_policy_version"] == manifest["policy_version"]
        manifest["closing_policy_version"] = "2025-01 older"

    assert verify_archives(archives_below(folder)).notes == {}
    forge(folder / "month=2026-10", another)
    checked = verify_archives(archives_below(folder))
    assert checked.findings == []
    assert "was closed by policy 2025-01 older" in checked.notes["2026-10"].en


def test_an_archive_without_the_policy_of_the_closing_keeps_its_hash(folder: Path) -> None:
    """As those of older versions."""
    forge(folder / "month=2026-10", lambda manifest: manifest.pop("closing_policy_version"))
    checked = verify_archives(archives_below(folder / "month=2026-10"))
    assert (checked.findings, checked.notes) == ([], {})


@pytest.mark.parametrize("name", ["arch[1]", "a*", "a?ch1", "o'hara"])
def test_letters_that_are_patterns_elsewhere_are_letters_in_a_folder(tmp_path: Path, name: str) -> None:
    for number, each in enumerate((name, "arch1")):
        archive = ArchivedMonth(tmp_path / each / "month=2026-10")
        file = archive.file_of("t01")
        file.parent.mkdir(parents=True)
        duckdb.sql(f"COPY (SELECT {number} AS x) TO '{str(file).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")
    archive = ArchivedMonth(tmp_path / name / "month=2026-10")
    assert list(archive.rows("t01", "x")) == [(0,)]
    assert archive.columns("t01") == {"x"}
