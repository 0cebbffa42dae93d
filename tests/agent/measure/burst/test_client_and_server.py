"""The whole engine on loopback: a real client and a real responder, and responders that misbehave."""

import logging
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import Any

import msgspec
import pytest

from campus_agent.measure.burst import client
from campus_agent.measure.burst.protocol.messages import Bye, Refused, Welcome
from campus_agent.measure.burst.server import HourlyBudget, Responder, ResponderSettings
from campus_agent.measure.probe import Finding, Progress, ignore
from campus_agent.measure.request import ThroughputRequest
from campus_wire.failures import FailureKind, Operation, Validity
from campus_wire.records import ThroughputRecord
from tests.agent.measure.burst.loopback import KEY, Raw, responder
from tests.flow.programs import until

REQUIRED = 20e6
OF_THIS_MACHINE = (
    Validity.OK,
    Validity.GATEWAY_LIMIT,
    Validity.ENDPOINT_LIMIT,
    Validity.GATEWAY_CPU,
    Validity.INCONCLUSIVE,
)
"""A loopback test on a machine that does other things too ends with one of these."""


def measure(
    port: int, key: bytes | None = KEY, on_progress: Callable[[Progress], None] = ignore, **more: Any
) -> Finding[ThroughputRecord]:
    values = {
        "host": "127.0.0.1",
        "engine": "campus",
        "segment": "classroom",
        "required_bits_per_second": REQUIRED,
        "max_cross_traffic_ratio": inf,
    } | more
    return client.measure(ThroughputRequest(port=port, **values), key, on_progress)


@contextmanager
def impostor(behave: Callable[[socket.socket], None]) -> Iterator[int]:
    """Something that listens and is no responder."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def run() -> None:
            try:
                sock, _ = server.accept()
                with sock:
                    behave(sock)
            except OSError:
                pass

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_whole_test() -> None:
    steps: list[Progress] = []
    with responder() as running:
        outcome = measure(running.port, on_progress=steps.append)
    assert outcome.failure is None, outcome
    assert outcome.validity in OF_THIS_MACHINE
    record = outcome.record
    assert record is not None
    assert (record.engine, record.engine_version, record.segment) == ("campus", "1", "classroom")
    assert record.required_bits_per_second == REQUIRED
    for direction in (record.down, record.up):
        assert direction is not None
        assert direction.line_rate_bits_per_second is not None
        assert direction.bytes > 0.05 * REQUIRED / 8
    assert record.idle is not None
    assert record.idle.method == "udp"
    assert record.idle.packets_sent == 20
    assert record.idle.packets_received > 0
    assert record.working is not None
    assert {step.phase for step in steps} == {"down", "up"}
    again = msgspec.json.decode(msgspec.json.encode(record), type=ThroughputRecord)
    assert again == record
    assert pickle.loads(pickle.dumps(outcome)) == outcome


def test_an_uplink_looks_for_a_bucket() -> None:
    with responder() as running:
        outcome = measure(running.port, segment="uplink", required_bits_per_second=10e6)
    assert outcome.record is not None
    assert outcome.record.down is not None
    if outcome.validity is Validity.OK and not outcome.detail:
        assert 0.5e6 < outcome.record.down.bytes <= 1.3e6


def test_ipv6() -> None:
    try:
        with responder(listen="::1") as running:
            outcome = measure(running.port, host="::1")
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert outcome.record is not None
    assert outcome.record.encapsulation.address_family == "ipv6"


def test_dual_stack_serves_ipv4_as_ipv4() -> None:
    try:
        with responder(listen="::") as running:
            outcome = measure(running.port)
    except OSError as error:
        pytest.skip(f"no IPv6 here: {error}")
    assert outcome.record is not None
    assert outcome.record.encapsulation.address_family == "ipv4"


def test_without_a_key_on_loopback() -> None:
    with responder(key=None) as running:
        assert measure(running.port, key=None).record is not None


@pytest.mark.parametrize("listen", ["0.0.0.0", "::", "192.0.2.1", "", "a.name.example"])
def test_without_a_key_elsewhere_is_refused(listen: str) -> None:
    with pytest.raises(ValueError, match="needs a test key; without one only loopback is allowed"):
        ResponderSettings(listen=listen, key=None)


@pytest.mark.parametrize(("client_key", "responder_key"), [(b"another", KEY), (None, KEY), (KEY, None)])
def test_keys_that_differ(client_key: bytes | None, responder_key: bytes | None) -> None:
    with responder(key=responder_key) as running:
        outcome = measure(running.port, key=client_key)
    assert outcome.failure is not None
    assert (outcome.failure.operation, outcome.failure.kind) == (Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED)
    assert outcome.validity is Validity.NOT_MEASURED
    assert outcome.record is None


def test_busy() -> None:
    with responder() as running, Raw(running.port) as first:
        first.enter()
        outcome = measure(running.port)
        assert outcome.failure is not None
        assert (outcome.failure.operation, outcome.failure.kind) == (Operation.REQUEST, FailureKind.BUSY)
        assert outcome.validity is Validity.ENDPOINT_BUSY
        first.say(Bye())
        assert measure(running.port).failure is None


def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    outcome = measure(port)
    assert outcome.failure is not None
    assert (outcome.failure.operation, outcome.failure.kind) == (Operation.CONNECT, FailureKind.CONNECTION_REFUSED)
    assert outcome.validity is Validity.ENDPOINT_OFF


def test_a_name_that_does_not_exist() -> None:
    outcome = measure(5301, host="no-such-host.invalid")
    assert outcome.failure is not None
    assert outcome.failure.operation is Operation.RESOLVE


def _mute(sock: socket.socket) -> None:
    sock.settimeout(5)
    while sock.recv(4096):
        pass


def _garbage(sock: socket.socket) -> None:
    sock.recv(4096)
    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")


def _hang_up(sock: socket.socket) -> None:
    sock.recv(4096)


def _refuse(sock: socket.socket) -> None:
    from campus_agent.measure.burst.protocol.control import ControlConnection

    sock.recv(4096)
    sock.sendall(ControlConnection("responder").frame_of(Refused("version")))


@pytest.mark.parametrize(
    ("behave", "kind"),
    [
        (_mute, FailureKind.TIMEOUT),
        (_garbage, FailureKind.PROTOCOL_ERROR),
        (_hang_up, FailureKind.CONNECTION_RESET),
        (_refuse, FailureKind.PROTOCOL_ERROR),
    ],
)
def test_what_is_no_responder(behave: Callable[[socket.socket], None], kind: FailureKind) -> None:
    with impostor(behave) as port:
        began = time.monotonic()
        outcome = measure(port, deadline_seconds=1.0)
        assert time.monotonic() - began < 30
    assert outcome.failure is not None
    assert (outcome.failure.operation, outcome.failure.kind) == (Operation.AUTHENTICATE, kind)


def test_udp_that_does_not_pass() -> None:
    with responder() as running:
        _swallow_udp(running)
        outcome = measure(running.port, deadline_seconds=20.0)
    assert outcome.failure is None
    assert outcome.record is not None
    assert outcome.record.transport == "tcp"
    assert (outcome.record.idle, outcome.record.working) == (None, None)
    for direction in (outcome.record.down, outcome.record.up):
        assert direction is not None
        assert direction.bytes > 0.1 * REQUIRED / 8
    assert "measured by TCP, because UDP does not pass" in outcome.detail


def test_what_was_lost_by_udp_is_charged_when_tcp_fails_too(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[Progress] = []
    lost: list[int] = []

    def fails(test: client.StreamTest) -> None:
        lost.append(test.lost_bytes)
        raise ConnectionResetError("gone")

    def blocked(test: client.DirectionTest) -> None:
        test.bytes_spent = 1_250_000
        raise client.UdpBlocked("UDP does not pass")

    monkeypatch.setattr(client.DirectionTest, "run", blocked)
    monkeypatch.setattr(client.StreamTest, "run", fails)
    with responder() as running:
        outcome = measure(running.port, on_progress=steps.append)
    assert outcome.failure is not None
    assert lost == [1_250_000]
    assert [step.bytes_spent for step in steps] == [1_250_000]


def test_udp_that_does_not_pass_and_a_responder_too_old_for_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    from campus_agent.measure.burst import server

    monkeypatch.setattr(server, "Welcome", lambda *values, **_: Welcome(*values))
    with responder() as running:
        _swallow_udp(running)
        outcome = measure(running.port, deadline_seconds=4.0)
    assert outcome.failure is not None
    assert (outcome.failure.operation, outcome.failure.kind) == (Operation.TRANSFER, FailureKind.TIMEOUT)
    assert "none of 20 UDP probes was answered" in outcome.failure.detail
    assert outcome.failure.detail.endswith("the responder is too old for a test by TCP")


def _swallow_udp(running: Responder) -> None:
    """Swap the responder's UDP socket for one that nobody sends to: as if a firewall stood in between."""
    running._udp.close()
    elsewhere = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    elsewhere.bind(("127.0.0.1", 0))
    elsewhere.setblocking(False)
    running._udp = elsewhere


def test_the_responder_vanishes_in_the_middle() -> None:
    with responder() as running:
        stop = threading.Timer(0.15, running.stop)
        stop.start()
        outcome = measure(running.port, segment="uplink", required_bits_per_second=50e6, deadline_seconds=6.0)
        stop.join()
    assert outcome.failure is not None
    assert outcome.failure.operation in (Operation.TRANSFER, Operation.AUTHENTICATE)


def test_the_hours_octets() -> None:
    outcomes: list[Finding[ThroughputRecord]] = []

    def is_refused(outcome: Finding[ThroughputRecord]) -> bool:
        """A busy machine repeats bursts: then a session may end before its time, at what is left of the hour."""
        return outcome.failure is not None and "in a session" not in outcome.failure.detail

    with responder(hour_bytes=10_000_000, burst_bytes=500_000) as running:
        while not outcomes or (not is_refused(outcomes[-1]) and len(outcomes) < 100):
            outcomes.append(measure(running.port))
    last = outcomes[-1]
    assert last.failure is not None
    assert (last.failure.kind, last.failure.detail) == (FailureKind.BUSY, "the hour's 0 GB are spent (--capacity)")
    assert outcomes[0].failure is None


def test_the_hourly_budget_forgets_after_an_hour() -> None:
    budget = HourlyBudget(100)
    budget.spend(0.0, 60)
    budget.spend(1800.0, 30)
    assert [budget.left(now) for now in (1800.0, 3599.0, 3600.0, 5400.0)] == [10, 10, 70, 100]


def test_an_order_beyond_the_bounds_is_refused_not_cut() -> None:
    with responder(rate_bits_per_second=1e6) as running:
        outcome = measure(running.port)
    assert outcome.failure is not None
    assert (outcome.failure.operation, outcome.failure.kind) == (Operation.REQUEST, FailureKind.BUSY)
    assert outcome.failure.detail == "rate above 1000000 bit/s"


def test_the_callers_octets_are_kept() -> None:
    with responder() as running:
        outcome = measure(running.port, segment="uplink", max_bytes=1_500_000)
    record = outcome.record
    assert record is not None
    assert record.down is not None
    assert record.up is not None
    assert record.down.bytes + record.up.bytes < 1_510_000


def test_too_few_octets_for_anything() -> None:
    with responder() as running:
        outcome = measure(running.port, max_bytes=1000)
    assert outcome.validity is Validity.INCONCLUSIVE
    assert outcome.detail == "down: no bytes or time left for a burst; up: no bytes or time left for a burst"
    assert outcome.record is not None
    assert outcome.record.down is None


@pytest.mark.parametrize("mistake", [{"required_bits_per_second": 0}, {"tolerance_ratio": 1.2}])
def test_a_request_that_makes_no_sense(mistake: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="must be"):
        measure(5301, **mistake)


def test_sessions_are_logged_without_secrets(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "campus_agent.measure.burst")
    with responder() as running:
        measure(running.port)
        until(lambda: "session_ended" in caplog.messages, 60, "the responder ends the session")
        measure(running.port, key=b"wrong")
    events = [record.message for record in caplog.records]
    assert events == ["responder_started", "session_ended", "client_refused", "responder_stopped"]
    assert KEY.decode() not in repr([vars(record) for record in caplog.records])


def test_a_taken_port_is_an_error_at_the_start() -> None:
    with responder() as running, pytest.raises(OSError, match=r"[Aa]ddress already in use"):
        Responder(ResponderSettings(port=running.port, key=KEY)).start()
