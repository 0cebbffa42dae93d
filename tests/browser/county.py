"""A county for the checks of pages: three schools, one of 40 rooms, problems, people's names; and the pages that are looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService
from campus_collector.domain.problem import Event, Problem
from campus_wire.failures import FailureKind
from tests.collector.world import World, collector, service, throughput

MONTH = datetime.now(UTC).strftime("%Y-%m")
PAGES = (
    "/", "/?sort=town&verdict=not_met", "/towns/t01", "/schools/s001", "/carriers", "/unmeasured", "/problems", "/problems?state=all&q=c1",
    "/problems/1", "/search?q=c1", "/search", "/inventory", "/fleet", "/monthly", "/policy", "/quarantine", "/login", "/wall",
    "/explain/classroom_bandwidth/s001/c101", "/explain/uplink_bandwidth/s001/uplink",
)  # fmt: skip
ROOMS = [f"c{grade}{number:02d}" for grade in range(1, 6) for number in range(1, 9)]
COUNTY = Inventory(
    (
        InventorySchool("t01", "柳河镇", "s001", "柳河镇中心小学", True, "甲通信公司", "JY-1", 10**9, "乙公司", "王老师", "0000-0001"),
        InventorySchool("t01", "柳河镇", "s002", "柳河镇东庄小学", False, "甲通信公司", "JY-2", 10**9),
        InventorySchool("t02", "松山镇", "s003", "松山镇完全小学", False),
    ),
    (
        *(Classroom("s001", room, f"{room[1]}年级{int(room[2:])}班", f"10.0.1.{number}") for number, room in enumerate(ROOMS, 10)),
        Classroom("s002", "c101", "一年级1班", "10.0.2.1"),
        Classroom("s003", "c101", "一年级1班", ""),
    ),
    (Device("s001", "r1", "rec-1", "录播主机", "recorder-generic", "10.0.1.240"),),
    (InventoryService("smartedu-cn", "国家中小学智慧教育平台", "https://basic.smartedu.example/"),),
    (),
)  # fmt: skip


@contextmanager
def county(folder: Path) -> Iterator[World]:
    """Measured on several days of this month."""
    with collector(folder, {"CAMPUS_COUNTY_NAME": "示例县"}) as world:
        now = datetime.now(UTC)
        start = now.replace(day=1, hour=0, minute=0)
        world.service.store.inventory.apply(COUNTY, {}, "test", start, start)
        moments = [moment for day in range(6) if (moment := start + timedelta(days=day, hours=2)) < now] or [now]
        results = []
        for number, room in enumerate(ROOMS):
            rate = (100e6, 60e6, 99.9e6)[number % 3]
            failure = FailureKind.HOST_UNREACHABLE if number % 7 == 0 else None
            results += [throughput(rate, rate, at=at, subject=room, failure=failure) for at in moments]
        results += [throughput(938e6, 941e6, at=at, subject="uplink") for at in moments]
        results += [service(0.18, at=at) for at in moments]
        world.send(*results, announcement=None)
        today = now.date()
        problem = {
            "school": "s001", "town": "t01", "target": "classroom_bandwidth", "subject": "", "state": "open", "diagnosis": "shared_bottleneck",
            "opened_on": today - timedelta(days=40), "due_on": today - timedelta(days=10), "unit": "integrator", "failing_days": 9,
            "covers": ["c102", "c105"],
        }  # fmt: skip
        other = problem | {
            "subject": "c101",
            "covers": [],
            "diagnosis": "endpoint_off",
            "unit": "school",
            "state": "acknowledged",
        }
        closed = other | {"state": "closed", "subject": "c103", "closed_on": today}
        opened = Event(at=now, who="measurements", what="opened", values={"cause": "endpoint_off"})
        world.service.store.ledger.put(
            [(msgspec.convert(each, Problem), [opened]) for each in (problem, other, closed)]
        )
        world.service.verdicts.catch_up()
        yield world
