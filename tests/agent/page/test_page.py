"""The classroom's page: its arithmetic, who may begin a test and when, what is refused, and what a hostile name cannot do."""

import fcntl
import http.client
import ipaddress
import itertools
import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import date, datetime, time
from pathlib import Path
from time import monotonic, sleep
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from campus_agent.clock.clock import ClockEstimate, system_clock
from campus_agent.config.model import AgentConfig, Endpoint, LoadLimits, Page, Timetable
from campus_agent.config.values import DayRange, Period
from campus_agent.gate import rules
from campus_agent.gate.school_time import recalled_time
from campus_agent.measure.link.cpu_wait import CpuWait
from campus_agent.page import server as server_module
from campus_agent.page.admission import Admission, BrowserCount
from campus_agent.page.browser_test import BrowserTest
from campus_agent.page.networks import ClassroomNetworks
from campus_agent.page.rates import ArrivalCount, direction, filled, latency, rate_while_full
from campus_agent.page.server import PageServer
from campus_agent.page.view import classroom_page, codes_page
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.spool.spool import open_spool
from campus_wire.encapsulation import Encapsulation
from tests.agent.measure.equipment.peers import free_port
from tests.flow.programs import until

SHANGHAI = ZoneInfo("Asia/Shanghai")
MONDAY = datetime(2026, 11, 23, 9, 50, tzinfo=SHANGHAI)
ROOM = Endpoint("c101", "一年级1班", "127.0.0.1", 5301, "campus", 100_000_000)


def config(folder: Path, **more: object) -> AgentConfig:
    config = AgentConfig(
        None, "s001", folder, SHANGHAI, "s001", classrooms=(ROOM,), page=Page(port=0, listen="127.0.0.1")
    )
    return replace(config, **{"limits": LoadLimits(max_cpu_ratio=1.0)} | more)


@contextmanager
def page(own: AgentConfig, now: datetime = MONDAY) -> Iterator[PageServer]:
    admission = Admission(own, replace(system_clock(), wall=now.timestamp, is_set=lambda: False))
    server = PageServer(admission, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        admission.close()


def ask(server: PageServer, method: str, path: str, body: object = None, **headers: str) -> tuple[int, dict]:
    line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
    given_ = {"X-CampusMeter": "1"} | {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        line.request(
            method, path, json.dumps(body) if body is not None else None, {k: v for k, v in given_.items() if v}
        )
        answer = line.getresponse()
        octets = answer.read()
        return answer.status, json.loads(octets) if octets[:1] == b"{" else {"text": octets.decode(errors="replace")}
    finally:
        line.close()


MSS = 1448


def steady(rate: float, step: float = 0.05, seconds: float = 5.0) -> list[ArrivalCount]:
    """Looks at a load that never pauses and loses nothing."""
    counts = [int(n * step * rate / 8 / MSS) for n in range(int(seconds / step) + 1)]
    return [ArrivalCount(n * step, count * MSS, count) for n, count in enumerate(counts)]


def rate_of(looks: list[ArrivalCount]) -> float:
    record = direction(looks, 1.0, 0)
    assert record is not None
    return record.goodput_bits_per_second


@given(st.floats(5e6, 1e10), st.floats(0.02, 0.2), st.floats(2.5, 6.0))
def test_a_steady_rate_is_found(rate: float, step: float, seconds: float) -> None:
    record = direction(steady(rate, step, seconds), 1.0, 123)
    assert record is not None
    assert record.goodput_bits_per_second == pytest.approx(rate, abs=0.001 * rate + 2 * 8 * MSS)
    assert (record.bytes, record.warmup_seconds >= 1.0) == (123, True)


@given(st.lists(st.tuples(st.floats(0.001, 0.5), st.integers(0, 10**4), st.integers(0, MSS)), max_size=60))
def test_whatever_was_counted_the_rate_is_within_what_was_seen(steps: list[tuple[float, int, int]]) -> None:
    looks, at, octets, segments = [ArrivalCount(0.0, 0, 0)], 0.0, 0, 0
    for seconds, more, payload in steps:
        at, octets, segments = at + seconds, octets + more * payload, segments + more
        looks.append(ArrivalCount(at, octets, segments))
    record = direction(looks, 1.0, octets)
    if record is not None:
        fastest = max((b.segments - a.segments) * MSS * 8 / (b[0] - a[0]) for a, b in itertools.pairwise(looks))
        assert 0 < record.goodput_bits_per_second <= fastest * 1.000001


def test_what_waits_behind_a_lost_segment_does_not_shift_the_rate() -> None:
    looks = steady(100e6)
    for held in (range(20, 40), range(60, 70), range(90, 101)):  # 1 MB arrived and is not in order yet
        shifted = [
            look._replace(bytes_in_order=look.bytes_in_order - 1_000_000 * (n in held)) for n, look in enumerate(looks)
        ]
        assert rate_of(shifted) == pytest.approx(100e6, rel=0.003)


def test_what_came_twice_does_not_count() -> None:
    twice = [look._replace(segments=round(look.segments * 1.05)) for look in steady(100e6)]
    assert rate_of(twice) == pytest.approx(100e6, rel=0.003)


def test_a_browser_that_pauses_does_not_slow_the_line() -> None:
    looks, lost = [], 0
    for n, look in enumerate(steady(100e6)):
        if n in (30, 31, 32, 33, 34, 80, 81, 82):  # 0.4 s in all: a mean over the load would be a tenth too low
            lost += round(100e6 / 8 / MSS * 0.05)
        looks.append(ArrivalCount(look.at_seconds, look.bytes_in_order - lost * MSS, look.segments - lost))
    assert rate_of(looks) == pytest.approx(100e6, rel=0.01)


def test_a_gigabit_that_ended_after_two_seconds() -> None:
    assert rate_of(steady(1e9, seconds=2.05)) == pytest.approx(1e9, rel=0.001)


def waiting(looks: list[ArrivalCount], share: float) -> list[ArrivalCount]:
    """The same load, of an end that lacked a processor in this share of the slots and sent less then."""
    rng, lost, seen = random.Random(7), 0.0, []
    for before, look in itertools.pairwise([looks[0], *looks]):
        if rng.random() < share:
            lost += rng.uniform(0.05, 0.9) * (look.segments - before.segments)
        seen.append(ArrivalCount(look.at_seconds, look.bytes_in_order - int(lost) * MSS, look.segments - int(lost)))
    return seen


@pytest.mark.parametrize(
    ("line", "share", "expected"),
    [
        (97e6, 0.0, 97e6),
        (97e6, 0.6, 97e6),
        (100e6, 0.6, 100e6),
        (10e6, 0.03, 10e6),
        (100e6, 1.0, None),  # nothing agrees: nobody knows what the line carries
        (100e6, 0.9, None),
    ],
)
def test_a_gateway_that_waits_still_sees_the_line_where_a_good_part_of_the_slots_agrees(
    line: float, share: float, expected: float | None
) -> None:
    path = Encapsulation()
    looks = waiting(steady(line * MSS / path.wire_bytes), share)
    rate = rate_while_full(looks, 1.0, path)
    assert rate == (expected and pytest.approx(expected, rel=0.012))


@pytest.mark.parametrize(
    ("waited", "share", "validity", "verdict"),
    [
        (0.0, 0.0, "ok", "met"),
        (0.3, 0.5, "ok", "met"),  # the slots agree
        (0.6, 1.0, "gateway_cpu", "insufficient"),
        (0.0, 1.0, "ok", "not_met"),  # nobody waited: then it is the line
    ],
)
def test_a_busy_gateway_blames_no_line(
    tmp_path: Path, waited: float, share: float, validity: str, verdict: str
) -> None:
    with page(config(tmp_path)) as served:
        test = BrowserTest(ROOM, "127.0.0.1", "Chrome")
        test.admit(10**9)
        for load in (test.down, test.up):
            load.counts = waiting(steady(100e6 * MSS / 1538), share)
            load.lost_segments = load.counts[-1].segments // 100  # the line was full now and then
            load.waiting = CpuWait(pressure_ratio=waited)
        result = served.admission.finish(test, BrowserCount())
    answer = server_module.shown(result)
    assert (str(result.validity), answer["validity"], answer["verdict"]) == (validity, validity, verdict), result.detail


@pytest.mark.parametrize(
    ("lost", "window_limited", "idle", "working", "expected"),
    [
        (0.002, 0.0, [0.0002], [0.0002], True),
        (0.00005, 0.0, [0.0002], [0.0002], False),  # one now and then proves nothing
        (0.002, 0.9, [0.0002], [0.0102], False),
        (0, 0.0, [0.0002, 0.04], [0.0036, 0.0036], True),
        (0, 0.0, [0.0002], [0.0009], False),
        (0, 0.9, [0.0002], [0.0402], False),  # it reads slowly, and answers late
        (0, 0.9, [0.0002], [0.3], True),  # a queue longer than the window
        (0, 0.0, [], [0.3], False),
        (0, 0.0, [0.0002], [], False),
    ],
)
def test_a_full_line_shows(
    lost: float, window_limited: float, idle: list[float], working: list[float], expected: bool
) -> None:
    assert filled(lost, window_limited, idle, working) is expected


def test_too_little_says_nothing() -> None:
    assert direction([], 1.0, 0) is None
    assert direction([ArrivalCount(0.0, 0, 0), ArrivalCount(0.5, 1, 1), ArrivalCount(1.2, 2, 2)], 1.0, 0) is None
    assert direction(steady(100e6, seconds=1.3), 1.0, 0) is None
    assert latency([], 0) is None
    record = latency([0.002, 0.003, 0.002], 3)
    assert record is not None
    assert (record.method, record.packets_received, record.rtt_min_seconds) == ("tcp_info", 3, 0.002)


def test_the_page_and_the_codes(tmp_path: Path) -> None:
    with page(config(tmp_path)) as server:
        status, answer = ask(server, "GET", "/?room=c101")
        assert status == 200
        assert "班级网络测速" in answer["text"]
        status, answer = ask(server, "GET", "/codes", Host="10.1.2.3:8090")
        assert status == 200
        assert "http://10.1.2.3:8090/?room=c101" in answer["text"]
        assert answer["text"].count("<svg") == 1
        assert "Classroom network test" in ask(server, "GET", "/", Accept_Language="en-GB")[1]["text"]


def test_the_page_runs_no_script_but_its_own(tmp_path: Path) -> None:
    with page(config(tmp_path)) as server:
        seen = []
        for _ in range(2):
            line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
            line.request("GET", "/")
            answer = line.getresponse()
            text, policy = answer.read().decode(), answer.headers["Content-Security-Policy"]
            nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
            assert f'<script nonce="{nonce}">' in text
            assert "default-src 'none'" in policy
            assert (answer.headers["X-Content-Type-Options"], answer.headers["X-Frame-Options"]) == ("nosniff", "DENY")
            assert "Python" not in answer.headers["Server"]
            seen.append(nonce)
        assert seen[0] != seen[1]
        assert len(seen[0]) == 32


def test_a_hostile_name_ends_no_script() -> None:
    room = replace(ROOM, name="</script><script>alert(1)</script>")
    text = classroom_page([room], "</script>", "zh", "n")
    assert "</script><script>alert" not in text
    assert text.count("</script>") == 1
    assert "<script>alert" not in codes_page([room], "http://10.0.0.1", "zh")


def test_a_whole_test_by_hand(tmp_path: Path) -> None:
    modest = replace(ROOM, required_bits_per_second=10_000_000)  # a loopback reaches it on the busiest machine
    with page(config(tmp_path, classrooms=(modest,))) as server:
        status, begun = ask(server, "POST", "/begin", {"room": "c101"}, User_Agent="Mozilla/5.0 Chrome/1")
        assert status == 200, begun
        name = begun["trial"]
        assert ask(server, "POST", "/begin", {"room": "c101"})[1]["reason"] == "busy"
        for _ in range(3):
            assert ask(server, "GET", f"/ping?trial={name}")[0] == 204
        line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        line.request("GET", f"/down?trial={name}")
        octets = 0
        answer = line.getresponse()
        while piece := answer.read(1 << 20):
            octets += len(piece)
        assert octets > 10_000_000
        end = monotonic() + 10
        while monotonic() < end:
            try:
                line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
                line.request("POST", f"/up?trial={name}", b"x" * 30_000_000, {"X-CampusMeter": "1"})
                if json.loads(line.getresponse().read())["over"]:
                    break
            except (OSError, http.client.HTTPException):  # the gateway ends a load by hanging up
                break
        status, actual = ask(
            server, "POST", "/finish", {"trial": name, "down_bits_per_second": 1.0, "up_bits_per_second": 2.0}
        )
        assert status == 200, actual
        assert (actual["verdict"], actual["own_machine"]) == ("met", True), actual
        assert ask(server, "POST", "/finish", {"trial": name})[0] == 410, "once"
    with open_spool(tmp_path, role="reader") as spool:
        (entry,) = spool.peek()
        body = json.loads(entry.body)
        assert spool.test_bytes_total()["classroom"] >= octets
    assert (body["kind"], body["subject"], body["record"]["browser"]) == ("inspection", "c101", "Mozilla/5.0 Chrome/1")
    assert body["record"]["measured"]["engine"] == "browser"
    assert body["record"]["browser_up_bits_per_second"] == 2.0


def test_a_machine_that_cannot_keep_up_is_not_the_line_s_fault(tmp_path: Path) -> None:
    """A reader and a sender of some 20 Mbit/s on a line that is never full: told as at least that, and as no verdict."""
    with page(config(tmp_path)) as server:
        name = begun(server)
        for _ in range(3):
            assert ask(server, "GET", f"/ping?trial={name}")[0] == 204
        line = socket.create_connection(("127.0.0.1", server.server_address[1]))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 32_768)
        line.sendall(f"GET /down?trial={name} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        while line.recv(25_000):
            sleep(0.01)
        line.close()
        line = socket.create_connection(("127.0.0.1", server.server_address[1]))
        head = (
            f"POST /up?trial={name} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CampusMeter: 1\r\nContent-Length: 60000000\r\n\r\n"
        )
        line.sendall(head.encode())
        with suppress(OSError):
            while True:
                line.sendall(b"x" * 25_000)
                sleep(0.01)
        line.close()
        status, answer = ask(server, "POST", "/finish", {"trial": name})
    assert status == 200
    assert answer["down_bits_per_second"] < 40e6
    assert answer["up_bits_per_second"] < 40e6
    assert (answer["down_at_least"], answer["up_at_least"], answer["verdict"]) == (True, True, "insufficient"), answer
    with open_spool(tmp_path, role="reader") as spool:
        (entry,) = spool.peek()
        measured = json.loads(entry.body)["record"]["measured"]
    assert measured["down"]["limited_by"] == measured["up"]["limited_by"] == "the browser's machine"


def test_a_busy_gateway_is_told_as_that(tmp_path: Path) -> None:
    hog = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        with page(config(tmp_path, limits=LoadLimits(max_cpu_ratio=0.05))) as server:
            assert ask(server, "POST", "/begin", {"room": "c101"})[1]["reason"] == "cpu"
    finally:
        hog.kill()
        hog.wait()


LESSON = Timetable((Period(time(9, 30), time(10, 15)),))
BLACKOUT = Timetable(blackout=(DayRange(date(2026, 11, 23), date(2026, 11, 23)),))


@pytest.mark.parametrize(
    ("more", "body", "reason"),
    [
        ({"timetable": LESSON}, {"room": "c101"}, "lesson"),
        ({"timetable": BLACKOUT}, {"room": "c101"}, "blackout"),
        ({"limits": LoadLimits(daily_test_bytes=1_000_000)}, {"room": "c101"}, "octets"),
        ({}, {"room": "c999"}, "room"),
    ],
)
def test_when_a_test_may_not_begin(tmp_path: Path, more: dict, body: dict, reason: str) -> None:
    with page(config(tmp_path, **more)) as server:
        status, answer = ask(server, "POST", "/begin", body)
        assert (status, answer["reason"]) == (409, reason)
        assert answer["why"]


def test_in_lessons_where_it_is_allowed_and_so_many_an_hour(tmp_path: Path) -> None:
    own = config(tmp_path, timetable=LESSON, page=Page(0, "127.0.0.1", in_lessons=True, tests_per_hour=2))
    with page(own) as server:
        for _ in range(2):
            status, begun = ask(server, "POST", "/begin", {"room": "c101"})
            assert status == 200, begun
            assert ask(server, "POST", "/finish", {"trial": begun["trial"]})[1]["verdict"] == "insufficient"
        assert ask(server, "POST", "/begin", {"room": "c101"})[1]["reason"] == "often"


def test_a_running_measurement_is_waited_for_and_not_disturbed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rules, "BROWSER", replace(rules.BROWSER, segment_wait_seconds=0.5))
    handle = os.open(tmp_path / "segment.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(handle, fcntl.LOCK_EX)
    with page(config(tmp_path)) as server:
        assert ask(server, "POST", "/begin", {"room": "c101"})[1]["reason"] == "busy"
        os.close(handle)
        assert ask(server, "POST", "/begin", {"room": "c101"})[0] == 200, "and then it is free"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status"),
    [
        ("POST", "/begin", {"X_CampusMeter": ""}, 403),
        ("POST", "/begin", {"Host": "evil.example"}, 403),
        ("GET", "/", {"Host": "evil.example:8090"}, 403),
        ("GET", "/", {"Host": "gateway:8090"}, 200),
        ("GET", "/", {"Host": "[::1]:8090"}, 200),
        ("GET", "/etc/passwd", {}, 404),
        ("PUT", "/", {}, 501),
        ("GET", "/down?trial=x", {}, 410),
        ("GET", "/ping", {}, 410),
        ("POST", "/finish", {"Content_Length": "99999999"}, 413),
    ],
)
def test_what_is_refused(tmp_path: Path, method: str, path: str, headers: dict[str, str], status: int) -> None:
    with page(config(tmp_path)) as server:
        assert (
            ask(server, method, path, None if "Content_Length" in headers else {"room": "c101"}, **headers)[0] == status
        )


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"room": 1}', b"[" * 4000, b"\xff"])
def test_bad_bodies(tmp_path: Path, body: bytes) -> None:
    with page(config(tmp_path)) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
        line.request("POST", "/begin", body, {"X-CampusMeter": "1"})
        assert line.getresponse().status == 400


@pytest.mark.parametrize(
    ("address", "answered"),
    [
        ("127.0.0.1", True),
        ("::1", True),
        ("10.1.2.3", True),
        ("::ffff:10.1.2.3", True),
        ("10.1.5.3", False),  # the line to the provider, with a private address
        ("192.168.1.9", False),
        ("172.20.7.9", True),  # behind a router
        ("172.20.8.9", False),
        ("fd00:1::9%lan", True),
        ("fe80::1%wan", False),
        ("8.8.8.8", False),
        ("2400:3200::1", False),
        ("no address", False),
    ],
)
def test_only_the_classrooms_networks_are_answered(
    monkeypatch: pytest.MonkeyPatch, address: str, answered: bool
) -> None:
    own = [ipaddress.ip_network(text) for text in ("10.1.2.0/23", "10.1.5.0/24", "fd00:1::/64", "fe80::/64")]
    monkeypatch.setattr("campus_agent.page.networks.links", lambda: own)
    networks = ClassroomNetworks(["10.1.3.77", "172.20.7.1", "fd00:1::5"])
    try:
        assert networks.contain(address) is answered
    finally:
        networks.close()


def test_the_network_of_a_name_is_known_when_it_is_looked_up(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.9.9.9", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: rows)
    networks = ClassroomNetworks(["c101.school"])
    try:
        until(lambda: networks.contain("10.9.9.1"), 60, "looked up beside")
        assert not networks.contain("10.9.8.1")
    finally:
        networks.close()


def test_requests_that_drip_are_ended_and_one_address_is_bounded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server_module, "REQUEST_SECONDS", 2.0)
    with page(config(tmp_path)) as server:
        address = ("127.0.0.1", server.server_address[1])
        held = [socket.create_connection(address) for _ in range(server_module.MAX_CONNECTIONS_OF_ADDRESS)]
        for connection in held:
            connection.sendall(b"GET / HTTP/1.1\r\nX-Dr")
        with socket.socket() as other:
            other.bind(("127.0.0.2", 0))
            other.connect(address)
            other.sendall(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
            assert other.recv(12) == b"HTTP/1.1 200", "others are served"
        ended = 0
        for connection in held:
            connection.settimeout(10)
            with suppress(OSError):
                for _ in range(200):
                    connection.sendall(b"i")
                    sleep(0.02)
                ended -= 1
            ended += 1
            connection.close()
        assert ended == len(held), "however often an octet comes"


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET / HTTP/1.1\r\nHost: [\r\n", 403),
        (b"GET http://[ HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400),
        (b"POST /begin HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CampusMeter: 1\r\nContent-Length: \xb2\r\n", 413),
        (
            b"POST /begin HTTP/1.1\r\nHost: 127.0.0.1\r\nX-CampusMeter: 1\r\nContent-Length: " + b"9" * 5000 + b"\r\n",
            413,
        ),
        (b"GET /?" + b"a=1&" * 30 + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n", 400),
    ],
)
def test_odd_requests_are_refused_in_words(tmp_path: Path, head: bytes, status: int) -> None:
    with (
        page(config(tmp_path)) as server,
        socket.create_connection(("127.0.0.1", server.server_address[1]), 10) as line,
    ):
        line.sendall(head + b"\r\n")
        assert line.recv(12) == b"HTTP/1.1 %d" % status


def test_more_connections_than_there_is_room_for(tmp_path: Path) -> None:
    with page(config(tmp_path)) as server:
        held = [
            socket.create_connection(("127.0.0.1", server.server_address[1]))
            for _ in range(server_module.MAX_CONNECTIONS)
        ]
        sleep(0.5)
        with pytest.raises((http.client.HTTPException, OSError)):
            ask(server, "GET", "/")
        for connection in held:
            connection.close()
        sleep(0.5)
        assert ask(server, "GET", "/")[0] == 200


def begun(server: PageServer) -> str:
    status, answer = ask(server, "POST", "/begin", {"room": "c101"})
    assert status == 200, answer
    return answer["trial"]


def threads(name: str) -> list[str]:
    return [thread.name for thread in threading.enumerate() if name in thread.name]


def test_a_browser_that_does_not_read_holds_nothing(tmp_path: Path) -> None:
    with page(config(tmp_path)) as server:
        line = socket.create_connection(("127.0.0.1", server.server_address[1]))
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.sendall(f"GET /down?trial={begun(server)} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        until(lambda: threads("page-load"), 60, "it is being served")
        until(lambda: not threads("page-load"), 60, "the load is over")
        until(lambda: not threads("process_request"), 60, "its thread has ended, unread octets or not")
        line.close()


def test_a_browser_that_went_away_frees_the_line_and_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("campus_agent.page.browser_test.IDLE_SECONDS", 3.0)
    with page(config(tmp_path)) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        line.request("GET", f"/down?trial={begun(server)}")
        read = len(line.getresponse().read(2_000_000))
        line.close()
        begun_again = until(lambda: ask(server, "POST", "/begin", {"room": "c101"})[0] == 200, 60, "the line is free")
        assert begun_again
        with open_spool(tmp_path, role="reader") as spool:
            entry = until(spool.peek, 60, "what it did is kept")[0]
            body = json.loads(entry.body)
            assert (body["validity"], body["detail"]) == ("not_measured", "the browser went away")
            assert "down" not in body["record"]["measured"], "too little for a rate"
            counted = lambda: spool.test_bytes_total().get("classroom", 0) >= read  # noqa: E731
            until(counted, 60, "what was put on the line counts among the day's")


def test_a_test_takes_no_more_than_the_day_allows(tmp_path: Path) -> None:
    with page(config(tmp_path, limits=LoadLimits(daily_test_bytes=126_000_000, max_cpu_ratio=1.0))) as server:
        line = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=30)
        line.request("GET", f"/down?trial={begun(server)}")
        octets = len(line.getresponse().read())
        assert 60_000_000 < octets < 110_000_000, "half of what is left, and what was on its way"


@pytest.mark.parametrize(
    ("now", "reason"),
    [
        (datetime(2026, 11, 23, 9, 29, 45, tzinfo=SHANGHAI), "lesson"),
        (datetime(2026, 11, 23, 9, 29, 0, tzinfo=SHANGHAI), None),
        (datetime(2026, 11, 23, 10, 15, 0, tzinfo=SHANGHAI), None),
        (datetime(1970, 1, 1, 9, 0, tzinfo=SHANGHAI), "clock"),
    ],
)
def test_a_test_does_not_run_into_a_lesson(tmp_path: Path, now: datetime, reason: str | None) -> None:
    with page(config(tmp_path, timetable=LESSON), now) as server:
        assert ask(server, "POST", "/begin", {"room": "c101"})[1].get("reason") == reason


def test_a_clock_an_hour_off_is_put_right_by_what_the_collector_told(tmp_path: Path) -> None:
    clock = system_clock()
    actual = ClockEstimate(clock.boot_id, clock.monotonic(), clock.wall() + 3600.0 - clock.monotonic(), 0.01)
    with open_spool(tmp_path) as spool:
        spool.remember(ESTIMATES_KEY, (actual,))
    ahead = (recalled_time(config(tmp_path), clock).now() - datetime.now(SHANGHAI)).total_seconds()
    assert ahead == pytest.approx(3600, abs=2)


def test_a_page_whose_agent_was_killed_ends_with_it(tmp_path: Path) -> None:
    port = free_port()
    file = tmp_path / "agent.toml"
    file.write_text(f'[agent]\nschool = "s001"\nstate_dir = "state"\n[page]\nport = {port}\nlisten = "127.0.0.1"\n')
    with (tmp_path / "log").open("w") as log:
        agent = subprocess.Popen(
            [sys.executable, "-m", "campus_agent", "run", "--config", str(file)], stdout=log, stderr=log
        )
    try:
        until(lambda: '"listen"' in (tmp_path / "log").read_text(), 60, "the page is served")
    finally:
        agent.send_signal(signal.SIGKILL)
        agent.wait(10)

    def refused() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) != 0

    until(refused, 60, "nothing answers there any more")
