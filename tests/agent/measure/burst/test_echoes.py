"""RTT, jitter and loss of the engine's own probes."""

import pytest

from campus_agent.measure.burst.client_session import note_reply
from campus_agent.measure.burst.protocol.datagram import Datagram, Kind
from campus_agent.measure.link.rtt import Echoes


def answer(asked_ns: int, held_ns: int = 0) -> Datagram:
    return Datagram(Kind.REPLY, bytes(16), 0, 0, 5, asked_ns, held_ns)


def test_the_time_the_answer_waited_is_not_rtt() -> None:
    echoes = Echoes(sent=1)
    note_reply(echoes, answer(1_000_000, held_ns=400_000), 2_000_000)
    assert echoes.in_order() == [pytest.approx(0.0006)]


def test_only_the_first_answer_counts_and_impossible_ones_do_not() -> None:
    echoes = Echoes(sent=2)
    note_reply(echoes, answer(1_000), 5_000)
    note_reply(echoes, answer(1_000), 9_000)
    note_reply(echoes, answer(8_000, held_ns=10_000), 9_000)
    note_reply(echoes, answer(0), 9_000)
    assert echoes.rtt_seconds == {1_000: 4e-6}


def test_the_record() -> None:
    echoes = Echoes(sent=25)
    for index in range(20):
        note_reply(echoes, answer(10**6 * (index + 1)), 10**6 * (index + 1) + 1_000_000 + 10_000 * index)
    record = echoes.record()
    assert record is not None
    assert (record.packets_sent, record.packets_received) == (25, 20)
    assert record.loss_ratio == pytest.approx(0.2)
    assert record.rtt_min_seconds == pytest.approx(0.001)
    assert record.rtt_max_seconds == pytest.approx(0.00119)
    assert record.rtt_p95_seconds == pytest.approx(0.00118)
    assert record.jitter_seconds == pytest.approx(1e-5 * (1 - (15 / 16) ** 19))


def test_absence_is_not_zero() -> None:
    assert Echoes().record() is None
    silent = Echoes(sent=3).record()
    assert silent is not None
    assert silent.loss_ratio == 1.0
    assert silent.rtt_median_seconds is None
    assert silent.jitter_seconds is None
