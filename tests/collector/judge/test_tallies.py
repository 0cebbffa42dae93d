"""What is kept of a month is what its days say, whatever changes: nothing that was counted before it changed is shown."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from campus_collector.domain.days import day_number
from campus_collector.domain.inventory import Classroom, Inventory, InventorySchool
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.judge.policy import read_policy
from campus_collector.judge.service import Verdicts
from campus_collector.judge.tally import SchoolTally, school_tally, short_verdicts
from campus_collector.store.database import Database
from campus_collector.store.errors import StoreUnavailable
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import World, days, throughput

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER, NOVEMBER = Month(2026, 10, ZONE), Month(2026, 11, ZONE)
CLASSROOM = "classroom_bandwidth"


def counts(verdicts: Verdicts, month: Month = NOVEMBER, school: str = "s001") -> dict[Verdict, int]:
    """Of the classrooms; asked for twice, and compared with what the days say."""
    first = verdicts.by_school(month)[school].tally
    assert verdicts.by_school(month)[school].tally == first
    assert first == from_days(verdicts, month, school)
    assert school_tally(verdicts.short_verdicts(month)[school]) == first
    assert verdicts.history([month], school)[month][school].tally == first
    return first.counts.get(CLASSROOM, {})


def from_days(verdicts: Verdicts, month: Month, school: str) -> SchoolTally:
    return school_tally(short_verdicts(verdicts.subjects(month, school)))


def kept(service: Service, month: Month = NOVEMBER) -> set[str]:
    """The schools that have a tally that holds."""
    verdicts = service.verdicts
    rows = service.store.tallies.of_months([day_number(month.first_day)])
    return {row.school for row in rows if row.basis == verdicts._basis(month)}


def send_good_week(world: World) -> None:
    world.send(*(throughput(at=at) for at in days(6, 2)))


def test_what_was_counted_is_read_and_not_counted_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send_good_week(world)
    assert counts(world.service.verdicts) == {Verdict.MET: 1, Verdict.INSUFFICIENT: 1}
    monkeypatch.setattr(Verdicts, "_from_days", None)
    assert world.service.verdicts.by_school(NOVEMBER)["s001"].tally.counts[CLASSROOM][Verdict.MET] == 1
    other = Verdicts(world.service.store, world.service.verdicts.policy, ZONE)
    assert other.by_school(NOVEMBER)["s001"].tally.counts[CLASSROOM][Verdict.MET] == 1


def test_a_result_changes_the_tally_in_the_commit_of_its_evidence(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    send_good_week(world)
    counts(world.service.verdicts)
    world.send(*(throughput(10e6, 10e6, at=at) for at in days(8, 2)))
    world.service.verdicts.catch_up()
    assert kept(world.service) == {"s001"}
    assert counts(world.service.verdicts) == {Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 1}


def test_late_results_change_the_month_they_are_of(world: World) -> None:
    send_good_week(world)
    assert counts(world.service.verdicts, OCTOBER) == {}
    counts(world.service.verdicts)
    late = [at - timedelta(days=31) for at in days(6, 2)]
    world.send(*(throughput(10e6, 10e6, at=at) for at in late))
    assert counts(world.service.verdicts, OCTOBER) == {Verdict.NOT_MET: 1}
    assert counts(world.service.verdicts) == {Verdict.MET: 1, Verdict.INSUFFICIENT: 1}


def test_an_announcement_changes_who_is_counted(world: World) -> None:
    send_good_week(world)
    counts(world.service.verdicts)
    rooms = [AnnouncedClassroom(room, "", 1e8) for room in ("c101", "c102", "c103")]
    world.send(announcement=Announcement("t01", rooms))
    assert counts(world.service.verdicts) == {Verdict.MET: 1, Verdict.INSUFFICIENT: 2}
    higher = [AnnouncedClassroom("c101", "", 3e8)]
    world.send(announcement=Announcement("t01", higher))
    assert counts(world.service.verdicts) == {Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 2}


def test_an_inventory_changes_who_is_counted_and_what_is_exempt(world: World) -> None:
    send_good_week(world)
    verdicts = world.service.verdicts
    counts(verdicts)
    put_inventory(world, {"c101": "", "c105": ""})
    assert counts(verdicts)[Verdict.MET] == 1
    put_inventory(world, {"c101": "rebuilt", "c105": ""})
    assert counts(verdicts)[Verdict.EXEMPT] == 1
    assert Verdict.MET not in counts(verdicts)


def test_a_town_that_is_renamed_takes_its_schools_along_without_a_count(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    put_inventory(world, {"c101": ""})
    counts(world.service.verdicts)
    put_inventory(world, {"c101": ""}, town="t77")
    assert kept(world.service) == {"s001"}
    assert world.service.verdicts.by_school(NOVEMBER)["s001"].town == "t77"


def put_inventory(world: World, rooms: dict[str, str], town: str = "t01") -> None:
    whole = Inventory(
        (InventorySchool(town, town, "s001", "一小", False),),
        tuple(Classroom("s001", room, room, exempt_reason=reason) for room, reason in rooms.items()),
    )
    since = datetime(2026, 1, 1, tzinfo=UTC)
    world.service.store.inventory.apply(whole, {}, "test", since, since)


@pytest.mark.parametrize(
    ("change", "verdict"),
    [
        ('\n[[exemption]]\nschool = "s001"\nfrom = 2026-11-01\nuntil = 2026-11-30\nreason = "moved"\n', Verdict.EXEMPT),
        ("passing_share = 1.0", Verdict.NOT_MET),
    ],
)
def test_a_policy_counts_anew_what_it_changes(world: World, change: str, verdict: Verdict) -> None:
    world.send(*(throughput(at=at) for at in days(6, 2)), throughput(10e6, 10e6, at=days(1)[0] + timedelta(hours=4)))
    verdicts = world.service.verdicts
    assert counts(verdicts)[Verdict.MET] == 1
    counts(verdicts, OCTOBER)
    text = verdicts.policy.text
    if change.startswith("\n"):
        text += change
    else:
        text = "\n".join(change if line.startswith("passing_share") else line for line in text.splitlines())
    changed = Verdicts(world.service.store, read_policy(text), ZONE)
    assert verdict in counts(changed)
    assert Verdict.MET not in counts(changed)
    same = changed._basis(OCTOBER) == verdicts._basis(OCTOBER)
    assert same == change.startswith("\n"), "an exemption of November is none of October"
    assert counts(verdicts)[Verdict.MET] == 1, "and back again"


def test_a_tally_that_is_kept_too_late_does_not_hold(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are judged while a reader counts what was there before."""
    send_good_week(world)
    service = world.service
    service.verdicts.catch_up()
    slow = Verdicts(service.store, service.verdicts.policy, ZONE)
    rows_of_schools = Verdicts._rows_of_schools

    def meanwhile(self: Verdicts, schools: list[str], month: Month) -> object:
        rows = rows_of_schools(self, schools, month)
        if self is slow:
            world.send(*(throughput(10e6, 10e6, at=at) for at in days(8, 2)))
            service.verdicts.catch_up()
        return rows

    monkeypatch.setattr(Verdicts, "_rows_of_schools", meanwhile)
    assert slow.history([NOVEMBER])[NOVEMBER]["s001"].tally.counts[CLASSROOM] == {
        Verdict.MET: 1,
        Verdict.INSUFFICIENT: 1,
    }, "of the moment it read"
    assert counts(service.verdicts) == {Verdict.NOT_MET: 1, Verdict.INSUFFICIENT: 1}


def test_who_cannot_write_counts_all_the_same(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    send_good_week(world)
    world.service.verdicts.catch_up()

    def full(*_: object, **__: object) -> None:
        raise StoreUnavailable("the disk is full")

    monkeypatch.setattr(Database, "write", full)
    assert counts(world.service.verdicts) == {Verdict.MET: 1, Verdict.INSUFFICIENT: 1}


def test_months_of_an_older_database_are_counted_in_the_background(world: World) -> None:
    """As the migration leaves it: evidence, and no tallies."""
    send_good_week(world)
    service = world.service
    service.verdicts.catch_up()
    service.store._database.write(lambda transaction: transaction.execute("DELETE FROM school_tally"))
    assert service.verdicts.keep_tallies(NOVEMBER, 0.0) == 1, "no time for any"
    assert kept(service) == set()
    assert service.verdicts.keep_tallies(NOVEMBER, 60.0) == 0
    assert kept(service) == {"s001"}
    counts(service.verdicts)


def test_a_year_is_read_at_once(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    months = [NOVEMBER]
    while len(months) < 13:
        months.append(months[-1].before())
    send_good_week(world)
    world.service.verdicts.catch_up()
    first = world.service.verdicts.history(months)
    monkeypatch.setattr(Verdicts, "_from_days", None)
    assert world.service.verdicts.history(months) == first
    assert world.service.verdicts.history(months, "s001") == first
    assert [month for month in months if any(each.tally.valid_results for each in first[month].values())] == [NOVEMBER]
