"""Two schools in two towns with two months of results that came in turns, and their archives."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from campus_collector.archive.service import Archives
from campus_collector.judge.month import Month
from campus_wire.records import AnnouncedClassroom, Announcement
from tests.collector.world import ANNOUNCEMENT, World, days, envelope, service, throughput

ZONE = ZoneInfo("Asia/Shanghai")
OCTOBER, NOVEMBER = Month(2026, 10, ZONE), Month(2026, 11, ZONE)
FIRST = datetime(2026, 10, 12, 2, tzinfo=UTC)
SECOND = datetime(2026, 11, 9, 2, tzinfo=UTC)
CLOSED_AT = datetime(2026, 12, 6, tzinfo=UTC)
OTHER_SCHOOL = Announcement(town="t02", classrooms=[AnnouncedClassroom("c101", "一年级1班", 1e8)])


def send_two_months(world: World) -> None:
    """s001 of t01: c101 well, c102 slow, a platform; some of October comes after November has begun. s002 of t02: one classroom."""
    world.send(*(throughput(at=day) for day in days(5, 2, FIRST)))
    world.send(*(throughput(60e6, at=day, subject="c102") for day in days(5, 2, FIRST)), service(at=FIRST))
    world.send(*(throughput(at=day) for day in days(2, 2, SECOND)))
    late = FIRST + timedelta(days=9)
    world.send(throughput(at=late), throughput(at=SECOND + timedelta(days=4)), service(None, at=late))
    token = world.issue_token("s002")
    batch = envelope(
        *(throughput(at=day, school="s002") for day in days(5, 2, FIRST)), agent_id="s002", announcement=OTHER_SCHOOL
    )
    assert world.post(batch, token).status == 200
    assert ANNOUNCEMENT.town == "t01"


def close(world: World, *months: Month) -> None:
    """Without their documents, which take long to make."""
    for month in months:
        world.service.reports.close_figures(month, CLOSED_AT)


def archives_in(world: World, folder: Path) -> Archives:
    """Another folder of archives for the same store."""
    config = world.service.config
    return Archives(world.service.store, world.service.verdicts.policy, config.timezone, config.county, folder)
