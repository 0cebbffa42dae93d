"""Three counties and a prefecture as real processes: one is offline for a month, one corrects, one has a wrong key; the prefecture is killed in between."""

import json
import shutil
import socket
import subprocess
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_collector.config import load_config
from campus_collector.domain.area import OutgoingMonth
from campus_collector.http.service import open_service
from campus_collector.judge.month import Month
from campus_collector.report.forms.render import FORMS
from campus_collector.report.service import file_name, write_file
from campus_collector.store.open import open_store
from tests.collector.world import World, collector, days, envelope, throughput
from tests.flow.programs import ENVIRONMENT, get_json, python, start, stop, until

pytestmark = pytest.mark.sqlite_only("a store is copied as a file")
ZONE = ZoneInfo("Asia/Shanghai")
AUGUST, SEPTEMBER = Month(2026, 8, ZONE), Month(2026, 9, ZONE)
IN_AUGUST, IN_SEPTEMBER = datetime(2026, 8, 10, 2, tzinfo=UTC), datetime(2026, 9, 7, 2, tzinfo=UTC)
SECONDS = 240.0


class Site:
    """A collector of a folder: its configuration, its process, its commands."""

    def __init__(self, folder: Path, port: int, *more: str) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.port, self.file = folder, port, folder / "collector.toml"
        lines = ["[server]", f'listen = "127.0.0.1:{port}"', "[store]", f'url = "sqlite://{folder}/campus.db"', *more]
        self.file.write_text("\n".join(lines) + "\n")
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def serve(self, stack: ExitStack) -> None:
        self.process = start(python("campus_collector", "serve", "--config", str(self.file)), self.folder / "log")
        stack.callback(stop, self.process)
        until(lambda: get_json(f"{self.url}/readyz"), SECONDS, f"{self.folder.name} answers")

    def command(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            python("campus_collector", *arguments, "--config", str(self.file)),
            capture_output=True, text=True, check=False, env=ENVIRONMENT, timeout=SECONDS,
        )  # fmt: skip

    def outgoing(self) -> list[OutgoingMonth]:
        """What it has prepared, as its database has it now."""
        store = open_store(self.folder / "campus.db")
        try:
            return store.outgoing.all()
        finally:
            store.close()

    def received(self, county: str) -> list[tuple[str, int]]:
        """Month and number of what has come of a county."""
        store = open_store(self.folder / "campus.db")
        try:
            return [(month.month, month.number) for month in store.area.months() if month.county == county]
        finally:
            store.close()

    def close(self, month: Month, hours_ago: int) -> None:
        """So long ago that nobody waits for its documents any more; none is made, which would take longer than all the rest."""
        for form in FORMS:
            for language in ("zh", "en"):
                path = self.folder / "reports" / str(month) / file_name(str(month), form, language)
                write_file(path, b"")
        service = open_service(load_config(self.file, None))
        try:
            service.reports.close_figures(month, datetime.now(UTC) - timedelta(hours=hours_ago))
        finally:
            service.store.close()


@pytest.fixture
def free_ports() -> list[int]:
    """Four that nobody listens on now."""
    with ExitStack() as stack:
        listeners = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(4)]
        return [listener.getsockname()[1] for listener in listeners]


@pytest.fixture
def sites(tmp_path: Path, free_ports: list[int]) -> tuple[Site, list[Site]]:
    """The prefecture, and three counties with the same results."""
    area = Site(tmp_path / "area", free_ports[0], "[area]", 'level = "prefecture"', 'name = "示例市"')
    upstream = ("[upstream]", f'url = "{area.url}"', 'token_file = "token"', "[county]")
    template = tmp_path / "template"
    with collector(template) as world:
        world.send(
            *(throughput(at=day) for day in days(4, 2, IN_AUGUST)),
            *(throughput(at=day) for day in days(4, 2, IN_SEPTEMBER)),
        )
        world.send(*(throughput(at=day, subject="c102") for day in days(3, 2, IN_AUGUST)))
    counties = []
    for number in (1, 2, 3):
        county = Site(tmp_path / f"c0{number}", free_ports[number], *upstream, f'name = "县{number}"')
        shutil.copy(template / "campus.db", county.folder / "campus.db")
        county.close(AUGUST, 3)
        counties.append(county)
    return area, counties


def enrol(area: Site, county: Site) -> None:
    code = area.command("area", "enroll-code", county.folder.name, "--name", county.folder.name).stdout.strip()
    done = county.command("area", "enroll", code)
    assert done.returncode == 0, done.stderr


def test_a_prefecture_has_what_its_counties_closed(sites: tuple[Site, list[Site]]) -> None:
    area, (one, two, three) = sites
    with ExitStack() as stack:
        area.serve(stack)
        for county in (one, two, three):
            enrol(area, county)
        (three.folder / "signing-key.pem").unlink()  # its disk was replaced
        one.serve(stack)
        three.serve(stack)
        until(lambda: area.received("c01") == [("2026-08", 0)], SECONDS, "the first county's month")
        until(lambda: any(month.attempts for month in three.outgoing()), SECONDS, "the third county has tried")
        (refused,) = json.loads(three.command("area", "status", "--json").stdout)["outgoing"]
        assert refused["answer"].startswith("signed with another key")
        assert refused["acknowledged_at"] is None
        assert area.received("c03") == []

        assert area.process is not None
        area.process.kill()
        area.process.wait(60)
        late(one)
        one.close(SEPTEMBER, 1)
        two.close(SEPTEMBER, 1)
        assert one.command("area", "send").returncode == 1, "nobody answers"
        waiting = [month for month in one.outgoing() if month.acknowledged_at is None]
        assert [(month.month, month.number) for month in waiting] == [("2026-09", 0), ("2026-08", 1)]

        area.serve(stack)
        assert one.command("area", "send").returncode == 0
        assert area.received("c01") == [("2026-08", 0), ("2026-09", 0), ("2026-08", 1)]
        assert area.received("c02") == []
        two.serve(stack)  # it was off for a month
        until(lambda: area.received("c02") == [("2026-08", 0), ("2026-09", 0)], SECONDS, "the second county's months")
        enrol(area, three)
        assert three.command("area", "send").returncode == 0
        assert area.received("c03") == [("2026-08", 0)]
        out = area.folder / "reports"
        done = area.command("report", "--month", "2026-09", "--format", "html,xlsx", "--lang", "en", "--out", str(out))
        assert done.returncode == 0, done.stderr
        report = (out / "campusmeter-2026-09-en.html").read_text(encoding="utf-8")
        assert "what 2 of 3 counties" in report
        assert (out / "campusmeter-2026-09-en.xlsx").stat().st_size > 5000
        for site in (area, one, two, three):
            log = (site.folder / "log").read_text(encoding="utf-8")
            assert "cm1_" not in log, "no token in a log"
            assert "PRIVATE KEY" not in log


def late(county: Site) -> None:
    """What a gateway still had of August comes to the running collector."""
    done = county.command("agent-token", "s001")
    assert done.returncode == 0, done.stderr
    token = done.stdout.split()[0]
    world = World(None, county.port, token)  # type: ignore[arg-type]
    results = (throughput(at=day, subject="c102") for day in days(4, 2, IN_AUGUST + timedelta(days=7)))
    answer = world.post(envelope(*results))
    assert answer.status == 200, answer.body
