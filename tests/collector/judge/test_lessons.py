"""Minutes of lessons through the store: by the school's timetable, kept up to date, explained and verified."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import pytest

from campus_base.settings import ConfigurationError
from campus_collector.config import shipped_policy
from campus_collector.domain.inventory import Inventory, InventorySchool, Timetable
from campus_collector.domain.schools import Subject
from campus_collector.judge.derivation import as_text
from campus_collector.judge.lesson_minutes import BROKEN, newest_forms, places_by_minute, spans_of
from campus_collector.judge.month import Month
from campus_collector.judge.policy import MinuteLimits, hours_of, load_policy, read_policy
from campus_collector.judge.two_policies import decide_by
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.explain import explain
from campus_collector.verify.evidence import evidence_findings
from campus_wire.bandwidth import Verdict
from campus_wire.failures import Validity
from campus_wire.records import Interruption
from tests.collector.lessons import FROZEN, interruption_alone, lesson_policy, lesson_streams
from tests.collector.world import World, collector, throughput

ZONE = ZoneInfo("Asia/Shanghai")
NOVEMBER = Month(2026, 11, ZONE)
EIGHT = datetime(2026, 11, 9, 0, 0, tzinfo=UTC)
"""08:00 of a Monday in Shandong."""


@pytest.fixture
def lessons(tmp_path: Path) -> Iterator[World]:
    """A collector whose policy judges November by minutes of lessons."""
    policy = tmp_path / "policy.toml"
    policy.write_text(lesson_policy(), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as running:
        yield running


def live(world: World) -> SubjectVerdict:
    found = [each for each in world.service.verdicts.subjects(NOVEMBER) if each.target == "live_class"]
    assert len(found) == 1
    return found[0]


def put_timetable(world: World, *periods: str) -> None:
    """An inventory with one school, in force now."""
    school = InventorySchool("t01", "东河镇", "s001", "东河小学", False)
    whole = Inventory((school,), None, None, None, (Timetable("", periods),))
    now = datetime.now(UTC)
    world.service.store.inventory.apply(whole, {}, "test", now, min(now, EIGHT))


def test_a_verdict_follows_the_timetable_and_its_changes(lessons: World) -> None:
    bad = dict.fromkeys(range(50, 60), FROZEN)
    lessons.send(*lesson_streams(EIGHT, 120, bad))
    assert (live(lessons).evidence.valid_results, live(lessons).verdict) == (120, Verdict.NOT_MET), "school hours"
    put_timetable(lessons, "08:00-08:45", "09:00-09:45")
    verdict = live(lessons)
    assert (verdict.evidence.valid_results, verdict.evidence.passing_results) == (90, 90)
    assert (verdict.verdict, verdict.worst_lesson) == (Verdict.MET, None)
    put_timetable(lessons, "08:00-09:00")
    verdict = live(lessons)
    assert (verdict.evidence.valid_results, verdict.evidence.passing_results) == (60, 50)
    assert verdict.worst_lesson is not None
    assert (verdict.worst_lesson.day, verdict.worst_lesson.lesson.bad) == (date(2026, 11, 9), 10)
    assert lessons.service.verdicts.by_school(NOVEMBER)["s001"].tally.counts["live_class"] == {Verdict.NOT_MET: 1}


def test_throughput_tests_decide_nothing_of_it(lessons: World) -> None:
    lessons.send(*lesson_streams(EIGHT, 60), *(throughput(subject="uplink", at=EIGHT) for _ in range(8)))
    verdict = live(lessons)
    assert (verdict.verdict, verdict.evidence.valid_results) == (Verdict.MET, 60)


def test_evidence_is_verified_and_explained(lessons: World) -> None:
    lessons.send(*lesson_streams(EIGHT, 60, {3: FROZEN, 7: {"lost_up": 30}, 9: {"sent": 0, "unknown_seconds": 60.0}}))
    verdicts, store = lessons.service.verdicts, lessons.service.store
    assert [finding for finding in evidence_findings(store, verdicts, "s001") if finding] == []
    derivation = explain(store, verdicts, "live_class", "s001", "uplink", NOVEMBER)
    assert derivation is not None
    assert derivation.verdict.evidence == live(lessons).evidence
    assert derivation.verdict.broken_limits == {"loss": 2, "gap": 1}
    text = as_text(derivation, "en")
    assert "59 minutes of lessons observed on 1 days: 57 good, 2 bad (loss 2, gap 1); 1 not observed" in text
    assert "minutes of lessons: 4 good, 1 bad (loss 1, gap 1), 0 not observed" in text
    assert "ITU" not in text
    chinese = as_text(derivation, "zh")
    assert "在 1 天里观测上课 59 分钟：合格 57，不合格 2（丢包 2，中断 1）；未观测 1" in chinese


def test_an_outage_of_the_bureau_s_side_does_not_count_against_the_school(lessons: World) -> None:
    """Without an end it holds as far as records name it; an end that comes alone, after a restart, makes the rest unknown too."""
    frozen = dict.fromkeys(range(5), FROZEN)
    going = Interruption("i-1", EIGHT + timedelta(minutes=10), None, "both", "collector", 20)
    results = [*lesson_streams(EIGHT, 10), *lesson_streams(EIGHT + timedelta(minutes=30), 30)]
    for minute, listed in ((10, [going]), (15, [going]), (20, []), (25, [])):
        results += lesson_streams(EIGHT + timedelta(minutes=minute), 5, frozen, listed)
    lessons.send(*results)
    evidence = live(lessons).evidence
    assert (evidence.valid_results, evidence.passing_results, evidence.invalid_results) == (50, 40, 10)
    ended = interruption_alone(msgspec.structs.replace(going, ended_at=EIGHT + timedelta(minutes=29, seconds=50)))
    lessons.send(ended)
    verdict = live(lessons)
    evidence = verdict.evidence
    assert (evidence.valid_results, evidence.passing_results, evidence.invalid_results) == (40, 40, 20)
    assert {cause.code for cause in verdict.causes} == {"too_few", "collector_off_in_lessons"}, "not the line"
    verdicts, store = lessons.service.verdicts, lessons.service.store
    derivation = explain(store, verdicts, "live_class", "s001", "uplink", NOVEMBER)
    assert derivation is not None
    assert derivation.verdict.evidence == evidence
    assert sum(line.passes is True for line in derivation.lines) == 8
    assert [finding for finding in evidence_findings(store, verdicts, "s001") if finding] == []
    uplink = Subject("s001", "uplink", "uplink", "", None, "inventory")
    (decision,) = decide_by([verdicts.policy], uplink, "live_class", "t01", [*results, ended], NOVEMBER)
    assert (decision.evidence.valid_results, decision.evidence.passing_results) == (40, 40), "judged again too"


def test_minutes_of_a_month_and_thousands_of_interruptions_are_looked_at_once() -> None:
    """Interruptions times minutes would be some 400 million comparisons."""
    minutes = [EIGHT + timedelta(minutes=n) for n in range(20_000)]
    flapping = [
        Interruption(f"i-{n}", at, at + timedelta(seconds=5), "both", "recorder", 1)
        for n, at in enumerate(EIGHT + timedelta(seconds=30 * n) for n in range(20_000))
    ]
    whole = Interruption("i", minutes[5], minutes[-1], "both", "collector", 1)
    places = places_by_minute(minutes, (), [*flapping, whole, msgspec.structs.replace(whole, id="again")])
    assert places[minutes[0]] == {"recorder"}
    assert places[minutes[5]] == {"recorder", "collector"}
    assert places[minutes[-1]] == {"collector"}
    assert len(places) == len(minutes)


def test_results_of_an_untrusted_clock_are_no_minutes(lessons: World) -> None:
    later = EIGHT + timedelta(hours=1)
    untrusted = {"validity": Validity.CLOCK_UNTRUSTED}
    lessons.send(*lesson_streams(EIGHT, 60, {9: {"sent": 0, "unknown_seconds": 60.0}}))
    lessons.send(*lesson_streams(later, 15, name="untrusted", **untrusted))
    derivation = explain(lessons.service.store, lessons.service.verdicts, "live_class", "s001", "uplink", NOVEMBER)
    assert derivation is not None
    assert derivation.verdict.evidence.invalid_results == 4
    assert "59 minutes of lessons observed on 1 days: 59 good, 0 bad; 1 not observed" in as_text(derivation, "en")


def test_a_rule_that_comes_later_judges_days_without_tests_again(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        world.send(*lesson_streams(EIGHT, 60))
        assert live(world).evidence.valid_results == 0
    policy = tmp_path / "policy.toml"
    policy.write_text(lesson_policy(), encoding="utf-8")
    with collector(tmp_path, {"CAMPUS_POLICY_FILE": str(policy)}) as world:
        assert live(world).evidence.valid_results == 60


def test_an_interruption_of_several_records_is_one() -> None:
    going = Interruption("i-1", EIGHT, None, "up", "uplink", 20)
    ended = Interruption("i-1", EIGHT, EIGHT + timedelta(seconds=30), "up", "uplink", 600)
    for listed in ([going, ended], [ended, going]):
        assert list(newest_forms(listed).values()) == [ended]


def test_the_shipped_policy_has_limits_with_their_sources() -> None:
    policy = load_policy(shipped_policy())
    before, since = (policy.in_force("live_class", day) for day in (date(2026, 12, 1), date(2027, 1, 1)))
    assert before is not None
    assert before.minutes is None
    assert before.delays is not None
    assert since is not None
    assert since.minutes == MinuteLimits()
    assert since.delays is None
    assert policy.minute_limits(date(2020, 1, 1)) == MinuteLimits()
    entry = policy.text.partition('judged_by = "lesson_minutes"')[2].partition("[[target]]")[0]
    for key in ("max_loss_ratio", "max_rtt_p95_seconds", "max_jitter_seconds", "max_gap_seconds"):
        line = next(line for line in entry.splitlines() if line.startswith(key))
        assert "ITU-T" in line or "ours" in line


def test_what_is_wrong_in_an_entry_is_named() -> None:
    text = lesson_policy()
    for right, wrong, key in (
        ('judged_by = "lesson_minutes"', 'judged_by = "luck"', "judged_by"),
        ("max_gap_seconds = 1.0", "max_gap_seconds = 61", "max_gap_seconds"),
        ("min_lesson_minutes = 60", "min_valid_results = 60", "min_lesson_minutes"),
        ("max_rtt_p95_seconds = 0.150", "max_rtt_seconds = 0.150", "max_rtt_seconds"),
    ):
        with pytest.raises(ConfigurationError, match=key):
            read_policy(text.replace(right, wrong))


def test_school_hours_count_by_the_hour_of_the_clock() -> None:
    hours = [each for text in ("07:30-12:00", "13:30-14:15") if (each := hours_of(text))]
    assert spans_of(hours) == [(450, 480), (480, 540), (540, 600), (600, 660), (660, 720), (810, 855)]
    assert BROKEN == ("loss", "rtt", "jitter", "gap")
