"""A simulated county through the real ingest API: judged, diagnosed and booked as it was dealt out."""

import json
from datetime import date, timedelta
from pathlib import Path

import pytest

from campus_collector.cli.main import main
from campus_collector.config import load_config
from campus_collector.http.service import open_service
from campus_collector.inventory.sample import sample
from campus_collector.simulate.county import deal

pytestmark = pytest.mark.sqlite_only("40,000 results, made once for all tests, take too long elsewhere")
COUNTY = ("--schools", "20", "--month", "2026-10", "--density", "0.17", "--classrooms", "10")


def run(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict]:
    """A small county, and what `--check` said."""
    import contextlib
    import io

    state = tmp_path_factory.mktemp("county")
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        assert main(["simulate", *COUNTY, "--check", "--json", "--state-dir", str(state)]) == 0
    return state, json.loads(out.getvalue())


def test_every_verdict_and_nearly_every_cause_is_right(county) -> None:
    _, actual = county
    (month,) = actual["check"]
    assert actual["stored"] > 40_000
    assert actual["duplicate"] > 0, "some batches come twice"
    assert (month["wrong"], month["wrong_shared"]) == ([], [])
    assert month["cause_ratio"] >= 0.95
    assert month["causes"] >= 40
    assert month["shared"] >= 2
    assert month["uncertain"] < 0.1 * month["subjects"]


def test_everything_is_labelled(county) -> None:
    state, _ = county
    service = open_service(load_config(None, state))
    try:
        assert {agent.state.os for agent in service.store.agents.all() if agent.state} == {"simulated"}
        truth = json.loads((state / "simulated-2026-10.json").read_text(encoding="utf-8"))
        assert {classroom["fault"] for classroom in truth["classrooms"].values()} >= {"port_speed_10", "cable_errors"}
    finally:
        service.store.close()


def test_the_ledger_has_one_problem_for_each_cause(county, capsys, monkeypatch) -> None:
    state, _ = county
    monkeypatch.setenv("CAMPUS_LANG", "en")
    code, out, _ = run(capsys, "ledger", "--json", "--state", "all", "--until", "2026-10-31", "--state-dir", state)
    assert code == 0
    problems = json.loads(out)["problems"]
    truth = json.loads((state / "simulated-2026-10.json").read_text(encoding="utf-8"))
    lasting = {
        name: school
        for name, school in truth["schools"].items()
        if (school["mended_on"] or "2026-11-01") > "2026-10-15"
    }
    kinds = ("uplink_bottleneck", "shared_bottleneck", "agent_silent")
    shared = {name for name, each in lasting.items() if each["fault"] in kinds}
    assert shared
    for school in shared:
        own = [
            problem
            for problem in problems
            if problem["school"] == school and problem["target"] == "classroom_bandwidth"
        ]
        whole = [each for each in own if each["subject"] == ""]
        assert [each["diagnosis"] for each in whole] == [truth["schools"][school]["fault"]]
        if truth["schools"][school]["mended_on"] is None:
            assert not [each for each in own if each["subject"] and each["state"] != "closed"], (
                "one cause is one problem"
            )
    steady = {
        name
        for name, classroom in truth["classrooms"].items()
        if classroom["fault"] == "port_speed_10" and classroom["mended_on"] is None
    }
    healthy_schools = {
        name for name in {key.split("/")[0] for key in truth["classrooms"]} if name not in truth["schools"]
    }
    for name in steady:
        school, room = name.split("/")
        if school in healthy_schools:
            (problem_row,) = [
                problem for problem in problems if (problem["school"], problem["subject"]) == (school, room)
            ]
            assert (problem_row["diagnosis"], problem_row["state"]) == ("port_speed_10", "open")
    code, out, _ = run(capsys, "ledger", "--out", state / "list.xlsx", "--until", "2026-10-31", "--state-dir", state)
    assert (code, (state / "list.xlsx").exists()) == (0, True)


def test_explain_can_be_repeated_by_hand(county, capsys, monkeypatch) -> None:
    state, _ = county
    monkeypatch.setenv("CAMPUS_LANG", "en")
    code, out, _ = run(
        capsys, "explain", "classroom_bandwidth", "s001/c101", "--month", "2026-10", "--json", "--state-dir", state
    )
    assert code == 0
    answer = json.loads(out)
    passing = sum(result["passes"] is True for result in answer["results"])
    judged = sum(result["passes"] is not None for result in answer["results"])
    assert (answer["verdict"]["passing_results"], answer["verdict"]["valid_results"]) == (passing, judged)
    assert sum(day["valid_results"] for day in answer["days"]) == judged
    low, high = answer["verdict"]["passing_share_interval"]
    assert low < passing / judged <= high
    code, out, _ = run(
        capsys, "explain", "classroom_bandwidth", "c101", "--school", "s001", "--month", "2026-10", "--state-dir", state
    )
    assert "98 Mbit/s" in out
    code, _, err = run(capsys, "explain", "classroom_bandwidth", "c101", "--month", "2026-10", "--state-dir", state)
    assert (code, "several: " in err) == (2, True)
    code, _, err = run(capsys, "explain", "uplink_bandwidth", "s001", "--month", "2026-10", "--state-dir", state)
    assert code == 0
    code, _, err = run(capsys, "explain", "uplink_bandwidth", "s404", "--month", "2026-10", "--state-dir", state)
    assert (code, "no such subject" in err) == (2, True)


def test_the_evidence_is_whole(county, capsys) -> None:
    state, _ = county
    assert run(capsys, "verify", "--state-dir", state)[0] == 0


def test_never_beside_real_schools(tmp_path: Path, capsys, monkeypatch) -> None:
    monkeypatch.setenv("CAMPUS_LANG", "zh")
    assert run(capsys, "agent-token", "s001", "--state-dir", tmp_path)[0] == 0
    code, _, err = run(capsys, "simulate", *COUNTY, "--state-dir", tmp_path)
    assert (code, "此采集平台已有真实学校" in err) == (2, True)


@pytest.mark.parametrize(
    "wrong",
    [("--schools", "0"), ("--month", "2999-01"), ("--density", "2"), ("--months", "0"), ("--classrooms", "999")],
)
def test_bad_wishes(tmp_path: Path, capsys, wrong: tuple[str, str]) -> None:
    wishes = dict(zip(COUNTY[::2], COUNTY[1::2], strict=True)) | dict([wrong])
    try:
        code = run(capsys, "simulate", *(part for pair in wishes.items() for part in pair), "--state-dir", tmp_path)[0]
    except SystemExit as end:  # what the parser itself refuses
        code = end.code
    assert code == 2


def test_faults_may_begin_in_the_course_of_the_year() -> None:
    first, last = date(2025, 11, 1), date(2026, 11, 28)
    always = deal(sample(20, 1, 10), first, last, 1)
    later = deal(sample(20, 1, 10), first, last, 1, later_share=1.0, mended_share=0.5)
    assert all(fault.began_on is None for fault in always.classrooms.values())
    faults = [fault for fault in later.classrooms.values() if fault.name]
    assert all(fault.began_on is not None and first <= fault.began_on <= last for fault in faults)
    assert all(fault.mended_on is None or fault.mended_on >= fault.began_on for fault in faults)
    some = next(fault for fault in faults if fault.mended_on is None and fault.began_on > first)
    assert [some.on(some.began_on - timedelta(days=1)), some.on(some.began_on), some.on(last)] == [False, True, True]
