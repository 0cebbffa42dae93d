"""A county's closed months reach the level above, whatever happens in between; what waits says why."""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from campus_base.messages import verbatim
from campus_collector.area.bundle import (
    MonthReceipt,
    canonical_bytes,
    month_of_envelope,
    unpacked,
)
from campus_collector.area.connection import NoAnswer, UpperAnswer, decoded, post
from campus_collector.area.enrol import NotEnrolled, enrol_above
from campus_collector.area.key import NoSigningKey, SigningKey
from campus_collector.area.sender import next_attempt_at, refusal_words
from campus_collector.area.upward import utc_now
from campus_collector.area.worker import MonthsWanted
from campus_collector.cli.main import main
from campus_collector.domain.area import DETAILS, Level, OutgoingMonth, SchoolDetail
from campus_collector.judge.month import Month
from campus_collector.store.errors import StoreUnavailable
from tests.collector.area.test_receive import PREFECTURE, issue
from tests.collector.world import World, collector, days, throughput

ZONE = ZoneInfo("Asia/Shanghai")
AUGUST, SEPTEMBER = Month(2026, 8, ZONE), Month(2026, 9, ZONE)
IN_AUGUST, IN_SEPTEMBER = datetime(2026, 8, 10, 2, tzinfo=UTC), datetime(2026, 9, 7, 2, tzinfo=UTC)
NOWHERE = "http://127.0.0.1:9"


@contextmanager
def lower(folder: Path, url: str, **environ: str) -> Iterator[World]:
    """A collector that sends what it has to this address."""
    folder.mkdir(exist_ok=True)
    values = {
        "CAMPUS_UPSTREAM_URL": url,
        "CAMPUS_UPSTREAM_TOKEN_FILE": str(folder / "token"),
        "CAMPUS_COUNTY_NAME": "甲县",
    }
    with collector(folder, values | environ) as world:
        yield world


@pytest.fixture
def area(tmp_path: Path) -> Iterator[World]:
    """A prefecture's collector."""
    with collector(tmp_path / "prefecture", PREFECTURE) as world:
        yield world


def address(world: World) -> str:
    return f"http://127.0.0.1:{world.port}"


def enrol(world: World, above: World, member: str = "c01", level: Level = "county") -> None:
    """As `area enroll` does it."""
    upstream = world.service.config.upstream
    assert upstream is not None
    enrolled = enrol_above(
        world.service.store, world.service.signing_key, issue(above, member, level), address(above), upstream.token_file,
        None, utc_now,
    )  # fmt: skip
    assert enrolled.county == member
    assert upstream.token_file.stat().st_mode & 0o777 == 0o600


def close(world: World, *months: Month) -> None:
    for month in months:
        world.service.reports.close_figures(month, datetime.now(UTC))


def seed(world: World) -> None:
    """c101 is met in both months; c102 has too few results in August."""
    world.send(
        *(throughput(at=day) for day in days(4, 2, IN_AUGUST)),
        *(throughput(at=day) for day in days(4, 2, IN_SEPTEMBER)),
    )
    world.send(*(throughput(at=day, subject="c102") for day in days(3, 2, IN_AUGUST)))


def late(world: World) -> None:
    """What a gateway still had of August: c102 is met after all."""
    world.send(*(throughput(at=day, subject="c102") for day in days(4, 2, IN_AUGUST + timedelta(days=7))))


def enrol_and_close_august(county: World, area: World) -> None:
    """A county with results, whose August is ready to go up."""
    seed(county)
    enrol(county, area)
    close(county, AUGUST)


def sent(world: World) -> list[tuple[str, int, bool]]:
    return [
        (month.month, month.number, month.acknowledged_at is not None) for month in world.service.store.outgoing.all()
    ]


def test_months_that_were_closed_before_go_up_in_their_order(tmp_path: Path, area: World) -> None:
    with lower(tmp_path / "c01", address(area)) as county:
        assert county.service.upward.run(at_once=True).acknowledged == 0, "not enrolled: nothing is made"
        seed(county)
        close(county, AUGUST, SEPTEMBER)
        enrol(county, area)
        done = county.service.upward.run(at_once=True)
        assert (done.acknowledged, done.waiting) == (2, 0)
        assert county.service.upward.run(at_once=True).acknowledged == 0, "once"
        received = area.service.store.area.months()
        assert [month.month for month in received] == ["2026-08", "2026-09"]
        assert received[0].summary.report_hash == county.service.store.monthly.hashes()["2026-08"]
        first, second = (month_of_envelope(unpacked(area.service.store.area.envelope(month))) for month in received)
        assert first.previous == ""
        assert second.previous == received[0].sha256
        assert second.heads_before == first.heads != []


@pytest.mark.sqlite_only("on the server a test's second store is a new one each time it is opened")
def test_a_county_that_is_cut_off_catches_up(tmp_path: Path, area: World) -> None:
    folder = tmp_path / "c01"
    with lower(folder, address(area)) as county:
        enrol_and_close_august(county, area)
    with lower(folder, NOWHERE) as county:
        done = county.service.upward.run(at_once=True)
        assert (done.acknowledged, done.failed, done.waiting) == (0, 1, 1)
        (waiting,) = county.service.store.outgoing.waiting()
        assert waiting.answer is not None
        assert waiting.answer.en.startswith("no connection")
        assert county.service.upward.run().failed == 0, "it is not tried again at once"
        page = county.get("/upward?lang=en").body.decode()
        assert "no connection" in page
        assert "1 wait to be acknowledged" in page
        metrics = county.get("/metrics?scope=collector").body.decode()
        assert "campus_upstream_waiting_months 1.0" in metrics
        assert "campus_upstream_waiting_since_timestamp_seconds" in metrics
        close(county, SEPTEMBER)
    with lower(folder, address(area)) as county:  # a month later, and after a restart
        assert county.service.upward.run(at_once=True).acknowledged == 2
        assert "campus_upstream_waiting_months 0.0" in county.get("/metrics").body.decode()
        assert "acknowledged" in county.get("/upward?lang=en").body.decode()
    assert [month.month for month in area.service.store.area.months()] == ["2026-08", "2026-09"]


def test_a_correction_is_sent_when_the_report_that_names_it_is_closed(tmp_path: Path, area: World) -> None:
    with lower(tmp_path / "c01", address(area)) as county:
        enrol_and_close_august(county, area)
        county.service.upward.run(at_once=True)
        late(county)
        close(county, SEPTEMBER)
        assert county.service.upward.run(at_once=True).acknowledged == 2
        assert sent(county) == [("2026-08", 0, True), ("2026-09", 0, True), ("2026-08", 1, True)]
    (standing,) = area.service.area.counties()
    assert [(month.month, month.number) for month in standing.received] == [
        ("2026-08", 0),
        ("2026-09", 0),
        ("2026-08", 1),
    ]
    as_closed, _, corrected = standing.received
    assert as_closed.summary.totals["classroom_bandwidth"].met == 1
    assert corrected.summary.totals["classroom_bandwidth"].met == 2
    assert (corrected.summary.reported_in, corrected.summary.changed) == ("2026-09", 1)
    assert "correction no. 1" in area.get("/counties/c01?lang=en").body.decode()
    report = area.get("/v1/monthly/2026-09.html?lang=en").body.decode()
    assert corrected.sha256[:16] in report


def test_an_acknowledgement_that_was_lost_is_given_again(tmp_path: Path, area: World) -> None:
    """Killed between the answer and its own commit: the month is sent again and counts once."""
    with lower(tmp_path / "c01", address(area)) as county:
        enrol_and_close_august(county, area)
        store = county.service.store
        real = store.outgoing.acknowledged

        class Killed(BaseException):
            pass

        def killed(*_: object) -> None:
            raise Killed

        store.outgoing.acknowledged = killed  # type: ignore[method-assign]
        with pytest.raises(Killed):
            county.service.upward.run(at_once=True)
        store.outgoing.acknowledged = real  # type: ignore[method-assign]
        assert sent(county) == [("2026-08", 0, False)]
        assert county.service.upward.run(at_once=True).acknowledged == 1
    assert len(area.service.store.area.months()) == 1


@pytest.mark.sqlite_only("collectors on a server share the key in its database")
def test_another_key_is_refused_and_a_new_code_mends_it(tmp_path: Path, area: World) -> None:
    folder = tmp_path / "c01"
    with lower(folder, address(area)) as county:
        enrol_and_close_august(county, area)
    (folder / "signing-key.pem").unlink()
    with lower(folder, address(area)) as county:
        with pytest.raises(Exception, match="could not be prepared"):
            county.service.upward.run(at_once=True)
        county.service.signing_key.make()
        assert county.service.upward.run(at_once=True).failed == 1
        (waiting,) = county.service.store.outgoing.waiting()
        assert waiting.answer is not None
        assert waiting.answer.en.startswith("signed with another key")
        assert "签名密钥与注册时的密钥不同" in county.get("/upward?lang=zh").body.decode()
        enrol(county, area)
        assert county.service.upward.run(at_once=True).acknowledged == 1


@pytest.mark.sqlite_only("collectors on a server share the key in its database")
def test_what_was_prepared_with_a_key_that_is_lost_is_signed_again(tmp_path: Path, area: World) -> None:
    folder = tmp_path / "c01"
    with lower(folder, address(area)) as county:
        enrol_and_close_august(county, area)
    with lower(folder, NOWHERE) as county:
        assert county.service.upward.run(at_once=True).failed == 1
        (waiting,) = county.service.store.outgoing.waiting()
    (folder / "signing-key.pem").unlink()
    with lower(folder, address(area)) as county:
        enrol(county, area)
        assert county.service.upward.run(at_once=True).acknowledged == 1
        new = county.service.signing_key.public_key()
    (month,) = area.service.store.area.months()
    assert (month.sha256, month.public_key) == (waiting.sha256, new)


def test_a_prefecture_hands_each_month_on_unchanged(tmp_path: Path) -> None:
    with ExitStack() as stack:
        province = stack.enter_context(collector(tmp_path / "province", {"CAMPUS_AREA_LEVEL": "province"}))
        middle = stack.enter_context(lower(tmp_path / "p01", address(province), **PREFECTURE))
        county = stack.enter_context(lower(tmp_path / "c01", address(middle)))
        enrol(middle, province, "p01", "prefecture")
        assert "Enrolled, and nothing has come yet" in province.get("/?lang=en").body.decode()
        enrol(county, middle)
        seed(county)
        close(county, AUGUST)
        county.service.upward.run(at_once=True)
        assert middle.service.upward.run(at_once=True).acknowledged == 1
        late(county)
        close(county, SEPTEMBER)
        county.service.upward.run(at_once=True)
        assert middle.service.upward.run(at_once=True).acknowledged == 2
        above, below = province.service.store.area.months(), middle.service.store.area.months()
        assert [month.label for month in above] == ["p01.c01"] * 3
        assert {month.summary.name for month in above} == {"c01县"}, "as the prefecture calls it"
        assert [month.sha256 for month in above] == [month.sha256 for month in below]
        assert {month.public_key for month in above} == {county.service.signing_key.public_key()}
        assert 'county="p01.c01"' in province.get("/metrics?scope=area").body.decode()
        assert province.get("/counties/p01.c01").status == 200


def test_the_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        service = world.service
        assert service.signing_key.fingerprint() == "", "commands make none"
        with pytest.raises(NoSigningKey):
            service.signing_key.sign(b"x")
        service.signing_key.make()
        first = service.signing_key.fingerprint()
        other = SigningKey(service.store, service.config.key_folder)
        other.make()
        assert other.fingerprint() == first != ""
        if service.config.key_folder is not None:
            file = service.config.key_folder / "signing-key.pem"
            assert file.stat().st_mode & 0o777 == 0o600
            assert not (service.config.key_folder / "signing-key.pem.new").exists()
        shown = world.get("/policy?lang=en").body.decode().replace(" ", "")
        assert first in shown


def test_a_damaged_key_is_no_key(tmp_path: Path) -> None:
    with collector(tmp_path) as world:
        (tmp_path / "signing-key.pem").write_bytes(b"-----BEGIN nothing")
        with pytest.raises(NoSigningKey, match="damaged"):
            SigningKey(world.service.store, tmp_path).public_key()


class Elsewhere(BaseHTTPRequestHandler):
    """Sends everybody away."""

    asked: list[str] = []

    def do_POST(self) -> None:
        self.asked.append(self.path)
        self.send_response(307)
        self.send_header("Location", "/other")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


def test_a_collector_that_is_stopped_waits_for_nothing(tmp_path: Path, area: World) -> None:
    """The process that prepares is killed, and no month is sent any more."""
    with lower(tmp_path / "c01", address(area)) as county:
        enrol_and_close_august(county, area)
        upward, started = county.service.upward, threading.Event()

        def without_end(wanted: MonthsWanted, keep: Callable[[subprocess.Popen[bytes]], None]) -> int:
            with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
                keep(process)
                started.set()
                process.wait()
            raise StoreUnavailable(verbatim("ended without an answer"))

        def run() -> None:
            with pytest.raises(StoreUnavailable):
                upward.run(at_once=True)

        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("campus_collector.area.upward.prepare_apart", without_end)
            thread = threading.Thread(target=run)
            thread.start()
            assert started.wait(60)
            upward.stop()
            thread.join(60)
            assert not thread.is_alive()
        with pytest.raises(StoreUnavailable, match="being stopped"):
            upward.run(at_once=True)
    assert area.service.store.area.months() == []


@pytest.mark.parametrize("status", [201, 403, 500])
def test_an_answer_that_is_nested_without_end_is_no_answer(tmp_path: Path, status: int) -> None:
    deep = b'{"x":' + b"[" * 60_000
    assert decoded(deep, MonthReceipt) is None
    assert refusal_words(UpperAnswer(status, deep))[1] is False
    with collector(tmp_path) as world, pytest.MonkeyPatch.context() as patched:
        patched.setattr("campus_collector.area.enrol.post", lambda *_: UpperAnswer(status, deep))
        with pytest.raises(NotEnrolled):
            enrol_above(
                world.service.store, world.service.signing_key, "7K3M-Q9XZ-02FD", NOWHERE, tmp_path / "token", None,
                utc_now,
            )  # fmt: skip


def test_no_redirect_is_followed_and_no_proxy_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", NOWHERE)
    monkeypatch.setenv("http_proxy", NOWHERE)
    with HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answer = post(f"http://127.0.0.1:{server.server_port}/base/", "/v1/months", b"{}", None, "secret-token")
        server.shutdown()
    assert answer.status == 307
    assert Elsewhere.asked == ["/base/v1/months"]
    with pytest.raises(NoAnswer) as error:
        post(NOWHERE, "/v1/months", b"{}", None, "secret-token")
    assert "secret" not in str(error.value)


def test_attempts_become_rarer_and_never_rarer_than_an_hour() -> None:
    made = datetime(2026, 11, 6, tzinfo=UTC)
    month = OutgoingMonth("", 0, "2026-10", 0, made, "ab" * 32)
    assert next_attempt_at(month) == made
    waits = []
    for attempts in range(1, 30):
        tried = OutgoingMonth("", 0, "2026-10", 0, made, "ab" * 32, attempts, made)
        waits.append((next_attempt_at(tried) - made).total_seconds())
    assert 30 <= waits[0] <= 60
    assert all(1800 <= wait <= 3600 for wait in waits[6:])


def test_the_commands_say_what_they_cannot_do(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = ["--state-dir", str(tmp_path)]
    for arguments in (["enroll-code", "c01"], ["enroll", "7K3M-Q9XZ-02FD"], ["send"]):
        assert main(["area", *arguments, *folder]) == 2, arguments
    with collector(tmp_path):
        assert main(["area", "revoke", "c01", *folder]) == 1
    assert "c01" in capsys.readouterr().err


@pytest.mark.parametrize("detail", DETAILS)
def test_the_level_above_gets_of_schools_what_the_county_lets_be_seen(
    tmp_path: Path, area: World, detail: SchoolDetail
) -> None:
    with lower(tmp_path / "c01", address(area), CAMPUS_UPSTREAM_SCHOOLS=detail) as county:
        enrol_and_close_august(county, area)
        assert county.service.upward.run(at_once=True).acknowledged == 1
    (received,) = area.service.store.area.months()
    month = month_of_envelope(unpacked(area.service.store.area.envelope(received)))
    content = canonical_bytes(month)
    assert (b"s001" in content, b"c101" in content) == (detail != "none", detail == "verdicts")
    assert month.totals["classroom_bandwidth"].met == 1
