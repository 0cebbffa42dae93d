"""The engine on lines of known rate: namespaces, veth, tbf. The truth is a line rate; what the engine says must be that.

A machine that is too busy to measure may answer `insufficient`, with its own limit named: each test asks again, some times. A
verdict against the truth is never excused, and an engine that never gives one on a machine that is not busy fails.
"""

import json
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.agent.measure.burst.shaped_link import FAR_ADDRESS, KEY, NEAR_ADDRESS, PORT, ShapedLink
from tests.lab.busy import first_usable
from tests.lab.namespaces import permitted

_REASON = permitted()
pytestmark = [
    pytest.mark.lab,
    pytest.mark.skipif(_REASON is not None, reason=f"no network namespaces here: {_REASON}"),
]
TARGET = 100
OF_THIS_MACHINE = ("gateway_cpu", "gateway_limit", "endpoint_limit", "inconclusive", "cross_traffic")
WAITED = "a processor was waited for"
_ATTACK = """
import socket, struct, sys, time
host, port = sys.argv[1], 5301
def tcp(data):
    sock = socket.create_connection((host, port), timeout=5)
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)
    try:
        while sock.recv(4096):
            pass
    except OSError:
        pass
    sock.close()
hello = b'{"type":"hello","nonce":"' + b"0f" * 32 + b'","versions":[1]}'
prove = b'{"type":"prove","mac":"' + b"0f" * 32 + b'"}'
frame = lambda body: struct.pack(">I", len(body)) + body
for _ in range(20):
    tcp(b"\\x7f" * 300)
    tcp(frame(hello) + frame(prove))
    tcp(frame(hello) + frame(b"x" * 400))
    tcp(struct.pack(">I", 2**31) + bytes(300))
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for size in (1, 20, 64, 1472):
    for kind in range(5):
        for _ in range(20):
            packet = (b"CM\\x01" + bytes([kind]) + bytes(1472))[:size]
            udp.sendto(packet, (host, port))
"""


@pytest.fixture(scope="module")
def link() -> Iterator[ShapedLink]:
    with ShapedLink() as built:
        built.start_responder()
        yield built


def ask(link: ShapedLink, segment: str = "classroom") -> dict[str, Any]:
    """One answer, whatever it is, but no failure."""
    request = {
        "host": FAR_ADDRESS,
        "port": PORT,
        "key": KEY,
        "segment": segment,
        "required_bits_per_second": TARGET * 1e6,
    }
    argv = (sys.executable, "-m", "tests.agent.measure.burst.run_client", "1")
    done = link.near.run(*argv, input=json.dumps(request), timeout=60)
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    assert answer["failure"] is None, answer
    return answer


def measure(
    link: ShapedLink,
    verdict: str,
    segment: str = "classroom",
    is_usable: Callable[[dict[str, Any]], bool] = lambda answer: True,
) -> dict[str, Any]:
    """The verdict is right every time there is one; asked again while the machine itself is the limit, in one direction or both."""

    def right() -> dict[str, Any]:
        answer = ask(link, segment)
        assert answer["verdict"] in (verdict, "insufficient"), answer
        assert answer["verdict"] == verdict or answer["validity"] in OF_THIS_MACHINE, answer
        return answer

    def is_sound(answer: dict[str, Any]) -> bool:
        return answer["verdict"] == verdict and WAITED not in answer["detail"] and is_usable(answer)

    return first_usable(right, is_sound)


def measure_well(
    link: ShapedLink, verdict: str, capacity: float, segment: str = "classroom", rel: float = 0.015
) -> dict[str, Any]:
    """A rate that something else on this machine shook, or of which only the least is known, is asked for again too."""

    def is_steady(answer: dict[str, Any]) -> bool:
        at_least = [answer["record"][way].get("lower_bound", False) for way in ("down", "up")]
        return rates(answer) == pytest.approx([capacity] * 2, rel=rel) and at_least == [capacity > 110] * 2

    return measure(link, verdict, segment, is_steady)


def rates(answer: dict[str, Any]) -> list[float]:
    return [answer["record"][way]["line_rate_bits_per_second"] / 1e6 for way in ("down", "up")]


@pytest.mark.parametrize(("capacity", "verdict"), [(10, "not_met"), (50, "not_met"), (97, "not_met"), (100, "met")])
def test_the_verdict_and_the_rate_are_the_lines(link: ShapedLink, capacity: int, verdict: str) -> None:
    link.shape(capacity)
    answer = measure_well(link, verdict, capacity)
    for way in ("down", "up"):
        assert not answer["record"][way].get("lower_bound")
        assert answer["record"][way]["limited_by"] == "queue"


def test_a_faster_line_gets_a_lower_bound(link: ShapedLink) -> None:
    link.shape(300)
    answer = measure(link, "met")
    assert all(answer["record"][way]["lower_bound"] for way in ("down", "up"))
    assert min(rates(answer)) > 100, "above what is asked of the line"


@pytest.mark.parametrize(("capacity", "verdict"), [(90, "not_met"), (100, "met")])
def test_other_traffic_is_counted_in(link: ShapedLink, capacity: int, verdict: str) -> None:
    link.shape(capacity)
    mean = str(0.4e6 * capacity)
    bursty = (sys.executable, "-m", "tests.bench.bursty")
    with link.running(link.near, *bursty, FAR_ADDRESS, mean), link.running(link.far, *bursty, NEAR_ADDRESS, mean):
        time.sleep(0.5)  # Python starts
        # it comes in bursts
        first_usable(
            lambda: measure_well(link, verdict, capacity),
            lambda answer: (answer["record"]["cross_traffic_bits_per_second"] or 0.0) > 5e6,
            attempts=3,
        )


def test_a_speed_boost_on_an_uplink_is_seen_through(link: ShapedLink) -> None:
    link.shape(50, bucket_bytes=4_000_000)
    answer = measure_well(link, "not_met", 50, "uplink")
    for way in ("down", "up"):
        assert answer["record"][way]["limited_by"] == "token_bucket"
        assert answer["record"][way]["burst_line_rate_bits_per_second"] > 98e6
        assert answer["record"][way]["bytes"] <= 12_000_000


def test_a_queue_shows_in_the_working_latency(link: ShapedLink) -> None:
    """128 kB at 50 Mbit/s are 20 ms."""
    link.shape(50)
    measure(
        link,
        "not_met",
        is_usable=lambda answer: (
            answer["record"]["idle"]["rtt_median_seconds"] < 0.005
            and 0.012 < answer["record"]["working"]["rtt_max_seconds"] < 0.06
        ),
    )


def test_the_record_counts_what_was_on_the_wire(link: ShapedLink) -> None:
    """Never less; a responder that a busy machine holds up sends less than was ordered."""
    link.shape(300)

    def counted() -> tuple[dict[str, Any], list[float]]:
        before = _counters(link)
        answer = ask(link)
        passed = [after - earlier for earlier, after in zip(before, _counters(link), strict=True)]
        ratios = [answer["record"][way]["bytes"] / wire for way, wire in zip(("down", "up"), passed, strict=True)]
        assert min(ratios) > 0.97, (answer, passed)
        return answer, ratios

    first_usable(counted, lambda seen: seen[0]["verdict"] == "met" and max(seen[1]) < 1.03)


def test_unauthenticated_octets_are_not_multiplied(link: ShapedLink) -> None:
    """Counted on the interface, TCP's own handshake and all: no more goes out than came in."""
    link.shape(300)
    came_before, went_before = _counters(link)
    assert link.near.run(sys.executable, "-c", _ATTACK, FAR_ADDRESS, timeout=60).returncode == 0
    came, went = _counters(link)
    assert came - came_before > 100_000
    assert went - went_before <= came - came_before
    measure(link, "met")


def _counters(link: ShapedLink) -> tuple[int, int]:
    """Octets on the line towards the far side, and back."""
    line = next(row for row in link.far.run("cat", "/proc/net/dev").stdout.splitlines() if "far0:" in row)
    columns = [int(word) for word in line.split(":")[1].split()]
    return columns[0] + 24 * columns[1], columns[8] + 24 * columns[9]


@pytest.fixture(scope="module")
def link_without_udp() -> Iterator[ShapedLink]:
    with ShapedLink() as built:
        built.start_responder()
        built.drop_udp()
        yield built


@pytest.mark.parametrize(("capacity", "verdict"), [(50, "not_met"), (97, "not_met"), (100, "met"), (300, "met")])
def test_where_udp_is_dropped_tcp_tells(link_without_udp: ShapedLink, capacity: int, verdict: str) -> None:
    link_without_udp.shape(capacity)
    answer = measure_well(link_without_udp, verdict, min(capacity, 115), rel=0.03)
    assert answer["record"]["transport"] == "tcp"
    for way in ("down", "up"):
        assert answer["record"][way].get("lower_bound", False) is (capacity == 300)
        assert answer["record"][way]["bytes"] < 16_000_000
    assert "because UDP does not pass" in answer["detail"]
