"""`campus-collector rejudge` as it is typed, on the archive of a simulated county."""

import hashlib
import io
import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

import duckdb
import openpyxl
import pytest

from campus_collector.cli.main import main
from campus_collector.config import load_config
from campus_collector.http.service import open_service
from campus_collector.judge.month import parse_month
from campus_collector.judge.policy import load_policy
from campus_collector.judge.service import Verdicts
from campus_collector.rejudge import processes
from campus_collector.rejudge.part import PartFailure, PartOutcome, decode_answer, encode_part, judge_part
from campus_collector.rejudge.plan import plan
from campus_collector.rejudge.processes import WorkersFailed, by_processes
from campus_collector.store.archive.format import CONTEXT, MANIFEST
from campus_wire.version import VERSION
from tests.collector.rejudge.county import MONTHS, changed_policy, copy_of, forge_context, forge_manifest

BOTH = f"{MONTHS[0]}..{MONTHS[1]}"
SHARE = ("passing_share = 0.80", "passing_share = 0.60")


def rejudge(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["rejudge", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def answer(capsys: pytest.CaptureFixture[str], *arguments: object) -> Any:
    code, out, _ = rejudge(capsys, *arguments, "--json")
    assert code == 0
    return json.loads(out)


def test_the_archived_policy_gives_the_published_verdicts(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    actual = answer(capsys, "--archive", archive, "--months", BOTH)
    assert actual["check"]["different"] == 0
    assert actual["check"]["compared"] > 200
    assert actual["months"] == list(MONTHS)
    assert actual["subjects"] == actual["schools"] == actual["rules"] == []


@pytest.mark.parametrize(
    ("before", "after"),
    [
        SHARE,
        ("tolerance_ratio = 0.98", "tolerance_ratio = 0.60"),
        ("school_hours", 'school_hours = ["07:30-10:00"]\n#'),
    ],
)
def test_another_policy_gives_what_the_collector_would_have_judged(
    county: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], before: str, after: str
) -> None:
    policy = changed_policy(tmp_path, before, after)
    actual = answer(capsys, "--archive", archive, "--months", BOTH, "--policy", policy)
    state = shutil.copytree(county / "state", tmp_path / "state")
    service = open_service(load_config(None, state, {}))
    expected = []
    for name in MONTHS:
        month = parse_month(name, service.config.timezone)
        published = {(each.target, each.school, each.subject): each for each in service.verdicts.subjects(month)}
        for each in Verdicts(service.store, load_policy(policy), service.config.timezone).subjects(month):
            old = published[each.target, each.school, each.subject]
            if old.verdict is not each.verdict:
                key, evidence = (each.target, each.school, each.subject), each.evidence
                expected.append(
                    (name, *key, str(old.verdict), str(each.verdict), evidence.passing_results, evidence.valid_results)
                )
    service.store.close()
    keys = ("month", "target", "school", "subject", "archived", "other", "other_passing", "other_valid")
    assert sorted(tuple(each[key] for key in keys) for each in actual["subjects"]) == sorted(expected)
    assert expected or after.startswith("school_hours")
    counted = [area for area in actual["targets"] if not area["town"]]
    assert (
        sum(sum(list(area[who].values())[:4]) for area in counted for who in ("archived", "other"))
        == 2 * actual["check"]["compared"]
    )


def test_the_answer_is_the_same_whatever_the_number_of_workers(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--archive", archive, "--months", BOTH, "--policy", changed_policy(tmp_path, *SHARE), "--json")
    given: set[tuple[str, ...]] = set()
    for workers in (1, 2, 3):
        printed = []
        for name in ("out.html", "out.xlsx"):
            printed.append(rejudge(capsys, *options, "--workers", workers, "--out", tmp_path / name)[1])
            printed.append(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
        given.add(tuple(printed))
    assert len(given) == 1


def test_the_documents_name_policies_towns_schools_and_subjects(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    options = ("--archive", archive, "--months", BOTH, "--policy", changed_policy(tmp_path, *SHARE))
    actual = answer(capsys, *options)
    assert actual["subjects"]
    code, out, _ = rejudge(capsys, *options, "--out", tmp_path / "差异.xlsx")
    assert code == 0
    for words in (
        "示例县",
        "完全一致",
        "两套规则的差异",
        "passing_share",
        "全县及各镇街",
        "有差异的学校",
        "有差异的结论",
        "→",
    ):
        assert words in out
    book = openpyxl.load_workbook(io.BytesIO((tmp_path / "差异.xlsx").read_bytes()))
    assert len(list(book.worksheets[-1].iter_rows())) == len(actual["subjects"]) + 1
    rejudge(capsys, *options, "--out", tmp_path / "d.html", "--lang", "en")
    page = (tmp_path / "d.html").read_text(encoding="utf-8")
    assert "The archive&#39;s own policy gives exactly the" in page
    assert all(each["name"] in page for each in actual["subjects"])


def test_missing_months_are_named(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = rejudge(capsys, "--archive", archive, "--months", "2026-08..2026-11", "--json")
    assert code == 0
    assert json.loads(out)["missing_months"] == ["2026-08", "2026-11"]
    assert "2026-08, 2026-11" in err
    code, out, err = rejudge(capsys, "--archive", archive, "--months", "2025-01")
    assert (code, out) == (1, "")
    assert "2025-01" in err
    code, out, err = rejudge(capsys, "--archive", archive / "nothing", "--months", "2025-01")
    assert (code, out) == (1, "")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--months", "2026-9"), "2026-9"),
        (("--months", "2026-10..2026-09"), "2026-09"),
        (("--months", BOTH, "--out", "differences.pdf"), "differences.pdf"),
        (("--months", BOTH, "--scheduler", "192.0.2.1"), "192.0.2.1"),
        (("--months", BOTH, "--workers", "0"), "0"),
    ],
)
def test_what_is_typed_wrongly_is_refused(
    archive: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    try:
        code, out, err = rejudge(capsys, "--archive", archive, *options)
    except SystemExit as error:  # argparse
        code, out, err = error.code, "", capsys.readouterr().err  # type: ignore[assignment]
    assert (code, out) == (2, "")
    assert words in err
    assert "Traceback" not in err


def test_mistakes_in_the_policy_are_named_with_their_place(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    policy = changed_policy(tmp_path, "passing_share = 0.80", "passing_share = 80")
    code, out, err = rejudge(capsys, "--archive", archive, "--months", BOTH, "--policy", policy)
    assert (code, out) == (2, "")
    assert str(policy) in err
    assert "target[0].passing_share" in err
    assert "必须" in err or "须" in err
    policy.write_text("tolerance_ratio = \n")
    code, _, err = rejudge(capsys, "--archive", archive, "--months", BOTH, "--policy", policy)
    assert code == 2
    assert "1" in err


def damage_results(month: Path) -> None:
    file = sorted(month.glob("town=*/results.parquet"))[0]
    body = bytearray(file.read_bytes())
    body[len(body) // 2] ^= 1
    file.write_bytes(body)


def remove_results(month: Path) -> None:
    sorted(month.glob("town=*/results.parquet"))[0].unlink()


def truncate_context(month: Path) -> None:
    (month / CONTEXT).write_bytes((month / CONTEXT).read_bytes()[:100])


def swap_towns(month: Path) -> None:
    first, second, *_ = sorted(month.glob("town=*/results.parquet"))
    body = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(body)


def edit_manifest(month: Path) -> None:
    text = (month / MANIFEST).read_text(encoding="utf-8")
    (month / MANIFEST).write_text(text.replace('"results":', '"results":1', 1), encoding="utf-8")


def sort_otherwise(month: Path) -> None:
    """By kind before the school: each series is whole, no school is."""
    file = next(
        file
        for file in sorted(month.glob("town=*/results.parquet"))
        if duckdb.sql(f"SELECT count(DISTINCT school) > 1 FROM '{file}'").fetchall() == [(True,)]
    )
    rows = f"SELECT * FROM read_parquet('{file}', hive_partitioning = false) ORDER BY kind, school, subject, started_at"
    duckdb.sql(f"COPY ({rows}) TO '{file}.other' (FORMAT parquet)")
    Path(f"{file}.other").replace(file)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    forge_manifest(month, lambda files: files[file.relative_to(month).as_posix()].update(sha256=digest))


def another_month(month: Path) -> None:
    shutil.copy(month.parent / f"month={MONTHS[0]}" / MANIFEST, month / MANIFEST)


@pytest.mark.parametrize(
    ("damage", "place"),
    [
        (damage_results, "results.parquet"),
        (remove_results, "results.parquet"),
        (truncate_context, CONTEXT),
        (swap_towns, "results.parquet"),
        (sort_otherwise, "is not in order"),
        (edit_manifest, MANIFEST),
        (another_month, MANIFEST),
    ],
)
def test_a_damaged_archive_is_named(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: Any, place: str
) -> None:
    copy = copy_of(archive, tmp_path)
    damage(copy / f"month={MONTHS[1]}")
    code, out, err = rejudge(capsys, "--archive", copy, "--months", BOTH)
    assert (code, out) == (1, "")
    assert f"month={MONTHS[1]}" in err
    assert place in err
    assert "Traceback" not in err
    assert "database" not in err


def forge_published(context: dict[str, Any]) -> None:
    row = next(row for row in context["published"] if row[3] == "not_met")
    row[3] = "met"


def add_unknown_school(context: dict[str, Any]) -> None:
    context["published"].append(["classroom_bandwidth", "s999", "c101", "met"])


def drop_published(context: dict[str, Any]) -> None:
    context["published"].pop()


@pytest.mark.parametrize("change", [forge_published, add_unknown_school, drop_published])
def test_a_published_verdict_that_does_not_follow_is_named(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], change: Any
) -> None:
    copy = copy_of(archive, tmp_path)
    forge_context(copy / f"month={MONTHS[0]}", change)
    code, out, _ = rejudge(capsys, "--archive", copy, "--months", BOTH, "--json")
    assert code == 1
    check = json.loads(out)["check"]
    assert check["different"] == 1
    assert check["first"]["month"] == MONTHS[0]
    code, out, _ = rejudge(capsys, "--archive", copy, "--months", BOTH)
    assert code == 1
    assert f"{check['first']['school']}/{check['first']['subject']}" in out


def test_a_process_that_is_killed_costs_a_retry(archive: Path) -> None:
    parts = plan(archive, MONTHS, "").parts * 2
    pids: list[int] = []
    answers = []
    for answered in by_processes(parts, 2, pids.append):
        answers.append(answered)
        if len(answers) == 2:
            os.kill(pids[0], signal.SIGKILL)
    assert len(answers) == len(parts)
    assert all(isinstance(answered, PartOutcome) for answered in answers)
    assert len(pids) == 3
    whole = {(each.month, each.town): each for each in answers if isinstance(each, PartOutcome)}
    assert whole == {(each.month, each.town): decode_answer(judge_part(encode_part(each))) for each in parts}


def test_what_ends_every_process_is_not_tried_for_ever(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes.sys, "executable", "/bin/false")
    with pytest.raises(WorkersFailed, match="3 processes ended"):
        list(by_processes(plan(archive, MONTHS, "").parts, 2))
    monkeypatch.setattr(processes.sys, "executable", str(archive))
    with pytest.raises(WorkersFailed, match="cannot be started"):
        list(by_processes(plan(archive, MONTHS, "").parts, 2))


def test_a_worker_of_another_version_refuses_a_part(archive: Path) -> None:
    part = plan(archive, MONTHS, "").parts[0]
    refused = decode_answer(judge_part(encode_part(type(part)(part.folder, part.month, part.town, "", "0.0.1"))))
    assert isinstance(refused, PartFailure)
    assert "0.0.1" in refused.words.en
    assert VERSION in refused.words.en


def test_without_duckdb_it_is_said(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    part = plan(archive, MONTHS, "").parts[0]
    refused = decode_answer(judge_part(encode_part(part)))
    assert isinstance(refused, PartFailure)
    assert "DuckDB" in refused.words.en
