"""A county for the checks of pages: three schools, one of 40 rooms, problems, people's names; and the pages that are looked at."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec

from campus_collector.domain.inventory import Classroom, Device, Inventory, InventorySchool, InventoryService
from campus_collector.domain.problem import Event, Problem
from campus_collector.http.auth.sessions import COOKIE
from campus_collector.http.pages.help import SITE
from campus_collector.http.pages.paths import result_path
from campus_wire.failures import FailureKind
from campus_wire.records import AnyResult, Interruption
from tests.collector.export.test_devices import device, room
from tests.collector.http.api.test_problems import Browser, person
from tests.collector.lessons import FROZEN, lesson_streams
from tests.collector.world import World, collector, service, throughput

NOW = datetime.now(UTC)
MONTH = NOW.strftime("%Y-%m")
START = NOW.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
MOMENTS = [moment for day in range(6) if (moment := START + timedelta(days=day, hours=2)) < NOW] or [NOW]
RESULT = throughput(99.9e6, 60e6, at=MOMENTS[-1], subject="c101", id="result-of-c101")
MANUAL = (
    ("/help/index.html", "/help/trouble.html", "/help/en/collector.html", "/help/reference-configuration.html")
    if (SITE / "index.html").exists()
    else ()
)
"""Of its pages one of each kind; none where `make docs` has not been run."""
LESSON = MOMENTS[-1].replace(minute=0, second=0, microsecond=0)
LESSONS = f"/schools/s001/lessons?day={(LESSON + timedelta(hours=8)).date()}"
"""A day with disturbed minutes, interruptions, and a recorder that told of its use."""
SIGNED_OUT = ("/login", *MANUAL)
"""Pages that are looked at without a session; all others with that of an administrator, who sees every form."""
PAGES = (
    "/", "/?sort=town&verdict=not_met", "/towns/t01", "/schools/s001", "/carriers", "/unmeasured", "/problems", "/problems?state=all&q=c1",
    "/problems/1", "/search?q=c1", "/search", "/inventory", "/fleet", "/fleet/classrooms", "/monthly", "/policy", "/quarantine", "/wall", "/people", "/account",
    LESSONS, "/schools/s001/subjects/c101", "/schools/s001/subjects/c101?span=year", "/schools/s001/subjects/c102", "/schools/s001/subjects/uplink",
    "/schools/s001/subjects/recording_room", "/schools/s001/services/smartedu-cn", "/schools/s001/devices/rec-1", result_path("s001", RESULT),
    *(f"/explain/{target}" for target in ("classroom_bandwidth/s001/c101", "uplink_bandwidth/s001/uplink", "live_class/s001/uplink")),
    *(f"/evidence/{target}" for target in ("classroom_bandwidth/s001/c101", "uplink_bandwidth/s001/uplink", "live_class/s001/uplink",
                                           "recording_room/s001/recording_room", "platform_access/s001/smartedu-cn")),
    f"/v1/monthly/{MONTH}.html", f"/v1/monthly/{MONTH}.html?town=t01", f"/v1/monthly/{MONTH}.html?school=s001",
    *SIGNED_OUT,
)  # fmt: skip
PAGE_NAMES = [f"{number}-{path.partition('?')[0].replace(MONTH, 'month')}" for number, path in enumerate(PAGES)]
"""For tests: the addresses hold moments, which differ between the workers of a run."""
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


@dataclass(frozen=True, slots=True)
class County:
    """The running collector, and the session of its administrator."""

    world: World
    session: str

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.world.port}{path}"

    def cookies(self, path: str) -> str:
        return "" if path in SIGNED_OUT else f"{COOKIE}={self.session}"


@contextmanager
def county(folder: Path) -> Iterator[County]:
    """Measured on several days of this month."""
    with collector(folder, {"CAMPUS_COUNTY_NAME": "示例县"}) as world:
        world.service.store.inventory.apply(COUNTY, {}, "test", START, START)
        world.send(*results(), announcement=None)
        world.service.store.ledger.put([(each, [OPENED]) for each in problems()])
        world.service.verdicts.catch_up()
        browser = Browser(world)
        browser.post("/login", token=person(world, "李四", "admin"))
        yield County(world, browser.cookies[COOKIE])


def results() -> list[AnyResult]:
    found: list[AnyResult] = [RESULT]
    for number, room_id in enumerate(ROOMS):
        rate = (100e6, 60e6, 99.9e6)[number % 3]
        failure = FailureKind.HOST_UNREACHABLE if number % 7 == 0 else None
        found += [throughput(rate, rate, at=at, subject=room_id, failure=failure) for at in MOMENTS]
    found += [throughput(938e6, 941e6, at=at, subject="uplink", server="198.51.100.10") for at in MOMENTS]
    found += [service(0.18, at=at) for at in MOMENTS]
    found += [device(at, load_ratio=0.5, storage_free_ratio=0.2, recording=1.0) for at in MOMENTS]
    frozen = Interruption(
        "i-1", LESSON + timedelta(minutes=3), LESSON + timedelta(minutes=3, seconds=20), "up", "uplink", 400
    )
    away = Interruption("i-2", LESSON + timedelta(minutes=20), None, "both", "recorder", 30, "rec-1")
    found += lesson_streams(LESSON, 50, {3: FROZEN, 30: {"sent": 0, "unknown_seconds": 60.0}}, [frozen, away])
    return [*found, device(NOW, up=False), room(NOW, False)]


OPENED = Event(at=NOW, who="measurements", what="opened", values={"cause": "endpoint_off"})


def problems() -> list[Problem]:
    """One of a whole school, one of a room, and one that is closed."""
    today = NOW.date()
    whole = {
        "school": "s001", "town": "t01", "target": "classroom_bandwidth", "subject": "", "state": "open", "diagnosis": "shared_bottleneck",
        "opened_on": today - timedelta(days=40), "due_on": today - timedelta(days=10), "unit": "integrator", "failing_days": 9,
        "covers": ["c102", "c105"],
    }  # fmt: skip
    of_room = {"subject": "c101", "covers": [], "diagnosis": "endpoint_off", "unit": "school", "state": "acknowledged"}
    closed = {"state": "closed", "subject": "c103", "closed_on": today}
    return [msgspec.convert(whole | more, Problem) for more in ({}, of_room, of_room | closed)]
