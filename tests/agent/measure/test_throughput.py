"""Throughput by iperf3: captured reports read by tables, and each way to fail against real sockets and real servers."""

import asyncio
import itertools
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.burst import engine as burst_engine
from campus_agent.measure.guards import TrafficGuard, bytes_at, soundness
from campus_agent.measure.iperf3 import engine, reading
from campus_agent.measure.iperf3.task import Iperf3Task, KernelCounts
from campus_agent.measure.iperf3.worker import failure_from_message
from campus_agent.measure.link.cpu_wait import CpuWait
from campus_agent.measure.link.interface_counters import WireCounters, wire_counters
from campus_agent.measure.link.path import Link, link_to
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.link.rtt import Echoes
from campus_agent.measure.probe import Finding, ProbeFailed
from campus_agent.measure.probes import PROBES, throughput
from campus_agent.measure.request import ThroughputRequest
from campus_agent.measure.worker import run_worker
from campus_wire.bandwidth import Verdict, verdict_of
from campus_wire.encapsulation import goodput_from_line_rate
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DirectionRecord, ThroughputResult
from tests.agent.measure.runs import run, runner, with_settings
from tests.wire.samples import throughput as sample

CAPTURES = Path(__file__).parents[2] / "captures" / "iperf3"
REQUEST = ThroughputRequest("10.0.1.2", 5201, "iperf3", "classroom", 100e6, duration_seconds=3)
LINK = Link("lan", 1e9, "full", 1500)


def load(way: str, before: WireCounters | None = None, after: WireCounters | None = None) -> reading.LoadReport:
    report = json.loads((CAPTURES / f"libiperf-3.12-{way}-100mbit.json").read_text())
    return reading.LoadReport(report, way == "forward", before, after)


def raw(
    down: reading.LoadReport | None, up: reading.LoadReport | None, failure: Failure | None = None, link: Link = LINK
) -> reading.LineReading:
    address = Address("10.0.1.2", socket.AF_INET, 0.001)
    echoes = Echoes(4, {0: 0.001, 1: 0.002, 2: 0.001})
    return reading.LineReading(REQUEST, address, link, echoes, echoes, down, up, 0.2, failure)


SLOW = DirectionRecord(80e6, 30_000_000, 3.0)


def test_a_captured_100_mbit_line_is_100() -> None:
    finding = reading.interpret(raw(load("forward"), load("reverse")))
    record = finding.record
    assert (finding.validity, finding.failure) == (Validity.OK, None)
    assert (record.encapsulation.mtu_bytes, record.encapsulation.tcp_timestamps) == (1500, True)
    result = msgspec.structs.replace(sample(), record=record)
    assert verdict_of(result) is Verdict.MET
    for direction in (record.down, record.up):
        assert direction.goodput_bits_per_second == pytest.approx(94.15e6, rel=0.005)
        assert direction.bytes == pytest.approx(50e6, rel=0.03)  # 4 s at 100 Mbit/s, warm-up included
        assert direction.warmup_seconds == 1.0
        assert sum(interval.duration_seconds for interval in direction.intervals) == pytest.approx(4, abs=0.6)
    assert (record.down.intervals_seen_by, record.up.intervals_seen_by) == ("sender", "receiver")
    assert record.idle.loss_ratio == 0.25


def test_a_direction_that_failed_keeps_the_other_and_judges_nothing() -> None:
    failure = Failure(Operation.TRANSFER, FailureKind.CONNECTION_RESET)
    finding = reading.interpret(raw(load("forward"), None, failure))
    assert (finding.validity, finding.failure) == (Validity.NOT_MEASURED, failure)
    assert finding.record.down is not None
    assert finding.record.up is None


def test_other_traffic_is_what_the_interface_carried_beside_the_test() -> None:
    own = reading.interpret(raw(load("forward"), None)).record.down.bytes
    quiet = load("forward", WireCounters(0.0, 0, 0), WireCounters(4.0, own, 0))
    busy = load("forward", WireCounters(0.0, 0, 0), WireCounters(4.0, own + 5_000_000, 0))
    assert reading.cross_traffic_bits_per_second(quiet, own) == 0.0
    assert reading.cross_traffic_bits_per_second(busy, own) == pytest.approx(10e6)
    assert reading.cross_traffic_bits_per_second(load("forward"), own) is None


@pytest.mark.parametrize(
    ("mss", "link_mtu", "mtu", "timestamps"),
    [
        (1448, 1500, 1500, True),
        (1460, 1500, 1500, False),
        (1440, 1492, 1492, True),
        (1388, 1500, 1440, True),
        (0, 1400, 1400, True),
    ],
)
def test_the_encapsulation_follows_from_the_segment_size(mss: int, link_mtu: int, mtu: int, timestamps: bool) -> None:
    forward = load("forward")
    report = json.loads(json.dumps(forward.report))
    report["start"]["tcp_mss_default"] = mss
    link = Link("lan", 1e9, "full", link_mtu)
    path = reading.encapsulation(raw(reading.LoadReport(report, True, None, None), None, link=link))
    assert (path.mtu_bytes, path.tcp_timestamps) == (mtu, timestamps)


@pytest.mark.parametrize(
    ("changes", "validity", "detail"),
    [
        ({}, Validity.OK, ""),
        ({"cpu_ratio": 0.81}, Validity.OK, ""),  # it reached the target all the same: a busy CPU makes no line faster
        ({"cpu_ratio": 0.81, "down": SLOW}, Validity.GATEWAY_CPU, "CPU 81%, limit 80%"),
        ({"cpu_ratio": 0.81, "up": None}, Validity.GATEWAY_CPU, "CPU 81%, limit 80%"),
        ({"cpu_ratio": 0.8004, "up": None}, Validity.GATEWAY_CPU, "CPU 80.04%, limit 80%"),
        ({"link_speed_bits_per_second": 10e6}, Validity.GATEWAY_LIMIT, "the gateway's own port runs at 10 Mbit/s"),
    ],
)
def test_the_gateway_s_own_limits_make_a_result_invalid(
    changes: dict[str, Any], validity: Validity, detail: str
) -> None:
    record = msgspec.structs.replace(sample().record, **changes)
    assert soundness(record, REQUEST) == (validity, detail)


@pytest.mark.parametrize(
    ("rate", "on_the_line", "waited", "validity"),
    [
        (97.5, None, 0.0, Validity.OK),  # nobody waited: the line's
        (97.5, None, 0.005, Validity.OK),
        (97.5, None, 0.05, Validity.GATEWAY_CPU),
        (97.0, 97.0, 0.9, Validity.OK),  # seen on the line while it was full, whoever waited beside
        (90.0, 90.0, 0.9, Validity.OK),
        (90.0, None, 0.9, Validity.GATEWAY_CPU),
        (90.0, None, 0.02, Validity.OK),  # so short a wait does not explain it
        (50.0, None, 0.2, Validity.OK),
        (50.0, None, 0.5, Validity.GATEWAY_CPU),
        (
            98.5,
            None,
            0.05,
            Validity.INCONCLUSIVE,
        ),  # programs read late what lay in a buffer: it may be as much too high
        (99.5, None, 0.05, Validity.OK),
        (98.1, 98.1, 0.05, Validity.INCONCLUSIVE),
        (97.9, 97.9, 0.05, Validity.INCONCLUSIVE),
        (98.1, 98.1, 0.0, Validity.OK),
    ],
)
def test_a_wait_for_the_processor_is_never_a_slow_line(
    rate: float, on_the_line: float | None, waited: float, validity: Validity
) -> None:
    record = sample().record
    direction = DirectionRecord(
        goodput_from_line_rate(rate * 1e6, record.encapsulation),
        30_000_000,
        3.0,
        line_rate_bits_per_second=None if on_the_line is None else on_the_line * 1e6,
        cpu_waited_ratio=waited,
    )
    both = msgspec.structs.replace(record, down=direction, up=direction, cpu_ratio=1.0)
    assert soundness(both, REQUEST)[0] is validity
    sure = DirectionRecord(47e6, 30_000_000, 3.0, cpu_waited_ratio=0.0)
    assert soundness(msgspec.structs.replace(both, up=sure), REQUEST)[0] is Validity.OK, (
        "one that surely fails is enough"
    )


def test_our_own_engine_leaves_a_slow_port_to_the_guards() -> None:
    """The same words whichever engine measured."""
    down = msgspec.structs.replace(SLOW, cpu_waited_ratio=0.0)
    record = msgspec.structs.replace(sample().record, down=down, up=down, engine="campus")
    slow_port = msgspec.structs.replace(LINK, speed_bits_per_second=10e6)
    finding = burst_engine.interpret(REQUEST, Finding(record, detail="down: a note"), slow_port, 0.1)
    assert (finding.validity, finding.detail) == (Validity.GATEWAY_LIMIT, "the gateway's own port runs at 10 Mbit/s")
    assert finding.record.link_speed_bits_per_second == 10e6
    assert burst_engine.interpret(REQUEST, Finding(record), LINK, 0.1).validity is Validity.OK


def test_a_gateway_that_its_own_load_fills_is_no_slow_line() -> None:
    slow = msgspec.structs.replace(SLOW, cpu_waited_ratio=0.0)
    record = msgspec.structs.replace(sample().record, down=slow)
    for busy in (CpuWait(own_ratio=0.95), CpuWait(network_ratio=0.95)):
        validity, detail = soundness(record, REQUEST, {"down": busy})
        assert (validity, "95% busy" in detail) == (Validity.GATEWAY_CPU, True)


def test_the_rate_while_the_line_was_full_stands_for_what_the_ends_managed() -> None:
    forward = load("forward")
    frame_bits = 1538 * 8
    slots = [97e6 / frame_bits] * 12 + [(60 + n) * 1e6 / frame_bits for n in range(16)]
    seen = KernelCounts(slots, 0.1, CpuWait(pressure_ratio=0.4))
    held_up = reading.LoadReport({**forward.report, "kernel": msgspec.to_builtins(seen)}, True, None, None)
    record = reading.interpret(raw(held_up, load("reverse"))).record
    assert record.down.line_rate_bits_per_second == pytest.approx(97e6)
    assert record.down.cpu_waited_ratio == pytest.approx(0.4)
    quiet = msgspec.structs.replace(seen, waiting=CpuWait(pressure_ratio=0.001))
    calm = reading.LoadReport({**forward.report, "kernel": msgspec.to_builtins(quiet)}, True, None, None)
    assert reading.interpret(raw(calm, load("reverse"))).record.down.line_rate_bits_per_second is None


@pytest.mark.parametrize(
    ("goodput", "cross", "validity"),
    [
        (94.15e6, 0.0, Validity.OK),
        (94.15e6, 49e6, Validity.OK),  # it reached the target all the same
        (94.15e6, 51e6, Validity.CROSS_TRAFFIC),  # above the guard: somebody was disturbed
        (80e6, 5e6, Validity.OK),  # together 90: the line is slow
        (91.5e6, 0.9e6, Validity.INCONCLUSIVE),  # 97.2 and so little that it may be an error of counting
        (80e6, 20e6, Validity.CROSS_TRAFFIC),  # together 105: the line may be fast
    ],
)
def test_a_slow_rate_beside_other_traffic_proves_nothing(goodput: float, cross: float, validity: Validity) -> None:
    direction = msgspec.structs.replace(
        sample().record.down, goodput_bits_per_second=goodput, cross_traffic_bits_per_second=cross
    )
    record = msgspec.structs.replace(sample().record, down=direction, up=direction)
    assert soundness(record, REQUEST)[0] is validity


SECOND_MB = 12_500_000 // 100  # what 1 Mbit/s carries in a second


@pytest.mark.parametrize(
    ("others_mbit", "ends_at"),
    [
        pytest.param([0, 0, 0, 0], None, id="nobody else"),
        pytest.param([40, 40, 40, 40], None, id="below half of the target"),
        pytest.param([0, 60, 0, 60], None, id="a burst alone"),
        pytest.param([0, 60, 60, 0], 3, id="two looks running"),
        pytest.param([100, 100], 2, id="from the start"),
    ],
)
def test_a_running_test_ends_when_others_come(others_mbit: list[int], ends_at: int | None) -> None:
    watch = TrafficGuard(REQUEST)
    line = own = 0
    assert watch.verdict(0.0, 0, 0, 0) is None
    ended = None
    for second, others in enumerate(others_mbit, 1):
        own += 50 * SECOND_MB
        line += (50 + others) * SECOND_MB
        actual = watch.verdict(float(second), line, own, own)
        if actual is not None and ended is None:
            ended = second
            assert actual[0] is Validity.CROSS_TRAFFIC
    assert ended == ends_at


@pytest.mark.parametrize(
    ("others_mbit", "ends"), [pytest.param(0, False, id="nobody else"), pytest.param(60, True, id="others")]
)
def test_counts_that_a_waiting_gateway_learns_late_are_compared_at_their_moment(others_mbit: int, ends: bool) -> None:
    """The worker's count comes later and later (0.1 to 0.7 s): read as of now it would make 200 Mbit/s of other traffic."""
    watch = TrafficGuard(REQUEST)
    looks = [(n * 0.25, round(n * 0.25 * (300 + others_mbit) * SECOND_MB)) for n in range(13)]
    verdicts = []
    for n in range(1, 13):
        counted_at = n * 0.25 - 0.1 - 0.05 * n
        own = round(max(0.0, counted_at) * 300 * SECOND_MB)
        verdicts.append(watch.verdict(counted_at, bytes_at(looks[: n + 1], counted_at), own, own))
    assert any(verdicts) is ends


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=20), st.floats(-1, 30))
def test_a_counter_between_looks_lies_between_their_counts(steps: list[int], moment: float) -> None:
    looks = [(float(n), total) for n, total in enumerate(itertools.accumulate(steps))]
    assert looks[0][1] <= bytes_at(looks, moment) <= looks[-1][1]
    assert [bytes_at(looks, at) for at, _ in looks] == [count for _, count in looks]


def test_a_running_test_ends_when_its_octets_are_spent() -> None:
    watch = TrafficGuard(msgspec.structs.replace(REQUEST, max_bytes=1000))
    assert watch.verdict(0.0, 900, 900, 900) is None
    actual = watch.verdict(0.1, 1100, 1100, 1100)
    assert actual is not None
    assert actual[0] is Validity.INCONCLUSIVE


def test_a_test_that_was_ended_keeps_what_it_cost() -> None:
    cut = reading.Cut("up", Validity.CROSS_TRAFFIC, "ended at once: 60.0 Mbit/s of other traffic", 10_000_000, 2.0)
    finding = reading.interpret(msgspec.structs.replace(raw(load("forward"), None), cut=cut))
    assert (finding.validity, finding.failure) == (Validity.CROSS_TRAFFIC, None)
    record = finding.record
    assert record is not None
    assert record.up.bytes == pytest.approx(10_620_000, rel=0.01)
    assert record.up.lower_bound
    result = msgspec.structs.replace(sample(), record=record, validity=finding.validity)
    assert verdict_of(result) is Verdict.INSUFFICIENT


def test_a_reference_that_reached_its_own_bound_is_a_lower_bound() -> None:
    request = msgspec.structs.replace(REQUEST, mode="reference", required_bits_per_second=78e6)  # 94.1 is 1.2 times 78
    finding = reading.interpret(msgspec.structs.replace(raw(load("forward"), load("reverse")), request=request))
    assert finding.record.down.lower_bound
    assert finding.record.mode == "reference"
    assert not reading.interpret(raw(load("forward"), load("reverse"))).record.down.lower_bound


def test_the_interface_to_an_address_is_known_and_loopback_is_no_line() -> None:
    link = link_to("127.0.0.1")
    assert link is not None
    assert (link.name, link.vlan_tags, link.pppoe) == ("lo", 0, False)
    assert wire_counters("lo") is None
    assert wire_counters("no-such-device") is None


@pytest.mark.parametrize(
    ("message", "operation", "kind"),
    [
        ("the server is busy running a test. try again later", Operation.REQUEST, FailureKind.BUSY),
        ("unable to connect to server: Connection refused", Operation.CONNECT, FailureKind.CONNECTION_REFUSED),
        ("unable to connect to server: No route to host", Operation.CONNECT, FailureKind.HOST_UNREACHABLE),
        ("unable to connect to server: Network is unreachable", Operation.CONNECT, FailureKind.NETWORK_UNREACHABLE),
        ("unable to connect to server: Connection timed out", Operation.CONNECT, FailureKind.TIMEOUT),
        ("unable to connect to server: Operation now in progress", Operation.CONNECT, FailureKind.TIMEOUT),
        ("unable to connect to server: Name or service not known", Operation.RESOLVE, FailureKind.NAME_NOT_FOUND),
        ("control socket has closed unexpectedly", Operation.TRANSFER, FailureKind.CONNECTION_RESET),
        ("test authorization failed", Operation.AUTHENTICATE, FailureKind.NOT_AUTHORISED),
        ("something new", Operation.TRANSFER, FailureKind.UNKNOWN),
    ],
)
def test_libiperf_s_messages_have_their_words(message: str, operation: Operation, kind: FailureKind) -> None:
    failure = failure_from_message(message).failure
    assert (failure.operation, failure.kind, failure.detail) == (operation, kind, message)


@pytest.mark.parametrize(
    "report", [{}, {"end": {}}, {"start": {}, "end": {"sum_received": {"bytes": 0, "seconds": 1}}}]
)
def test_a_report_without_the_receiver_s_count_is_refused(report: dict[str, Any]) -> None:
    with pytest.raises(ProbeFailed) as caught:
        reading.refuse_incomplete(report)
    assert caught.value.failure.kind is FailureKind.PROTOCOL_ERROR


def measured(host: str, port: int, **changes: Any) -> ThroughputResult:
    values = {
        "duration_seconds": 2,
        "warmup_seconds": 0,
        "max_cpu_ratio": 1.0,
        "max_cross_traffic_ratio": 1.0,
    } | changes
    request = ThroughputRequest(host, port, "iperf3", "classroom", 100e6, **values)
    result = run(PROBES["throughput"], request, "c101")
    assert isinstance(result, ThroughputResult)
    return result


@contextmanager
def server() -> Iterator[int]:
    """A stock iperf3 on loopback."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)
    try:
        for _ in range(100):
            listening = subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, check=True).stdout
            if listening:
                break
            time.sleep(0.05)
        yield port
    finally:
        process.kill()
        process.wait()


@contextmanager
def listener(talk: bytes | None = None) -> Iterator[int]:
    """A port that accepts, perhaps says something that is no iperf3, and stays silent."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        held: list[socket.socket] = []

        def accept() -> None:
            while True:
                try:
                    connection, _ = listening.accept()
                except OSError:
                    return
                held.append(connection)
                if talk is not None:
                    connection.sendall(talk)

        threading.Thread(target=accept, daemon=True).start()
        yield listening.getsockname()[1]
        for connection in held:
            connection.close()


def test_a_real_test_both_ways() -> None:
    steps = []
    with server() as port:
        request = ThroughputRequest("127.0.0.1", port, "iperf3", "classroom", 100e6, 0.98, 2, 0, 1.0, 1.0)
        result = run(PROBES["throughput"], request, "c1", watch=steps.append)
    assert verdict_of(result) is Verdict.MET
    assert result.record.congestion_control == "cubic"
    assert result.record.server is None, "a classroom's machine is not named"
    assert result.record.working.packets_received > 0
    assert {step.phase for step in steps} >= {"resolve", "latency", "down", "up"}


def test_the_uplink_s_down_is_towards_the_school() -> None:
    with server() as port:
        request = ThroughputRequest("127.0.0.1", port, "iperf3", "uplink", 1e9, 0.98, 2, 0, 1.0, 1.0)
        result = run(PROBES["throughput"], request, "uplink")
    assert result.record.segment == "uplink"
    assert result.record.server == "127.0.0.1"
    assert (result.record.down.intervals_seen_by, result.record.up.intervals_seen_by) == ("receiver", "sender")


def test_a_refused_port() -> None:
    result = measured("127.0.0.1", 1)
    assert (result.failure.operation, result.failure.kind) == (Operation.CONNECT, FailureKind.CONNECTION_REFUSED)
    assert result.validity is Validity.ENDPOINT_OFF


def test_a_name_that_does_not_resolve() -> None:
    result = measured("no-such-host.invalid", 5201)
    assert result.failure.operation is Operation.RESOLVE
    assert result.failure.kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED)


def test_a_busy_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "BUSY_WAITS_SECONDS", (0.05, 0.05))
    with server() as port:
        other = subprocess.Popen(
            ["iperf3", "-c", "127.0.0.1", "-p", str(port), "-t", "20", "-b", "1M"], stdout=subprocess.DEVNULL
        )
        try:
            time.sleep(0.5)
            result = measured("127.0.0.1", port)
        finally:
            other.kill()
            other.wait()
    assert (result.failure.operation, result.failure.kind) == (Operation.REQUEST, FailureKind.BUSY)
    assert result.validity is Validity.ENDPOINT_BUSY


def test_a_mute_endpoint_costs_one_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OVERHEAD_SECONDS", 0.5)
    with listener() as port:
        result = measured("127.0.0.1", port)
    assert (result.failure.operation, result.failure.kind) == (Operation.READ, FailureKind.TIMEOUT)
    assert "accepted, then stayed silent" in result.failure.detail


def test_a_lying_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "OVERHEAD_SECONDS", 1.5)
    with listener(b"HTTP/1.1 200 OK\r\n\r\n" * 100) as port:
        result = measured("127.0.0.1", port)
    assert result.failure.kind in (FailureKind.PROTOCOL_ERROR, FailureKind.UNKNOWN, FailureKind.TIMEOUT)
    assert result.validity is not Validity.OK


def task_for(port: int, seconds: int, *, reverse: bool) -> Iperf3Task:
    changes = {"host": "127.0.0.1", "port": port, "duration_seconds": seconds, "warmup_seconds": 0}
    return Iperf3Task(msgspec.structs.replace(REQUEST, **changes), reverse)


def test_a_worker_that_is_killed_costs_one_result() -> None:
    async def kill() -> None:
        import psutil

        with listener() as port:
            running = asyncio.ensure_future(run_worker("iperf3", task_for(port, 2, reverse=False), 20.0))
            await asyncio.sleep(1.5)  # it has started, and waits for the mute server
            for child in psutil.Process().children():
                child.kill()
            await running

    with pytest.raises(ProbeFailed) as caught:
        asyncio.run(kill())
    assert caught.value.failure.kind is FailureKind.WORKER_DIED


def test_more_than_64_kib_of_report_does_not_hang() -> None:
    with server() as port:
        task = msgspec.structs.replace(task_for(port, 12, reverse=True), interval_seconds=0.1)
        body = asyncio.run(run_worker("iperf3", task, 30.0))
    assert len(body) > 35_000
    assert len(json.loads(body)["intervals"]) > 100


def test_every_engine_is_in_the_list() -> None:
    assert set(throughput.ENGINES) == {"iperf3", "campus", "browser"}


def charged(request: ThroughputRequest) -> tuple[ThroughputResult, int]:
    spent: list[int] = []
    result = run(PROBES["throughput"], request, "c1", charge=spent.append)
    assert isinstance(result, ThroughputResult)
    return result, sum(spent)


@pytest.mark.parametrize("segment", ["classroom", "uplink"])
def test_a_test_that_breaks_off_is_charged_what_it_sent(segment: str) -> None:
    """The server dies in the middle of the first direction."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(["iperf3", "-s", "-B", "127.0.0.1", "-p", str(port)], stdout=subprocess.DEVNULL)

    def kill_when_octets_pass() -> None:
        until_octets_pass(port)
        process.kill()

    threading.Thread(target=kill_when_octets_pass, daemon=True).start()
    try:
        request = ThroughputRequest("127.0.0.1", port, "iperf3", segment, 100e6, 0.98, 8, 0, 1.0, 1.0, mode="reference")
        for _ in range(100):
            if subprocess.run(["ss", "-Hltn", f"sport = :{port}"], capture_output=True, check=True).stdout:
                break
            time.sleep(0.05)
        result, octets = charged(request)
    finally:
        process.kill()
        process.wait()
    assert result.failure is not None
    assert result.validity is Validity.NOT_MEASURED
    direction = result.record.down
    assert direction.bytes > 1_000_000
    assert direction.lower_bound
    assert octets >= direction.bytes


def until_octets_pass(port: int) -> None:
    """More than ten million, either way."""
    command = ["ss", "-Htin", f"dport = :{port}"]
    while not re.search(r"bytes_(sent|received):\d{8}", subprocess.run(command, capture_output=True, text=True).stdout):
        time.sleep(0.05)


def test_a_cancelled_test_is_charged_too() -> None:
    spent: list[int] = []

    async def work() -> None:
        with server() as port:
            request = ThroughputRequest(
                "127.0.0.1", port, "iperf3", "classroom", 100e6, 0.98, 8, 0, 1.0, 1.0, mode="reference"
            )
            running = asyncio.ensure_future(
                runner().run(with_settings(PROBES["throughput"], request), "c1", charge=spent.append)
            )
            await asyncio.to_thread(until_octets_pass, port)
            running.cancel()
            await asyncio.wait([running])

    asyncio.run(work())
    assert sum(spent) > 1_000_000


def test_a_short_rate_without_counters_blames_nobody() -> None:
    """No interface was found for the address, or it has no counters: who else was on the line is not known."""
    slow = load("forward")
    finding = reading.interpret(raw(slow, load("reverse")))
    assert finding.validity is Validity.OK  # it reaches the target: nothing could have made it higher
    tight = msgspec.structs.replace(REQUEST, required_bits_per_second=200e6)
    for link in (LINK, None):
        seen = msgspec.structs.replace(raw(slow, load("reverse")), request=tight, link=link)
        assert reading.interpret(seen).validity is Validity.INCONCLUSIVE
    loopback = msgspec.structs.replace(raw(slow, load("reverse")), request=tight, link=Link("lo", None, None, 65_536))
    assert reading.interpret(loopback).validity is Validity.OK
