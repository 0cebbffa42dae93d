"""Store and judge together: only what changed is judged again, late results change the right month."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from campus_collector.domain.schools import Subject
from campus_collector.judge.month import Month
from campus_collector.judge.policy import required_rate
from campus_collector.judge.verdict import SubjectVerdict
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import World, days, throughput

ZONE = ZoneInfo("Asia/Shanghai")


def verdict(world: World, month: Month, subject: str = "c101") -> Verdict | None:
    """None: the subject was not there in that month."""
    found = [each for each in world.service.verdicts.subjects(month) if each.subject == subject]
    return found[0].verdict if found else None


def test_results_change_the_verdict_of_their_month_only(world: World) -> None:
    november, october = Month(2026, 11, ZONE), Month(2026, 10, ZONE)
    world.send(*(throughput(at=at) for at in days(4, 2)))
    assert (verdict(world, november), verdict(world, october)) == (Verdict.MET, None)
    late = [throughput(10e6, 10e6, at=at - timedelta(days=31)) for at in days(4, 2)]
    world.send(*late)
    assert (verdict(world, november), verdict(world, october)) == (Verdict.MET, Verdict.NOT_MET)
    world.send(*(throughput(10e6, 10e6, at=at + timedelta(hours=1)) for at in days(4, 2)))
    assert verdict(world, november) is Verdict.NOT_MET


def test_only_the_changed_subject_is_judged_again(world: World, monkeypatch) -> None:
    november = Month(2026, 11, ZONE)
    world.send(throughput(), throughput(subject="c102"))
    world.service.verdicts.by_school(november)
    judged: list[str] = []
    original = world.service.verdicts._judge_month

    def spy(month: Month, town: str, pairs: list[tuple[Subject, str]], rows: Any) -> list[SubjectVerdict]:
        judged.extend(subject.id for subject, _ in pairs)
        return original(month, town, pairs, rows)

    monkeypatch.setattr(world.service.verdicts, "_judge_month", spy)
    world.service.verdicts.by_school(november)
    assert judged == []
    world.send(throughput(subject="c102"))
    world.service.verdicts.by_school(november)
    assert judged == ["c102"]


def test_an_agent_cannot_lower_its_own_bar(world: World) -> None:
    target = world.service.verdicts.policy.in_force("classroom_bandwidth", Month(2026, 11, ZONE).first_day)
    for own, source, required in (
        (1e6, "announced", 100e6),
        (300e6, "announced", 300e6),
        (50e6, "inventory", 50e6),
        (None, "inventory", 100e6),
    ):
        assert required_rate(Subject("s001", "classroom", "c101", "c101", own, source), target) == required


def test_a_room_that_is_removed_keeps_its_past_and_this_month(world: World) -> None:
    """Nobody lifts a rate by taking a failing room out of a configuration."""
    november, october = Month(2026, 11, ZONE), Month(2026, 10, ZONE)
    world.send(*(throughput(10e6, 10e6, at=at - timedelta(days=31)) for at in days(4, 2)))
    fewer = Announcement(town="t01", classrooms=[AnnouncedClassroom("c102", "", 1e8)])
    world.send(announcement=fewer)
    actual = {subject.subject: subject.verdict for subject in world.service.verdicts.subjects(october)}
    assert actual["c101"] is Verdict.NOT_MET
    assert "c101" in {subject.subject for subject in world.service.verdicts.subjects(november)}
    next_year = Month(datetime.now(UTC).year + 1, 1, ZONE)
    assert "c101" not in {subject.subject for subject in world.service.verdicts.subjects(next_year)}
    world.send(*(throughput(10e6, 10e6, at=at - timedelta(days=30)) for at in days(1)), announcement=fewer)
    (late,) = [subject for subject in world.service.verdicts.subjects(october) if subject.subject == "c101"]
    assert late.evidence.valid_results == 9, "a late result counts"
    assert 'classroom="c101"' not in world.get("/metrics").body.decode()
