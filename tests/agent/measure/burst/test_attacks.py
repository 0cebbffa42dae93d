"""A responder under attack: it survives, gives no more octets than it gets, and still serves who holds the key.

Octets are counted at the sockets here, on the interface in test_on_shaped_lines.py.
"""

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from math import inf

import pytest

from campus_agent.measure.burst import server
from campus_agent.measure.burst.client import measure
from campus_agent.measure.burst.protocol.control import LENGTH_BYTES, ControlConnection
from campus_agent.measure.burst.protocol.datagram import HEADER_BYTES, Datagram, Kind, pack, unpack
from campus_agent.measure.burst.protocol.messages import Bye, Hello, LoadOrder, Prove, Refused, encode
from campus_agent.measure.burst.server import Responder
from campus_agent.measure.burst.spec import MAX_PENDING_CONNECTIONS
from campus_agent.measure.request import ThroughputRequest
from tests.agent.measure.burst.loopback import KEY, Raw, responder

GOOD = LoadOrder(1, "to_client", 20, 1472, 1538, 50e6)
HELLO = Hello("0f" * 32, [1])


@contextmanager
def udp(port: int, host: str = "127.0.0.1") -> Iterator[socket.socket]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((host, 0))
        sock.connect(("127.0.0.1", port))
        sock.settimeout(0.3)
        yield sock


def heard(sock: socket.socket, expected: int = 0) -> list[bytes]:
    """All that comes within a moment; what is expected may take longer."""
    found = []
    sock.settimeout(20)
    with suppress(OSError):
        while len(found) < expected:
            found.append(sock.recv(65_536))
    sock.settimeout(0.3)
    try:
        while True:
            found.append(sock.recv(65_536))
    except OSError:
        return found


def probe(token: bytes, size: int = HEADER_BYTES) -> bytes:
    return pack(Datagram(Kind.PROBE, token, 0, 0, 12_345), size)


def bind(sock: socket.socket, token: str) -> None:
    """Make this socket the session's: one probe, one reply."""
    sock.send(probe(bytes.fromhex(token)))
    sock.settimeout(5)
    assert len(sock.recv(65_536)) == HEADER_BYTES
    sock.settimeout(0.3)


def still_serves(running: Responder) -> None:
    outcome = measure(
        ThroughputRequest("127.0.0.1", running.port, "campus", "classroom", 20e6, max_cross_traffic_ratio=inf), KEY
    )
    assert outcome.failure is None, outcome.failure
    assert outcome.record is not None


OPENINGS = {
    "nothing": b"",
    "one octet": b"\x00",
    "random": random.Random(1).randbytes(400),
    "http": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
    "tls": bytes.fromhex("16030100050100000103") + bytes(100),
    "oversized": (2**31).to_bytes(LENGTH_BYTES, "big") + bytes(400),
    "just oversized": (513).to_bytes(LENGTH_BYTES, "big") + bytes(513),
    "truncated": ControlConnection("client").frame_of(HELLO)[:50],
    "not JSON": (300).to_bytes(LENGTH_BYTES, "big") + bytes(300),
    "deep": (402).to_bytes(LENGTH_BYTES, "big") + b"[" * 201 + b"]" * 201,
    "prove first": ControlConnection("client").frame_of(Prove("0f" * 32)),
    "load first": ControlConnection("client").frame_of(GOOD),
    "load right after hello": ControlConnection("client").frame_of(HELLO) + ControlConnection("client").frame_of(GOOD),
    "hello twice": ControlConnection("client").frame_of(HELLO) * 2,
    "no common version": ControlConnection("client").frame_of(Hello("0f" * 32, [7, 8])),
    "wrong proof": ControlConnection("client").frame_of(HELLO) + ControlConnection("client").frame_of(Prove("0f" * 32)),
}


@pytest.mark.parametrize("opening", OPENINGS.values(), ids=OPENINGS)
def test_an_unauthenticated_client_gets_fewer_octets_than_it_sent(opening: bytes) -> None:
    with responder() as running:
        with Raw(running.port) as raw:
            raw.say(opening)
            raw.finish()
            raw.silence()
            assert raw.received <= raw.sent
        still_serves(running)


def test_a_recorded_greeting_opens_nothing() -> None:
    """Everything a legitimate client said, said again: the responder's nonce is new, so the proof is worth nothing."""
    with responder() as running:
        with Raw(running.port) as honest:
            record: list[bytes] = []
            say = honest.say
            honest.say = lambda data: (record.append(data if isinstance(data, bytes) else encode(data)), say(data))[1]
            honest.enter()
            honest.say(Bye())
        with Raw(running.port) as thief:
            for body in record:
                thief.say(len(body).to_bytes(LENGTH_BYTES, "big") + body)
            thief.finish()
            thief.silence()
            assert thief.received <= thief.sent
        still_serves(running)


def test_a_replayed_order_within_a_session_ends_it() -> None:
    with responder() as running:
        with Raw(running.port) as raw, udp(running.port) as sock:
            bind(sock, raw.enter().token)
            frame = raw.connection.frame_of(GOOD)
            raw.say(frame)
            assert 1 <= len(heard(sock, GOOD.packets)) <= GOOD.packets  # a busy sender leaves some out
            raw.say(frame)
            assert raw.silence() == 0
            assert heard(sock) == []
        still_serves(running)


@pytest.mark.parametrize(
    "order",
    [
        LoadOrder(1, "to_client", 10_000_000, 1472, 1538, 1e6),
        LoadOrder(1, "to_client", 10_000_000, 1472, 1538, 1e12),
        LoadOrder(1, "to_client", 4_000, 1472, 1538, 1e6),
        LoadOrder(1, "to_client", 20, 1472, 1538, 5e-324),
        LoadOrder(1, "to_responder", 200_000, 1472, 1538, 1e9),
    ],
    ids=["long", "fast", "slow", "endless", "large"],
)
def test_an_authenticated_client_is_bounded_too(order: LoadOrder) -> None:
    with responder() as running:
        with Raw(running.port) as raw, udp(running.port) as sock:
            bind(sock, raw.enter().token)
            raw.say(order)
            refused = raw.hear()
            assert isinstance(refused, Refused)
            assert refused.reason == "limit"
            assert heard(sock) == []
        still_serves(running)


def test_a_session_is_bounded_in_sum() -> None:
    with responder(session_bytes=100_000) as running, Raw(running.port) as raw, udp(running.port) as sock:
        bind(sock, raw.enter().token)
        for burst in range(10):
            raw.say(LoadOrder(burst + 1, "to_client", 20, 1472, 1538, 50e6))
        refused = raw.hear()
        assert isinstance(refused, Refused)
        assert refused.detail == "more than 100000 bytes in a session"
        assert sum(len(packet) for packet in heard(sock)) <= 100_000


@pytest.mark.parametrize("wire_bytes", [1472, 84, 9000])
def test_a_frame_size_that_cannot_be_ends_the_session(wire_bytes: int) -> None:
    with responder() as running, Raw(running.port) as raw, udp(running.port) as sock:
        bind(sock, raw.enter().token)
        raw.say(LoadOrder(1, "to_client", 20, 1472, wire_bytes, 50e6))
        assert raw.silence() == 0
        assert heard(sock) == []


def test_udp_without_a_session_is_never_answered() -> None:
    with responder() as running:
        with udp(running.port) as sock:
            for size in (1, HEADER_BYTES, 1472):
                sock.send(bytes(size))
            for kind in Kind:
                sock.send(pack(Datagram(kind, bytes(16), 1, 0, 1)))
            assert heard(sock) == []
        still_serves(running)


def test_udp_with_a_wrong_token_or_from_elsewhere_is_never_answered() -> None:
    with responder() as running:
        with Raw(running.port) as raw, udp(running.port) as mine, udp(running.port, "127.0.0.2") as third:
            token = bytes.fromhex(raw.enter().token)
            mine.send(probe(bytes(16)))
            third.send(probe(token))
            assert heard(mine) == heard(third) == []
            mine.send(probe(token))
            assert len(heard(mine, 1)) == 1
        still_serves(running)


def test_load_goes_to_the_control_connections_address_or_nowhere() -> None:
    with responder() as running:
        with Raw(running.port) as raw, udp(running.port, "127.0.0.2") as third:
            token = bytes.fromhex(raw.enter().token)
            third.send(probe(token))
            raw.say(GOOD)  # no probe ever came from 127.0.0.1
            assert raw.silence() == 0
            assert heard(third) == []
        still_serves(running)


def test_once_bound_the_load_cannot_be_moved_to_another_port() -> None:
    with responder() as running, Raw(running.port) as raw:
        token = bytes.fromhex(raw.enter().token)
        with udp(running.port) as first, udp(running.port) as second:
            first.send(probe(token))
            assert len(heard(first, 1)) == 1
            second.send(probe(token))
            raw.say(GOOD)
            assert 1 <= len(heard(first, GOOD.packets)) <= GOOD.packets  # a busy sender leaves some out
            assert heard(second) == []


def test_a_reply_is_no_larger_than_its_probe() -> None:
    with responder() as running, Raw(running.port) as raw, udp(running.port) as sock:
        token = bytes.fromhex(raw.enter().token)
        for size in (HEADER_BYTES, 500, 1472):
            sock.send(probe(token, size))
        sock.send(probe(token)[:-1])
        replies = heard(sock, 3)
        assert [len(reply) for reply in replies] == [HEADER_BYTES] * 3
        answered = unpack(replies[0], HEADER_BYTES)
        assert answered is not None
        assert (answered.kind, answered.answers_ns) == (Kind.REPLY, 12_345)


def test_an_order_towards_the_responder_without_load_ends_by_itself() -> None:
    with responder() as running, Raw(running.port) as raw:
        raw.enter()
        raw.say(LoadOrder(1, "to_responder", 467, 1472, 1538, 115e6))
        assert raw.hear().packets == 0


def test_slow_clients_lose_their_place_to_an_honest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as may wait, and more, each dripping octets: the honest client is served before their time is over."""
    monkeypatch.setattr(server, "HANDSHAKE_SECONDS", 300.0)
    with responder() as running:
        slow = [Raw(running.port) for _ in range(MAX_PENDING_CONNECTIONS + 10)]
        stop = threading.Event()

        def drip() -> None:
            frame = ControlConnection("client").frame_of(HELLO)
            for octet in frame:
                for raw in slow:
                    raw.say(bytes([octet]))
                if stop.wait(0.02):
                    return

        dripping = threading.Thread(target=drip)
        dripping.start()
        try:
            began = time.monotonic()
            still_serves(running)
            assert time.monotonic() - began < 60
        finally:
            stop.set()
            dripping.join()
            for raw in slow:
                raw.socket.close()


def test_a_slow_client_is_cut_off() -> None:
    with responder() as running, Raw(running.port) as raw:
        raw.say(ControlConnection("client").frame_of(HELLO)[:20])
        assert raw.silence(60) == 0


def test_a_flood_of_connections_and_datagrams() -> None:
    """Three attackers at once while honest tests run."""
    with responder() as running:
        stop = threading.Event()

        def connect() -> None:
            while not stop.wait(0.002):
                try:
                    with socket.create_connection(("127.0.0.1", running.port), timeout=1) as sock:
                        sock.sendall(random.Random().randbytes(200))
                except OSError:
                    pass

        def spray() -> None:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                sock.connect(("127.0.0.1", running.port))
                while not stop.wait(0.001):
                    sock.send(probe(random.Random().randbytes(16), 1472))

        attackers = [threading.Thread(target=attack) for attack in (connect, connect, spray)]
        for attacker in attackers:
            attacker.start()
        try:
            for _ in range(3):
                still_serves(running)
        finally:
            stop.set()
            for attacker in attackers:
                attacker.join()


def test_a_client_that_vanishes_frees_the_slot() -> None:
    with responder() as running:
        with Raw(running.port) as raw:
            raw.enter()
        time.sleep(0.1)
        still_serves(running)


def test_a_look_whether_we_are_on_is_no_complaint(caplog: pytest.LogCaptureFixture) -> None:
    """The gateway looks who is switched on before it tests: thousands of such looks a day must not fill the log."""
    with responder() as running:
        for _ in range(3):
            socket.create_connection(("127.0.0.1", running.port)).close()
        time.sleep(0.3)
        assert "client_refused" not in caplog.text
        with socket.create_connection(("127.0.0.1", running.port)) as half:
            half.sendall(b"\0\0")
        time.sleep(0.3)
        assert "client_refused" in caplog.text


@pytest.mark.parametrize("length", [110, 111])
def test_a_hello_no_longer_than_its_answer_gets_none(length: int) -> None:
    body = b'{"type":"hello","nonce":"' + b"0f" * 32 + b'","versions":[1]}'
    frame = (length - 4).to_bytes(4, "big") + body[:-1] + b" " * (length - 4 - len(body)) + b"}"
    with responder() as running:
        with socket.create_connection(("127.0.0.1", running.port), timeout=5) as sock:
            sock.sendall(frame[:length])
            sock.shutdown(socket.SHUT_WR)
            answer = b""
            with suppress(OSError):
                while piece := sock.recv(4096):
                    answer += piece
        assert len(answer) < length
        still_serves(running)
