"""How the newest results would be judged alone: the same after a start, without reading results that were looked at before."""

from datetime import date

import pytest

from campus_collector.http.newest import NewestVerdicts
from campus_collector.http.service import Service
from campus_collector.store.tables.results import ResultTable
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import World, throughput

DAY = date(2026, 11, 1)
CLASSROOM = "classroom_bandwidth"


def counted(service: Service, newest: NewestVerdicts | None = None) -> dict[Verdict, int]:
    """Of the classrooms; the same as a reader finds who keeps nothing."""
    schools = ["s001", "s002"]
    counts = (newest or service.newest).counts(schools, DAY)
    nothing_kept = NewestVerdicts(service.store, service.verdicts.policy)
    nothing_kept._read_stored = lambda schools: None  # type: ignore[method-assign]
    assert +counts == +nothing_kept.counts(schools, DAY)
    return {verdict: counts[CLASSROOM, verdict] for verdict in Verdict if counts[CLASSROOM, verdict]}


@pytest.fixture
def two(world: World) -> World:
    world.send(throughput(), throughput(10e6, subject="c102"))
    second = world.issue_token("s002")
    world.token, first = second, world.token
    world.send(throughput(school="s002"))
    world.token = first
    return world


def restarted(service: Service) -> NewestVerdicts:
    return NewestVerdicts(service.store, service.verdicts.policy)


def test_after_a_start_no_result_is_read_that_was_looked_at_before(two: World, monkeypatch: pytest.MonkeyPatch) -> None:
    service = two.service
    before = counted(service)
    assert before == {Verdict.MET: 2, Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 1}
    service.newest.keep(DAY)
    with monkeypatch.context() as patch:
        patch.setattr(ResultTable, "newest_of_schools", None)
        again = restarted(service).counts(["s001", "s002"], DAY)
    assert +again == +service.newest.counts(["s001", "s002"], DAY)


def test_a_result_that_came_after_it_was_kept_is_seen(two: World) -> None:
    service = two.service
    service.newest.keep(DAY)
    two.send(throughput(10e6))
    for newest in (None, restarted(service)):
        assert counted(service, newest) == {Verdict.MET: 1, Verdict.NOT_MET: 2, Verdict.INSUFFICIENT: 1}
    service.newest.keep(DAY)
    assert counted(service, restarted(service))[Verdict.NOT_MET] == 2


def test_a_list_of_subjects_that_changed_after_it_was_kept_is_seen(two: World) -> None:
    service = two.service
    service.newest.keep(DAY)
    two.send(
        announcement=Announcement("t01", [AnnouncedClassroom("c102", "", 1e8), AnnouncedClassroom("c103", "", 1e8)])
    )
    for newest in (None, restarted(service)):
        assert counted(service, newest) == {Verdict.MET: 1, Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 2}
    service.newest.keep(DAY)
    assert counted(service, restarted(service))[Verdict.INSUFFICIENT] == 2
