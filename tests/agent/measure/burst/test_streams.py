"""Data connections: who may open one, what is bounded, and what a stream on paper says."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from random import Random

import pytest

from campus_agent.measure.burst.estimate.stream_rate import estimate_stream, ramp_end
from campus_agent.measure.burst.io.stream import send_stream
from campus_agent.measure.burst.io.tickets import Tickets
from campus_agent.measure.burst.observation import StreamArrivals, StreamObservation
from campus_agent.measure.burst.protocol.messages import Flow, Opened, ProtocolError, Refused, StreamOrder
from campus_agent.measure.burst.protocol.report import add_flow, flow_message
from campus_agent.measure.burst.spec import STREAM_MAGIC
from campus_wire.encapsulation import Encapsulation, goodput_from_line_rate
from tests.agent.measure.burst.loopback import Raw, responder
from tests.agent.measure.burst.test_attacks import still_serves

DOWN = StreamOrder(1, "to_client", 200_000, 1.0, 50e6)
UP = StreamOrder(1, "to_responder", 200_000, 1.0, 50e6)
PATH = Encapsulation()
RTT = 0.001


@contextmanager
def data(port: int, opening: bytes) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(opening)
        yield sock


def heard(sock: socket.socket, seconds: float = 0.5) -> int:
    sock.settimeout(seconds)
    octets = 0
    try:
        while piece := sock.recv(65_536):
            octets += len(piece)
    except OSError:
        pass
    return octets


def ordered(raw: Raw, order: StreamOrder) -> bytes:
    raw.enter()
    raw.say(order)
    opened = raw.hear()
    assert isinstance(opened, Opened)
    return STREAM_MAGIC + bytes.fromhex(opened.ticket)


def test_the_right_ticket_gets_what_was_ordered_and_no_more() -> None:
    with responder() as running, Raw(running.port) as raw, data(running.port, ordered(raw, DOWN)) as sock:
        assert heard(sock, 2) == DOWN.octets


@pytest.mark.parametrize(
    "opening",
    [b"C", STREAM_MAGIC, STREAM_MAGIC + bytes(15), STREAM_MAGIC + bytes(16), b"CMS2" + bytes(16), b"CM" + bytes(400)],
    ids=["one octet", "no ticket", "short ticket", "wrong ticket", "other magic", "long"],
)
@pytest.mark.parametrize("expected", [False, True], ids=["nobody expected", "another expected"])
def test_a_data_connection_without_the_ticket_hears_nothing(opening: bytes, expected: bool) -> None:
    with responder() as running, Raw(running.port) as raw:
        if expected:
            ordered(raw, DOWN)
        with data(running.port, opening) as sock:
            with suppress(OSError):  # closed already
                sock.shutdown(socket.SHUT_WR)
            assert heard(sock, 5) == 0
        raw.socket.close()
        time.sleep(1.6 if expected else 0.1)  # the session still waits for its data connection
        still_serves(running)


def test_a_ticket_is_good_once() -> None:
    with responder() as running, Raw(running.port) as raw:
        opening = ordered(raw, DOWN)
        with data(running.port, opening) as first:
            assert heard(first, 2) == DOWN.octets
        with data(running.port, opening) as again:
            assert heard(again) == 0


def test_the_session_token_is_no_ticket() -> None:
    with responder() as running, Raw(running.port) as raw:
        token = bytes.fromhex(raw.enter().token)
        raw.say(DOWN)
        raw.hear()
        with data(running.port, STREAM_MAGIC + token) as sock:
            assert heard(sock) == 0


def test_a_ticket_expires_and_so_does_the_session() -> None:
    with responder() as running, Raw(running.port) as raw:
        opening = ordered(raw, DOWN)
        assert raw.silence(3) == 0
        with data(running.port, opening) as sock:
            assert heard(sock) == 0
        still_serves(running)


def test_a_slow_opening_is_cut_off() -> None:
    with responder() as running, data(running.port, STREAM_MAGIC[:2]) as sock:
        assert heard(sock, 60) == 0


@pytest.mark.parametrize(
    "order",
    [
        StreamOrder(1, "to_client", 10**9, 1.0, 50e6),
        StreamOrder(1, "to_client", 1000, 59.0, 50e6),
        StreamOrder(1, "to_client", 1000, 1.0, 1e11),
    ],
    ids=["large", "long", "fast"],
)
def test_orders_beyond_the_bounds_are_refused(order: StreamOrder) -> None:
    with responder() as running, Raw(running.port) as raw:
        raw.enter()
        raw.say(order)
        refused = raw.hear()
        assert isinstance(refused, Refused)
        assert refused.reason == "limit"


def test_a_stream_towards_the_responder_is_bounded_and_told() -> None:
    with responder() as running, Raw(running.port) as raw, data(running.port, ordered(raw, UP)) as sock:
        try:
            for _ in range(400):
                sock.sendall(bytes(10_000))
        except OSError:
            pass
        seen = StreamArrivals()
        while not (flow := raw.hear()).last:
            add_flow(seen, flow)
        add_flow(seen, flow)
        assert UP.octets <= seen.payload_bytes[-1] <= UP.octets + 1_048_576


def test_a_client_that_sends_nothing_holds_the_slot_no_longer_than_it_ordered() -> None:
    with responder() as running, Raw(running.port) as raw, data(running.port, ordered(raw, UP)):
        began = time.monotonic()
        while not raw.hear().last:
            pass
        assert time.monotonic() - began < 30


def test_a_ticket_is_of_one_address() -> None:
    tickets = Tickets()
    with socket.socket() as sock:
        tickets.expect(b"t" * 16, "192.0.2.1")
        assert not tickets.redeem(b"t" * 16, "192.0.2.2", sock)
        assert not tickets.redeem(b"x" * 16, "192.0.2.1", sock)
        assert tickets.redeem(b"t" * 16, "192.0.2.1", sock)
        assert not tickets.redeem(b"t" * 16, "192.0.2.1", sock)
        assert tickets.wait(0) is sock
        assert tickets.wait(0) is None


def paper(
    line: float, seconds: float = 0.6, ramp: float = 0.1, hole: float | None = None, counted: float = 0.0
) -> StreamArrivals:
    """Goodput of a line: doubling until `ramp`, then even; a hole is made up for 20 ms later. `counted`: other traffic."""
    from campus_agent.measure.burst.observation import CounterSample

    rng, seen, octets, at = Random(1), StreamArrivals(), 0.0, 0.0
    full = goodput_from_line_rate(line, PATH) / 8
    owed = 0.0
    while at < seconds:
        at += 0.0011
        if at < ramp:
            octets += full * 0.0011 / 2 ** ((ramp - at) / 0.02)
        elif hole is not None and hole <= at < hole + 0.02:
            owed += full * 0.0011
        else:
            octets, owed = octets + full * 0.0011 + owed, 0.0
        seen.at_ns.append(5_000_000_000 + int((at + rng.random() * 1e-5) * 1e9))
        seen.payload_bytes.append(int(octets))
        packets = int(octets / 1448 + counted * at / 8 / 1538)
        seen.samples.append(CounterSample(seen.at_ns[-1], packets * 1514, packets))
    return seen


def rates(seen: StreamArrivals, **more: bool) -> list[float]:
    subscriber = more.get("subscriber_receives", True)
    return [
        round(estimate.rate / 1e6, 1)
        for estimate in estimate_stream(StreamObservation(seen, PATH, 24, RTT, subscriber), 100e6, 115e6)
        if estimate.reject_reason is None
    ]


@pytest.mark.parametrize("line", [10e6, 50e6, 100e6, 114e6])
def test_windows_after_the_ramp_are_the_line(line: float) -> None:
    actual = rates(paper(line))
    assert 3 <= len(actual) <= 5
    assert actual == pytest.approx([line / 1e6] * len(actual), rel=0.005)


@pytest.mark.parametrize("ramp", [0.02, 0.1, 0.3])
def test_the_ramp_is_left_out(ramp: float) -> None:
    assert rates(paper(100e6, 0.8, ramp)) == pytest.approx([100] * len(rates(paper(100e6, 0.8, ramp))), rel=0.02)


def test_a_ramp_that_does_not_end_says_nothing() -> None:
    assert ramp_end(paper(100e6, 0.15, 0.2), 0.02) is None
    assert rates(paper(100e6, 0.15, 0.2)) == []
    assert ramp_end(StreamArrivals(), 0.02) is None


def test_on_a_long_path_the_ramp_has_steps_of_a_round_trip() -> None:
    """Each round trip of 0.1 s twice as much, sent in its first half."""
    seen, octets = StreamArrivals(), 0
    for millisecond in range(600):
        octets += 1448 * 2 ** (millisecond // 100) if millisecond % 100 < 50 else 0
        seen.at_ns.append(millisecond * 1_000_000)
        seen.payload_bytes.append(octets)
    assert ramp_end(seen, 0.15) is None


def test_a_repeated_packet_does_not_count() -> None:
    assert rates(paper(100e6, 0.5, hole=0.27)) == pytest.approx([100] * 3, rel=0.01)


def test_a_pace_that_was_reached_is_a_lower_bound() -> None:
    estimates = estimate_stream(StreamObservation(paper(115e6), PATH, 24, RTT, True), 100e6, 115e6)
    assert not any(estimate.saturated for estimate in estimates)
    estimates = estimate_stream(StreamObservation(paper(100e6), PATH, 24, RTT, True), 100e6, 115e6)
    assert all(estimate.saturated for estimate in estimates)


def test_other_traffic_counts_at_the_subscribers_port_only() -> None:
    busy = paper(70e6, counted=30e6)
    assert rates(busy) == pytest.approx([100] * len(rates(busy)), rel=0.01)
    for estimate in estimate_stream(StreamObservation(busy, PATH, 24, RTT, False), 100e6, 115e6):
        assert estimate.rate == pytest.approx(70e6, rel=0.01)
        assert estimate.unattributed == pytest.approx(30e6, rel=0.05)


def test_flows_travel_and_come_together_again() -> None:
    seen, heard_of = paper(50e6, 0.1), StreamArrivals()
    half = len(seen.at_ns) // 2
    first = StreamArrivals(seen.at_ns[:half], seen.payload_bytes[:half], seen.samples[:half])
    add_flow(heard_of, flow_message(1, first, 0, last=False))
    add_flow(heard_of, flow_message(1, seen, half, last=True))
    assert heard_of == seen


@pytest.mark.parametrize(
    "flow",
    [
        Flow(1, [1, 2], [1]),
        Flow(1, [1], [1], [1], []),
        Flow(1, [1, 1], [1, 1], [1], [1]),
        Flow(1, [5, -1], [1, 1]),
        Flow(1, [5, 1], [1, -1]),
        Flow(1, [5, 2**62], [1, 1]),
    ],
)
def test_a_flow_that_cannot_be_is_refused(flow: Flow) -> None:
    with pytest.raises(ProtocolError):
        add_flow(StreamArrivals(), flow)


@pytest.mark.parametrize("rate", [5e5, 10e6, 100e6])
def test_a_paced_sender_waits_for_its_next_piece(rate: float) -> None:
    looks = 0

    def look() -> bool:
        nonlocal looks
        looks += 1
        return False

    near, far = socket.socketpair()
    with near, far:
        near.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8_000_000)
        sent = send_stream(near, rate, time.monotonic_ns() + 300_000_000, 10**9, look)
    assert sent <= 0.3 * rate / 8 + 20_000
    assert looks < 1500, "one look for each piece, and one for each pause"
