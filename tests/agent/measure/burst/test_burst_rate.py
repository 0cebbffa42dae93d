"""What one burst says, on lines drawn on paper: the truth is known to the octet."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_agent.measure.burst.estimate.burst_rate import estimate_burst, reject_if_cpu_waited
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate, RejectReason
from campus_agent.measure.burst.observation import Arrivals, BurstObservation, CounterSample
from tests.agent.measure.burst.line import WIRE_BYTES, Line, cross_traffic_at, send

TARGET = 100e6
THRESHOLD = 98e6
OFFERED = 115e6


def read(line: Line, offered: float = OFFERED, seconds: float = 0.05, **more: bool):
    return estimate_burst(send(line, offered, seconds, **more), THRESHOLD, TARGET)


@pytest.mark.parametrize("capacity", [5, 10, 50, 90, 96, 97, 98, 99, 100, 102, 110])
@pytest.mark.parametrize("counters", [True, False])
def test_a_busy_line_shows_its_capacity(capacity: int, counters: bool) -> None:
    estimate = read(Line(capacity * 1e6, counters=counters))
    assert estimate.reject_reason is None
    assert estimate.saturated
    assert estimate.limit == "queue"
    assert estimate.rate == pytest.approx(capacity * 1e6, rel=0.001)


@pytest.mark.parametrize("capacity", [300, 1000])
def test_a_line_that_carries_all_proves_what_was_offered_and_no_more(capacity: int) -> None:
    estimate = read(Line(capacity * 1e6))
    assert estimate.reject_reason is None
    assert not estimate.saturated
    assert estimate.rate == pytest.approx(OFFERED, rel=0.002)


@pytest.mark.parametrize("capacity", [90, 96, 97, 99, 100, 110])
@pytest.mark.parametrize("share", [0.3, 0.6])
@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("subscriber_receives", [True, False])
def test_other_traffic_is_counted_in(capacity: int, share: float, seed: int, subscriber_receives: bool) -> None:
    line = Line(capacity * 1e6, cross_traffic=cross_traffic_at(share * capacity * 1e6, 0.2, seed), seed=seed)
    estimate = read(line, subscriber_receives=subscriber_receives)
    assert estimate.test_rate < 0.9 * capacity * 1e6
    if estimate.reject_reason is None and not estimate.unattributed and subscriber_receives:
        assert estimate.rate == pytest.approx(capacity * 1e6, rel=0.004)


def test_other_traffic_without_counters_is_noticed_as_unsteady() -> None:
    line = Line(90e6, cross_traffic=cross_traffic_at(30e6, 0.2), counters=False)
    assert read(line).reject_reason is RejectReason.UNSTEADY


@pytest.mark.parametrize("capacity", [50, 90, 96, 100, 105])
def test_a_policer_shows_what_it_lets_through(capacity: int) -> None:
    estimate = read(Line(capacity * 1e6, policer=True))
    assert estimate.limit == "loss"
    assert estimate.rate == pytest.approx(capacity * 1e6, rel=0.01)


@pytest.mark.parametrize("loss", [0.02, 0.2])
def test_loss_lowers_what_is_proved(loss: float) -> None:
    estimate = read(Line(300e6, loss_ratio=loss))
    assert estimate.limit == "loss"
    assert estimate.rate == pytest.approx(OFFERED * (1 - loss), rel=0.04)


def test_a_short_stall_with_catching_up_does_not_matter() -> None:
    estimate = read(Line(99e6, stalls=[(25_000_000, 900_000)]))
    assert estimate.reject_reason is None
    assert estimate.rate == pytest.approx(99e6, rel=0.001)


def test_a_long_stall_spoils_the_pulse() -> None:
    assert read(Line(99e6, stalls=[(25_000_000, 4_000_000)])).reject_reason is RejectReason.UNSTEADY


def test_a_starved_sender_says_nothing_against_the_line() -> None:
    silences = [(start, 5_000_000) for start in range(8_000_000, 50_000_000, 8_000_000)]
    estimate = read(Line(300e6, silences=silences))
    assert estimate.reject_reason is RejectReason.STARVED
    assert estimate.offered < 0.9 * OFFERED


def test_a_sender_below_the_threshold_on_a_line_in_order_is_starved_not_a_failure() -> None:
    assert read(Line(300e6), offered=95e6).reject_reason is RejectReason.STARVED


def test_a_starved_sender_and_some_loss_is_not_a_policer() -> None:
    assert read(Line(300e6, loss_ratio=0.05), offered=97e6).reject_reason is RejectReason.STARVED


def test_a_starved_sender_may_still_fill_a_narrow_line() -> None:
    estimate = read(Line(50e6, silences=[(20_000_000, 3_000_000)]))
    assert estimate.reject_reason is None
    assert estimate.rate == pytest.approx(50e6, rel=0.001)


def test_a_bucket_passes_quickly_and_shows_in_a_long_pulse() -> None:
    line = Line(50e6, bucket_bytes=4_000_000)
    quick = read(line)
    assert not quick.saturated
    long = read(line, offered=300e6, seconds=0.22, batch=10)
    assert long.limit == "queue"
    assert long.rate == pytest.approx(50e6, rel=0.001)


def test_what_the_receive_buffer_lost_is_no_loss_of_the_line() -> None:
    burst = send(Line(300e6, loss_ratio=0.3), OFFERED)
    burst.arrivals.overflow = 140
    burst.arrivals.overflow_ns = burst.arrivals.received_ns[-5]
    assert (
        estimate_burst(replace(burst, receiver_frame_overhead_bytes=None), THRESHOLD, TARGET).reject_reason
        is RejectReason.OVERFLOW
    )


def test_an_overflow_before_the_window_does_not_matter() -> None:
    burst = send(Line(50e6, bucket_bytes=4_000_000), 300e6, 0.22, 10)
    burst.arrivals.overflow, burst.arrivals.overflow_ns = 99, burst.arrivals.received_ns[100]
    assert estimate_burst(burst, THRESHOLD, TARGET).reject_reason is None


def test_a_clock_that_was_set_spoils_the_pulse() -> None:
    burst = send(Line(90e6), OFFERED)
    burst.arrivals.clock_step_ns = 1_000_000
    assert estimate_burst(burst, THRESHOLD, TARGET).reject_reason is RejectReason.CLOCK


def test_counters_that_lag_are_not_believed() -> None:
    burst = send(Line(90e6), OFFERED)
    first = burst.arrivals.samples[0]
    burst.arrivals.samples = [CounterSample(s.at_ns, first.total_bytes, first.packets) for s in burst.arrivals.samples]
    estimate = estimate_burst(replace(burst, sender_frame_overhead_bytes=None), THRESHOLD, TARGET)
    assert not estimate.counted
    assert estimate.rate == pytest.approx(90e6, rel=0.001)


def test_nothing_and_too_little() -> None:
    empty = BurstObservation(Arrivals(), [], WIRE_BYTES, None, None, True)
    assert estimate_burst(empty, THRESHOLD, TARGET).reject_reason is RejectReason.NOTHING_ARRIVED
    few = send(Line(100e6), OFFERED, 0.001)
    assert estimate_burst(few, THRESHOLD, TARGET).reject_reason is RejectReason.TOO_FEW


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
        samples=[CounterSample(*sample) for sample in samples],
        packets=len(rows),
    )
    estimate_burst(BurstObservation(seen, [], WIRE_BYTES, 24, 24, True), THRESHOLD, TARGET)


@pytest.mark.parametrize("subscriber_receives", [True, False])
@pytest.mark.parametrize("cross_traffic", [40e6, 70e6])
def test_a_full_queue_that_loses_others_packets_does_not_make_a_line_faster(
    cross_traffic: float, subscriber_receives: bool
) -> None:
    """The sender's counter stands before the queue: it counts what of the others' bursts is lost there."""
    line = Line(97e6, limit_bytes=64_000, cross_traffic=cross_traffic_at(cross_traffic, 0.1))
    estimate = estimate_burst(send(line, 115e6, subscriber_receives=subscriber_receives), 98e6, 100e6)
    assert estimate.rate <= 98e6
    assert estimate.rate + estimate.unattributed >= 95e6


QUEUE = read(Line(97e6))
PROVED = read(Line(300e6))


@pytest.mark.parametrize(
    ("estimate", "waited", "reject_reason"),
    [
        (QUEUE, None, None),  # an older responder, an older kernel
        (QUEUE, 0.002, None),
        (QUEUE, 0.02, None),  # a queue all the same: the line was full
        (replace(QUEUE, cross_traffic=15e6), 0.02, RejectReason.WAITED),
        (replace(QUEUE, cross_traffic=15e6), 0.002, None),
        (replace(QUEUE, unattributed=15e6), 0.02, RejectReason.WAITED),
        (replace(QUEUE, offered=90e6), 0.02, RejectReason.WAITED),
        (replace(QUEUE, spread=0.01 * QUEUE.rate), 0.02, RejectReason.WAITED),
        (replace(QUEUE, limit="loss"), 0.02, RejectReason.WAITED),
        (PROVED, 0.02, None),
        (replace(PROVED, whole=99e6), 0.02, RejectReason.WAITED),
        (replace(PROVED, reject_reason=RejectReason.STARVED), 0.02, RejectReason.WAITED),
        (replace(QUEUE, reject_reason=RejectReason.CLOCK), 0.02, RejectReason.CLOCK),
    ],
)
def test_a_pulse_whose_ends_waited_counts_only_with_proof(
    estimate: RateEstimate, waited: float | None, reject_reason: RejectReason | None
) -> None:
    assert reject_if_cpu_waited(estimate, waited, THRESHOLD, TARGET).reject_reason is reject_reason


def test_one_batch_that_its_sender_paused_in_is_no_queue() -> None:
    burst = send(Line(300e6), OFFERED, 0.05)
    seen = burst.arrivals
    seen.sent_ns[-60:] = [seen.sent_ns[-60]] * 60
    seen.received_ns[-60:] = [seen.received_ns[-60] + 400_000 * n for n in range(60)]
    assert estimate_burst(burst, THRESHOLD, TARGET).reject_reason is RejectReason.STARVED


@pytest.mark.parametrize("same", [1, 2, 200, 466])
def test_arrivals_in_one_moment_are_too_few(same: int) -> None:
    burst = send(Line(300e6), OFFERED, 0.05)
    moment = burst.arrivals.received_ns[-1]
    burst.arrivals.received_ns[-same:] = [moment] * same
    samples = [CounterSample(moment, sample.total_bytes, sample.packets) for sample in burst.arrivals.samples]
    estimate = estimate_burst(replace(burst, arrivals=replace(burst.arrivals, samples=samples)), THRESHOLD, TARGET)
    assert estimate.reject_reason is (RejectReason.TOO_FEW if same > 300 else estimate.reject_reason)


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
        samples=[CounterSample(*sample) for sample in samples],
        packets=len(rows),
    )
    estimate_burst(BurstObservation(seen, (), WIRE_BYTES, 24, 24, subscriber_receives=True), THRESHOLD, TARGET)
