"""What one pulse says, on lines drawn on paper: the truth is known to the octet."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_agent.measure.burst.estimate.reading import read_pulse, with_waits
from campus_agent.measure.burst.pulse import Arrivals, Flaw, Pulse, Sample, View
from tests.agent.measure.burst.line import WIRE_BYTES, Line, others_at, send

TARGET = 100e6
THRESHOLD = 98e6
OFFERED = 115e6


def read(line: Line, offered: float = OFFERED, seconds: float = 0.05, **more: bool):
    return read_pulse(send(line, offered, seconds, **more), THRESHOLD, TARGET)


@pytest.mark.parametrize("capacity", [5, 10, 50, 90, 96, 97, 98, 99, 100, 102, 110])
@pytest.mark.parametrize("counters", [True, False])
def test_a_busy_line_shows_its_capacity(capacity: int, counters: bool) -> None:
    view = read(Line(capacity * 1e6, counters=counters))
    assert view.flaw is None
    assert view.saturated
    assert view.limit == "queue"
    assert view.rate == pytest.approx(capacity * 1e6, rel=0.001)


@pytest.mark.parametrize("capacity", [300, 1000])
def test_a_line_that_carries_all_proves_what_was_offered_and_no_more(capacity: int) -> None:
    view = read(Line(capacity * 1e6))
    assert view.flaw is None
    assert not view.saturated
    assert view.rate == pytest.approx(OFFERED, rel=0.002)


@pytest.mark.parametrize("capacity", [90, 96, 97, 99, 100, 110])
@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("subscriber_receives", [True, False])
def test_other_traffic_is_counted_in(capacity: int, share: float, seed: int, subscriber_receives: bool) -> None:
    line = Line(capacity * 1e6, others=others_at(share * capacity * 1e6, 0.2, seed), seed=seed)
    view = read(line, subscriber_receives=subscriber_receives)
    assert view.own < 0.9 * capacity * 1e6
    if view.flaw is None and not view.unattributed and subscriber_receives:
        assert view.rate == pytest.approx(capacity * 1e6, rel=0.004)


def test_other_traffic_without_counters_is_noticed_as_unsteady() -> None:
    line = Line(90e6, others=others_at(30e6, 0.2), counters=False)
    assert read(line).flaw is Flaw.UNSTEADY


@pytest.mark.parametrize("capacity", [50, 90, 96, 100, 105])
def test_a_policer_shows_what_it_lets_through(capacity: int) -> None:
    view = read(Line(capacity * 1e6, policer=True))
    assert view.limit == "loss"
    assert view.rate == pytest.approx(capacity * 1e6, rel=0.01)


@pytest.mark.parametrize("loss", [0.02, 0.2])
def test_loss_lowers_what_is_proved(loss: float) -> None:
    view = read(Line(300e6, loss_ratio=loss))
    assert view.limit == "loss"
    assert view.rate == pytest.approx(OFFERED * (1 - loss), rel=0.04)


def test_a_short_stall_with_catching_up_does_not_matter() -> None:
    view = read(Line(99e6, stalls=[(25_000_000, 900_000)]))
    assert view.flaw is None
    assert view.rate == pytest.approx(99e6, rel=0.001)


def test_a_long_stall_spoils_the_pulse() -> None:
    assert read(Line(99e6, stalls=[(25_000_000, 4_000_000)])).flaw is Flaw.UNSTEADY


def test_a_starved_sender_says_nothing_against_the_line() -> None:
    silences = [(start, 5_000_000) for start in range(8_000_000, 50_000_000, 8_000_000)]
    view = read(Line(300e6, silences=silences))
    assert view.flaw is Flaw.STARVED
    assert view.offered < 0.9 * OFFERED


def test_a_sender_below_the_threshold_on_a_line_in_order_is_starved_not_a_failure() -> None:
    assert read(Line(300e6), offered=95e6).flaw is Flaw.STARVED


def test_a_starved_sender_and_some_loss_is_not_a_policer() -> None:
    assert read(Line(300e6, loss_ratio=0.05), offered=97e6).flaw is Flaw.STARVED


def test_a_starved_sender_may_still_fill_a_narrow_line() -> None:
    view = read(Line(50e6, silences=[(20_000_000, 3_000_000)]))
    assert view.flaw is None
    assert view.rate == pytest.approx(50e6, rel=0.001)


def test_a_bucket_passes_quickly_and_shows_in_a_long_pulse() -> None:
    line = Line(50e6, bucket_bytes=4_000_000)
    quick = read(line)
    assert not quick.saturated
    long = read(line, offered=300e6, seconds=0.22, batch=10)
    assert long.limit == "queue"
    assert long.rate == pytest.approx(50e6, rel=0.001)


def test_what_the_receive_buffer_lost_is_no_loss_of_the_line() -> None:
    pulse = send(Line(300e6, loss_ratio=0.3), OFFERED)
    pulse.arrivals.overflow = 140
    pulse.arrivals.overflow_ns = pulse.arrivals.received_ns[-5]
    assert read_pulse(replace(pulse, receiver_gap_bytes=None), THRESHOLD, TARGET).flaw is Flaw.OVERFLOW


def test_an_overflow_before_the_window_does_not_matter() -> None:
    pulse = send(Line(50e6, bucket_bytes=4_000_000), 300e6, 0.22, 10)
    pulse.arrivals.overflow, pulse.arrivals.overflow_ns = 99, pulse.arrivals.received_ns[100]
    assert read_pulse(pulse, THRESHOLD, TARGET).flaw is None


def test_a_clock_that_was_set_spoils_the_pulse() -> None:
    pulse = send(Line(90e6), OFFERED)
    pulse.arrivals.clock_step_ns = 1_000_000
    assert read_pulse(pulse, THRESHOLD, TARGET).flaw is Flaw.CLOCK


def test_counters_that_lag_are_not_believed() -> None:
    pulse = send(Line(90e6), OFFERED)
    first = pulse.arrivals.samples[0]
    pulse.arrivals.samples = [Sample(s.at_ns, first.octets, first.packets) for s in pulse.arrivals.samples]
    view = read_pulse(replace(pulse, sender_gap_bytes=None), THRESHOLD, TARGET)
    assert not view.counted
    assert view.rate == pytest.approx(90e6, rel=0.001)


def test_nothing_and_too_little() -> None:
    empty = Pulse(Arrivals(), [], WIRE_BYTES, None, None, True)
    assert read_pulse(empty, THRESHOLD, TARGET).flaw is Flaw.NOTHING_ARRIVED
    few = send(Line(100e6), OFFERED, 0.001)
    assert read_pulse(few, THRESHOLD, TARGET).flaw is Flaw.TOO_FEW


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(*[st.integers(-(2**62), 2**62)] * 2, *[st.integers(-(2**40), 2**40)] * 2), min_size=1, max_size=60
    ),
    st.lists(st.tuples(*[st.integers(-(2**62), 2**62)] * 3), max_size=12),
)
def test_a_lying_responder_gives_a_view_or_a_flaw_never_a_crash(rows, samples) -> None:
    seen = Arrivals(
        received_ns=[row[0] for row in rows],
        sent_ns=[row[1] for row in rows],
        sequence=[row[2] for row in rows],
        count=[row[3] for row in rows],
        samples=[Sample(*sample) for sample in samples],
        packets=len(rows),
    )
    read_pulse(Pulse(seen, [], WIRE_BYTES, 24, 24, True), THRESHOLD, TARGET)


@pytest.mark.parametrize("subscriber_receives", [True, False])
@pytest.mark.parametrize("others", [40e6, 70e6])
def test_a_full_queue_that_loses_others_packets_does_not_make_a_line_faster(
    others: float, subscriber_receives: bool
) -> None:
    """The sender's counter stands before the queue: it counts what of the others' bursts is lost there."""
    line = Line(97e6, limit_bytes=64_000, others=others_at(others, 0.1))
    view = read_pulse(send(line, 115e6, subscriber_receives=subscriber_receives), 98e6, 100e6)
    assert view.rate <= 98e6
    assert view.rate + view.unattributed >= 95e6


QUEUE = read(Line(97e6))
PROVED = read(Line(300e6))


@pytest.mark.parametrize(
    ("view", "waited", "flaw"),
    [
        (QUEUE, None, None),  # an older responder, an older kernel
        (QUEUE, 0.002, None),
        (QUEUE, 0.02, None),  # a queue all the same: the line was full
        (replace(QUEUE, others=15e6), 0.02, Flaw.WAITED),
        (replace(QUEUE, others=15e6), 0.002, None),
        (replace(QUEUE, unattributed=15e6), 0.02, Flaw.WAITED),
        (replace(QUEUE, offered=90e6), 0.02, Flaw.WAITED),
        (replace(QUEUE, spread=0.01 * QUEUE.rate), 0.02, Flaw.WAITED),
        (replace(QUEUE, limit="loss"), 0.02, Flaw.WAITED),
        (PROVED, 0.02, None),
        (replace(PROVED, whole=99e6), 0.02, Flaw.WAITED),
        (replace(PROVED, flaw=Flaw.STARVED), 0.02, Flaw.WAITED),
        (replace(QUEUE, flaw=Flaw.CLOCK), 0.02, Flaw.CLOCK),
    ],
)
def test_a_pulse_whose_ends_waited_counts_only_with_proof(view: View, waited: float | None, flaw: Flaw | None) -> None:
    assert with_waits(view, waited, THRESHOLD, TARGET).flaw is flaw


def test_one_batch_that_its_sender_paused_in_is_no_queue() -> None:
    pulse = send(Line(300e6), OFFERED, 0.05)
    seen = pulse.arrivals
    seen.sent_ns[-60:] = [seen.sent_ns[-60]] * 60
    seen.received_ns[-60:] = [seen.received_ns[-60] + 400_000 * n for n in range(60)]
    assert read_pulse(pulse, THRESHOLD, TARGET).flaw is Flaw.STARVED


@pytest.mark.parametrize("same", [1, 2, 200, 466])
def test_arrivals_in_one_moment_are_too_few(same: int) -> None:
    pulse = send(Line(300e6), OFFERED, 0.05)
    moment = pulse.arrivals.received_ns[-1]
    pulse.arrivals.received_ns[-same:] = [moment] * same
    samples = [Sample(moment, sample.octets, sample.packets) for sample in pulse.arrivals.samples]
    view = read_pulse(replace(pulse, arrivals=replace(pulse.arrivals, samples=samples)), THRESHOLD, TARGET)
    assert view.flaw is (Flaw.TOO_FEW if same > 300 else view.flaw)


@given(
    st.lists(st.tuples(*[st.integers(-(2**62), 2**62)] * 2, st.integers(0, 10**7)), max_size=60),
    st.lists(st.tuples(*[st.integers(-(2**62), 2**62)] * 3), max_size=12),
    st.integers(1, 3),
)
@settings(max_examples=300, deadline=None)
def test_whatever_a_responder_reports_is_read(
    rows: list[tuple[int, int, int]], samples: list[tuple[int, int, int]], copies: int
) -> None:
    rows = [row for row in rows for _ in range(copies)]
    seen = Arrivals(
        received_ns=[row[0] for row in rows],
        sent_ns=[row[1] for row in rows],
        sequence=[row[2] for row in rows],
        count=list(range(1, len(rows) + 1)),
        samples=[Sample(*sample) for sample in samples],
        packets=len(rows),
    )
    read_pulse(Pulse(seen, (), WIRE_BYTES, 24, 24, subscriber_receives=True), THRESHOLD, TARGET)
