"""A closed month as files: what a stock reader finds there, what is refused, and what is kept of it."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, cast

import duckdb
import msgspec
import pytest
from msgspec.structs import replace

from campus_collector.archive import service as service_module
from campus_collector.archive import write as write_module
from campus_collector.archive.check import verify_archives
from campus_collector.archive.errors import NotArchived
from campus_collector.archive.write import ArchiveWriter
from campus_collector.cli.main import main
from campus_collector.judge.policy import read_policy
from campus_collector.store.archive import duck as duck_module
from campus_collector.store.archive.format import COLUMNS, MANIFEST, ArchivedFile, ArchivedRow, hash_of, row_of
from campus_collector.store.archive.read import ArchivedMonth, archived_months
from campus_collector.store.columns import micros
from campus_collector.store.errors import StoreBusy
from campus_collector.store.leases import Lease
from campus_collector.store.stored import decode_stored
from campus_wire.records import Interruption, LessonStreamRecord, kind_of
from tests.collector.archive.months import (
    FIRST,
    NOVEMBER,
    OCTOBER,
    OTHER_SCHOOL,
    SECOND,
    archives_in,
    close,
    send_two_months,
)
from tests.collector.lessons import interruption_alone, lesson_streams
from tests.collector.world import World, envelope, throughput

VERDICTS = """
WITH judged AS (
  SELECT school, subject, CAST(started_at AT TIME ZONE 'Asia/Shanghai' AS DATE) AS day,
    down_line_rate_bits_per_second >= 0.98 * 1e8 AND up_line_rate_bits_per_second >= 0.98 * 1e8 AS passes
  FROM read_parquet('{folder}/*/*/results.parquet', hive_partitioning = true)
  WHERE month = '2026-10' AND kind = 'throughput' AND subject <> 'uplink' AND outcome = 'ok'
)
SELECT school, subject, CASE WHEN count(*) < 8 OR count(DISTINCT day) < 4 THEN 'insufficient'
  WHEN count(*) FILTER (passes) >= 0.8 * count(*) THEN 'met' ELSE 'not_met' END
FROM judged GROUP BY ALL
"""


def test_a_stock_reader_counts_the_same_verdicts(world: World, tmp_path: Path) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    archive = world.service.archives.archive(OCTOBER)
    folder = world.service.config.archive_dir
    counted = {
        (school, subject): verdict for school, subject, verdict in duckdb.sql(VERDICTS.format(folder=folder)).fetchall()
    }
    published = {
        (school, subject): verdict
        for target, school, subject, verdict in archive.context.published
        if target == "classroom_bandwidth"
    }
    assert counted == published
    assert Counter(published.values()) == {"met": 2, "not_met": 1}
    towns = duckdb.sql(f"SELECT DISTINCT town FROM read_parquet('{folder}/*/*/*.parquet') ORDER BY town").fetchall()
    assert towns == [("t01",), ("t02",)]


def test_the_bytes_are_those_that_came_and_the_columns_those_of_the_manual(world: World) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    archive = world.service.archives.archive(OCTOBER)
    stored = {}
    for school in ("s001", "s002"):
        for leaf in world.service.store.chain.leaves(school):
            stored[school, leaf.sequence] = leaf.raw
    archived = {(school, place): raw for town in archive.partitions() for school, place, raw in archive.results(town)}
    assert len(archived) == 33 == archive.manifest.results
    assert all(stored[key] == raw for key, raw in archived.items())
    assert [each[0] for each in archive.results("t01", "s002")] == []
    file = archive.file_of("t01")
    types = dict(
        duckdb.sql(
            f"SELECT column_name, column_type FROM (DESCRIBE FROM read_parquet('{file}', hive_partitioning = false))"
        ).fetchall()
    )
    assert types == COLUMNS
    manual = (Path(__file__).parents[3] / "docs/pages/en/archives.md").read_text()
    assert all(f"`{name}`" in manual for name in COLUMNS)
    rows = duckdb.sql(f"SELECT school, kind, subject, started_at, raw, sha256_start FROM '{file}'").fetchall()
    assert rows == sorted(rows, key=lambda row: row[:4])
    assert all(sha256(raw).digest()[:8] == start for *_, raw, start in rows)


def test_what_judging_needs_is_beside_the_results(world: World) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    (archive,) = archived_months(world.service.archives.archive(OCTOBER).folder.parent)
    context = archive.context
    assert read_policy(context.policy) == world.service.verdicts.policy
    assert {subject.id for subject in context.subjects if subject.school == "s001"} == {
        "c101",
        "c102",
        "smartedu-cn",
    }
    assert {school.id: school.town for school in context.schools} == {"s001": "t01", "s002": "t02"}
    assert "2026-10-12" in context.workdays
    assert "2026-10-01" not in context.workdays


def test_places_of_other_months_are_links_of_the_chain(world: World) -> None:
    """Ten results of November came before the last two of October."""
    send_two_months(world)
    close(world, OCTOBER, NOVEMBER)
    for month in (OCTOBER, NOVEMBER):
        world.service.archives.archive(month)
    october, november = archived_months(world.service.config.archive_dir)
    chains = {chain.school: chain for chain in october.manifest.heads}
    assert (chains["s001"].first_sequence, chains["s001"].last_sequence, chains["s001"].results) == (1, 28, 23)
    assert [place for _, place, _ in october.links()] == [22, 23, 24, 25, 27]
    assert [place for _, place, _ in november.links()] == [26]
    checkpoint = world.service.store.chain.last_checkpoint("s001")
    assert checkpoint is not None
    assert chains["s001"].head_after == checkpoint.head.hex()


def test_what_came_after_closing_is_not_in_the_archive(world: World) -> None:
    """Also of a school that had no result then. The next month's archive leads over them."""
    send_two_months(world)
    close(world, OCTOBER)
    world.send(throughput(1e6, at=FIRST + timedelta(days=10)), throughput(at=SECOND + timedelta(days=5)))
    later = envelope(throughput(at=FIRST, school="s003"), agent_id="s003", announcement=OTHER_SCHOOL)
    assert world.post(later, world.issue_token("s003")).status == 200
    close(world, NOVEMBER)
    for month in (OCTOBER, NOVEMBER):
        world.service.archives.archive(month)
    october, november = archived_months(world.service.config.archive_dir)
    assert (october.manifest.results, november.manifest.results) == (33, 6)
    assert [chain.school for chain in october.manifest.heads] == ["s001", "s002"]
    assert [place for _, place, _ in november.links()] == [26, 28, 29]
    assert verify_archives([october, november]).findings == []


def test_of_figures_without_heads_all_results_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send_two_months(world)
    with monkeypatch.context() as patch:
        patch.setattr("campus_collector.report.gather._heads", lambda sources, schools: [])
        close(world, OCTOBER)
    world.send(throughput(at=FIRST + timedelta(days=10)))
    assert world.service.archives.archive(OCTOBER).manifest.results == 34


@pytest.mark.parametrize("raw", [b"\xff\xfe", b'{"a":"\0"}', b"", b'"\\ud800"', '{"名":"一\\n"}'.encode()])
def test_any_bytes_are_written_and_read_back(raw: bytes, tmp_path: Path) -> None:
    file, target = tmp_path / "rows", tmp_path / "x.parquet"
    file.write_bytes(write_module._encode([row_of("s001", "host", "gateway", 0, 1, raw, sha256(raw).digest(), None)]))
    columns = ", ".join(f"{name}: '{kind}'" for name, kind in write_module.WRITTEN.items())
    source = f"SELECT {write_module.SELECTED} FROM read_json('{file}', format = 'newline_delimited', columns = {{{columns}}})"
    duckdb.sql(f"COPY ({source}) TO '{target}' (FORMAT parquet)")
    assert duckdb.sql(f"SELECT raw, outcome FROM '{target}'").fetchall() == [(raw, None)]


def test_columns_say_what_the_result_says() -> None:
    from campus_wire.codec import encode_result

    result = throughput(94e6, 97e6)
    raw = encode_result(result)
    row = row_of("s001", kind_of(result), result.subject, 5, 1, raw, sha256(raw).digest(), decode_stored(raw))
    assert (row.outcome, row.segment, row.test_bytes, row.down_lower_bound) == ("ok", "classroom", 2000, False)
    assert row.down_line_rate_bits_per_second == pytest.approx(94e6)
    assert row.up_line_rate_bits_per_second == pytest.approx(97e6)
    assert row.working_rtt_p95_seconds == 0.009


def test_lesson_streams_and_interruptions_have_columns(world: World) -> None:
    """What is unknown stays empty: an interruption that still goes on, a record without minutes."""
    over = Interruption("i1", FIRST, FIRST + timedelta(seconds=20), "down", "uplink", 400)
    going_on = Interruption("i2", FIRST + timedelta(hours=1), None, "both", "recorder", 3, "rec-1")
    worse = {1: {"lost_up": 5, "lost_down": 7, "reordered": 2, "unknown_seconds": 1.5, "rtt_p95_seconds": 0.3}}
    world.send(
        throughput(at=FIRST),
        *lesson_streams(FIRST, 5, worse, [over]),
        *lesson_streams(FIRST + timedelta(hours=2), 1, name="empty", record=LessonStreamRecord("x", 20, 100, True)),
        interruption_alone(over),
        interruption_alone(going_on),
    )
    close(world, OCTOBER)
    archive = world.service.archives.archive(OCTOBER)
    query = "SELECT {} FROM read_parquet('{}') WHERE kind = '{}' ORDER BY started_at"
    columns = (
        "observed_minutes, sent_packets, lost_up_packets, lost_down_packets, reordered_packets, unknown_seconds,"
        " minute_rtt_p95_max_seconds, longest_gap_seconds, interruptions"
    )
    rows = duckdb.sql(query.format(columns, archive.file_of("t01"), "lesson_stream")).fetchall()
    assert rows == [(5, 6000, 5, 7, 2, 1.5, 0.3, 0.06, 1), (0, *[None] * 7, 0)]
    columns = "epoch_us(ended_at), direction, fault_location, lost_packets, device"
    rows = duckdb.sql(query.format(columns, archive.file_of("t01"), "interruption")).fetchall()
    assert rows == [
        (micros(FIRST + timedelta(seconds=20)), "down", "uplink", 400, None),
        (None, "both", "recorder", 3, "rec-1"),
    ]
    assert verify_archives([archive]).findings == []


def test_an_archive_without_the_newer_columns_is_verified(world: World) -> None:
    world.send(throughput(at=FIRST), *lesson_streams(FIRST, 5))
    close(world, OCTOBER)
    archive = world.service.archives.archive(OCTOBER)
    file, path = archive.file_of("t01"), "town=t01/results.parquet"
    older = file.with_name("older")
    newer = ", ".join(list(COLUMNS)[list(COLUMNS).index("ended_at") :])
    duckdb.sql(
        f"COPY (SELECT * EXCLUDE ({newer}) FROM read_parquet('{file}', hive_partitioning = false)) TO '{older}' (FORMAT parquet)"
    )
    older.replace(file)
    listed = ArchivedFile(
        sha256(file.read_bytes()).hexdigest(), file.stat().st_size, archive.manifest.files[path].results
    )
    manifest = replace(archive.manifest, files=archive.manifest.files | {path: listed})
    (archive.folder / MANIFEST).chmod(0o600)
    (archive.folder / MANIFEST).write_bytes(msgspec.json.encode(replace(manifest, sha256=hash_of(manifest))))
    assert verify_archives([ArchivedMonth(archive.folder)]).findings == []


def test_only_closed_months_and_each_once(world: World) -> None:
    send_two_months(world)
    archives = world.service.archives
    with pytest.raises(NotArchived, match="2026-10 is not closed"):
        archives.archive(OCTOBER)
    assert archives.due() == []
    close(world, OCTOBER)
    assert archives.due() == [OCTOBER]
    assert archives.catch_up() == ["2026-10"]
    with pytest.raises(NotArchived, match="2026-10 is archived already"):
        archives.archive(OCTOBER)
    assert archives.due() == []
    event = world.service.store.ledger.events(limit=1)[0]
    assert (event.what, event.values["month"], event.values["results"]) == ("month_archived", "2026-10", "33")
    assert world.service.store.ledger.first_broken_event() is None


def test_files_of_before_are_taken_over_and_leftovers_removed(world: World) -> None:
    """The collector was ended between writing and noting; before that, another was ended while it wrote."""
    send_two_months(world)
    close(world, OCTOBER)
    folder = world.service.config.archive_dir
    (folder / ".month=2026-10.abcd.part" / "town=t01").mkdir(parents=True)
    copied = archives_in(world, folder).copy(OCTOBER, folder)
    assert [each.name for each in folder.iterdir()] == ["month=2026-10"]
    assert world.service.archives.catch_up() == ["2026-10"]
    assert world.service.store.archives.records()["2026-10"].manifest_sha256 == copied.manifest.sha256


def test_nothing_is_left_when_it_fails(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send_two_months(world)
    close(world, OCTOBER)

    def full(folder: Path) -> None:
        raise OSError(28, "No space left on device", str(folder))

    monkeypatch.setattr(write_module, "_sync", full)
    with pytest.raises(OSError, match="No space"):
        world.service.archives.archive(OCTOBER)
    assert list(world.service.config.archive_dir.iterdir()) == []
    assert world.service.store.archives.records() == {}


def test_what_was_written_wrong_does_not_count(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    write_links = write_module._links_file
    monkeypatch.setattr(write_module, "_links_file", lambda links: write_links(list(links)[1:]))
    assert world.service.archives.catch_up() == []
    assert "#22 is missing" in world.service.archives.failed["2026-10"]
    assert list(world.service.config.archive_dir.iterdir()) == []


def test_a_reader_of_the_api_sees_archives_and_lost_ones(world: World) -> None:
    send_two_months(world)
    close(world, OCTOBER, NOVEMBER)
    archive = world.service.archives.archive(OCTOBER)
    answer = world.get("/v1/archive").json
    assert [(month["month"], month["state"]) for month in answer["months"]] == [
        ("2026-11", "waiting"),
        ("2026-10", "archived"),
    ]
    (october,) = world.get("/v1/archive?month=2026-10").json["months"]
    assert (october["results"], october["schools"], october["manifest_sha256"]) == (33, 2, archive.manifest.sha256)
    assert [head["school"] for head in october["heads"]] == ["s001", "s002"]
    assert world.get("/v1/archive?month=x").status in (400, 404)
    page = world.get("/monthly?lang=en").body.decode()
    assert "archived: 33 results" in page
    assert "not archived yet" in page
    archive.folder.rename(archive.folder.with_name("elsewhere"))
    world.service.archives._shared = True  # as on PostgreSQL: another machine may have it
    assert world.get("/v1/archive?month=2026-10").json["months"][0]["state"] == "elsewhere"
    assert "archived: not on this machine" in world.get("/monthly?lang=en").body.decode()
    world.service.archives._shared = False
    assert world.get("/v1/archive?month=2026-10").json["months"][0]["state"] == "lost"
    assert "lost: its files" in world.get("/monthly?lang=en").body.decode()


def command(world: World, *arguments: str) -> list[str]:
    return ["archive", *arguments, "--state-dir", str(world.service.config.state_dir)]


@pytest.mark.sqlite_only("the command is given a folder")
def test_the_command(world: World, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    send_two_months(world)
    assert main(command(world, "--month", "2026-10")) == 1
    assert "2026-10 is not closed" in capsys.readouterr().err
    assert main(command(world)) == 2
    close(world, OCTOBER)
    out = tmp_path / "elsewhere"
    assert main(command(world, "--month", "2026-10", "--out", str(out), "--json")) == 0
    shown: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (shown["results"], shown["schools"], shown["folder"]) == (33, 2, str(out / "month=2026-10"))
    assert world.service.store.archives.records() == {}
    assert main(command(world, "--month", "2026-10")) == 0
    assert "33 results of 2 schools" in capsys.readouterr().out
    assert main(command(world, "--month", "2026-10", "--out", str(tmp_path / "third"))) == 0
    assert main(command(world, "verify", str(tmp_path / "third"))) == 0
    assert list(world.service.store.archives.records()) == ["2026-10"]
    assert main(command(world, "verify", str(out))) == 0
    assert "everything fits" in capsys.readouterr().out
    assert main(command(world, "verify", str(tmp_path / "state"))) == 1
    assert main(command(world, "--month", "2026-10", "--out", str(out))) == 1
    assert "is there already" in capsys.readouterr().err


def test_an_archive_of_a_newer_format_is_not_guessed_at(world: World) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    archive = world.service.archives.archive(OCTOBER)
    manifest = archive.folder / "manifest.json"
    manifest.chmod(0o640)
    manifest.write_bytes(manifest.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(Exception, match="has the format 2"):
        _ = ArchivedMonth(archive.folder).manifest


def test_another_process_archives_for_a_collector_that_serves(world: World) -> None:
    """A month that cannot be archived keeps no other one back, and is not tried again at once."""
    send_two_months(world)
    close(world, OCTOBER, NOVEMBER)
    folder = world.service.config.archive_dir / "month=2026-10"
    folder.mkdir(parents=True)
    assert world.service.separate_archives.catch_up() == ["2026-11"]
    assert "move it away" in world.service.archives.failed["2026-10"]
    folder.rmdir()
    assert world.service.separate_archives.catch_up() == []
    world.service.separate_archives.stop()


def test_a_process_that_takes_too_long_is_not_begun_again_at_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    begun = []

    def takes_long(month: str, leaves: bool) -> bytes | None:
        begun.append(month)
        raise subprocess.TimeoutExpired("archive", 3600)

    separate = world.service.separate_archives
    monkeypatch.setattr(separate, "_answer", takes_long)
    assert separate.catch_up() == separate.catch_up() == []
    assert begun == ["2026-10"]
    assert "longer than 3600 s" in world.service.archives.failed["2026-10"]


def test_the_lease_is_renewed_while_a_town_is_written_or_read_back(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And an archive whose lease another process took meanwhile does not count."""
    send_two_months(world)
    close(world, OCTOBER)
    lost = Event()

    def renew(lease: Lease) -> None:
        lost.set()
        raise StoreBusy("another process")

    monkeypatch.setattr(service_module, "RENEW_SECONDS", 0.01)
    monkeypatch.setattr(Lease, "renew", renew)
    monkeypatch.setattr(write_module, "_must_be_whole", lambda folder: lost.wait(60))
    with pytest.raises(StoreBusy):
        world.service.archives.archive(OCTOBER)
    assert lost.is_set()
    assert world.service.store.archives.records() == {}


@pytest.mark.sqlite_only("the command is given a folder")
def test_a_full_disk_and_a_busy_collector_in_words(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    with world.service.store.lease("archive", 0.0):
        assert main(command(world, "--month", "2026-10")) == 1
    assert "try again in two minutes" in capsys.readouterr().err
    said = '{"exception_message":"Could not write file x: No space left on device"}'
    with pytest.raises(OSError, match="No space left") as full:
        write_module._raise_no_room(duckdb.IOException(said), tmp_path / "results.parquet")
    assert full.value.filename == str(tmp_path / "results.parquet")

    def no_room(source: Path, target: Path) -> None:
        raise OSError(27, "File too large", str(source))

    assert main(command(world, "--month", "2026-10")) == 0
    capsys.readouterr()
    monkeypatch.setattr(write_module.shutil, "copyfile", no_room)
    assert main(command(world, "--month", "2026-10", "--out", str(tmp_path / "out"))) == 1
    assert capsys.readouterr().err.startswith(str(tmp_path / "out"))


def test_a_town_of_many_rows_is_written_within_little_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """120 MB of rows within 80 MB, in groups: a writer that reads from a pipe holds them all."""
    monkeypatch.setitem(duck_module._CONFIG, "memory_limit", "80MB")
    monkeypatch.setattr(write_module, "ROW_GROUP", 2048)
    monkeypatch.setattr(write_module, "ROW_GROUP_BYTES", 2_097_152)
    chunks, rows = 60, write_module.ROWS_AT_ONCE
    noise = Random(1)

    class Rows:
        def __init__(self) -> None:
            self._lines = iter(self._chunks())

        def _chunks(self) -> Iterator[list[ArchivedRow]]:
            for chunk in range(chunks):
                yield [
                    row_of("s001", "host", "gateway", number, number, noise.randbytes(2000).hex().encode(), b"", None)
                    for number in range(chunk * rows, (chunk + 1) * rows)
                ]

        def first(self) -> list[ArchivedRow]:
            return next(self._lines)

        fill = write_module._TownRows.fill

    path = tmp_path / "town" / "results.parquet"
    assert ArchiveWriter._write_town(cast(ArchiveWriter, None), cast(Any, Rows()), path)
    counted = duckdb.sql(f"SELECT count(*), count(DISTINCT sequence), sum(octet_length(raw)) FROM '{path}'").fetchall()
    assert counted == [(chunks * rows, chunks * rows, chunks * rows * 4000)]
    assert [each.name for each in path.parent.iterdir()] == ["results.parquet"]


@pytest.mark.sqlite_only("the command is given a folder")
def test_without_duckdb_it_says_what_is_missing(
    world: World, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    send_two_months(world)
    close(world, OCTOBER)
    monkeypatch.setattr("campus_collector.archive.service.has_duckdb", lambda: False)
    monkeypatch.setitem(sys.modules, "duckdb", None)
    assert world.service.archives.due() == []
    assert main(command(world, "--month", "2026-10")) == 1
    assert capsys.readouterr().err == "archives need DuckDB: pip install 'campusmeter[archive]'\n"
    assert list(world.service.config.archive_dir.iterdir()) == []
    assert main(command(world, "verify", str(world.service.config.state_dir / "none"))) == 1
    assert "none" in capsys.readouterr().err
