"""Latency: the arithmetic by tables, the sockets against an independent implementation on loopback."""

import asyncio
import socket
from itertools import pairwise

import icmplib
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.link import rtt
from campus_agent.measure.link.icmp import Pinger, internet_checksum
from campus_agent.measure.link.rtt import Echoes
from campus_agent.measure.probes import latency
from campus_wire.failures import FailureKind

rtts = st.lists(st.floats(0, 10, allow_nan=False), max_size=50)


@pytest.mark.parametrize(
    ("values", "jitter"),
    [
        ([], None),
        ([0.1], None),
        ([0.1, 0.1, 0.1], 0.0),
        ([0.0, 0.016], 0.001),
        ([0.0, 0.016, 0.0], 0.001 + (0.016 - 0.001) / 16),  # J += (|D| - J) / 16, RFC 3550 A.8
    ],
)
def test_jitter_is_rfc_3550(values: list[float], jitter: float | None) -> None:
    assert rtt.jitter_seconds(values) == (None if jitter is None else pytest.approx(jitter))


@given(rtts)
def test_jitter_never_exceeds_the_largest_step(values: list[float]) -> None:
    jitter = rtt.jitter_seconds(values)
    if jitter is not None:
        assert 0 <= jitter <= max(abs(a - b) for a, b in pairwise(values)) + 1e-12


@pytest.mark.parametrize(
    ("sent", "received", "loss"), [(0, 0, None), (10, 10, 0.0), (10, 0, 1.0), (4, 3, 0.25), (3, 5, 0.0)]
)
def test_loss_is_absent_when_nothing_was_sent(sent: int, received: int, loss: float | None) -> None:
    assert rtt.loss_ratio(sent, received) == loss


@pytest.mark.parametrize(
    ("values", "share", "value"),
    [([], 0.95, None), ([1.0], 0.95, 1.0), ([3.0, 1.0, 2.0], 0.5, 2.0), (list(map(float, range(1, 21))), 0.95, 19.0)],
)
def test_percentile_is_nearest_rank(values: list[float], share: float, value: float | None) -> None:
    assert rtt.percentile(values, share) == value


@given(st.lists(st.floats(0, 10, allow_nan=False), min_size=1, max_size=50), st.floats(0.01, 1))
def test_a_percentile_is_a_value_that_enough_values_do_not_exceed(values: list[float], share: float) -> None:
    actual = rtt.percentile(values, share)
    assert actual in values
    assert sum(value <= actual for value in values) >= share * len(values) - 1e-9


def test_the_checksum_is_rfc_1071() -> None:
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2  # the example of section 3


def test_a_host_that_answers_nothing_is_a_failure_not_a_loss_of_one() -> None:
    finding = latency.interpret("classroom", Echoes(sent=5))
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.TIMEOUT
    assert finding.record is None


@pytest.mark.parametrize(("address", "family"), [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_echoes_on_loopback_agree_with_an_independent_implementation(
    address: str, family: socket.AddressFamily
) -> None:
    async def ours() -> Echoes:
        with Pinger(address, family) as pinger:
            await pinger.send_every(0.01, 20)
            await pinger.settle(1.0)
        return pinger.echoes

    echoes = asyncio.run(ours())
    theirs = icmplib.ping(address, count=5, interval=0.01, privileged=True)
    assert (echoes.sent, len(echoes.rtt_seconds)) == (20, 20)
    assert theirs.packets_received == 5
    assert 0 < min(echoes.in_order()) < 0.05
    assert rtt.summary(echoes).loss_ratio == 0.0


def test_an_address_nobody_has_is_lost_within_the_time_given() -> None:
    async def ours() -> Echoes:
        with Pinger("127.0.0.1", socket.AF_INET) as pinger:
            pinger._identifier = b"\0\0"
            pinger._secret = b"not mine"
            pinger.send()
            pinger._secret = b"changed!"  # the answer to somebody else's echo must not count
            await pinger.settle(0.2)
        return pinger.echoes

    echoes = asyncio.run(ours())
    assert (echoes.sent, echoes.rtt_seconds) == (1, {})
