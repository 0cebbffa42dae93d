"""What time is it really? Tables, and laws for any clock."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.clock import clock as clock_module
from campus_agent.clock.clock import (
    KEPT_BOOTS,
    Clock,
    ClockEstimate,
    CorrectedStart,
    better,
    corrected_start,
    estimate_from_exchange,
    of_boot,
    offset_seconds,
    start_without_clock,
    system_clock,
    with_learnt,
    worth_storing,
)
from campus_agent.measure.stamp import stamp

AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)
EPOCH = AT.timestamp()
seconds = st.floats(0, 1e7)


def estimate(epoch_at_boot: float = EPOCH, error: float = 0.01, learnt: float = 10.0, boot: str = "b") -> ClockEstimate:
    return ClockEstimate(boot, learnt, epoch_at_boot, error)


def clock(wall: float, monotonic: float, boot: str = "b") -> Clock:
    return Clock(boot, lambda: wall, lambda: monotonic)


def test_the_systems_clock_is_this_boots() -> None:
    here, again = system_clock(), system_clock()
    assert here.boot_id == again.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert here.monotonic() == pytest.approx(time.clock_gettime(time.CLOCK_BOOTTIME), abs=1)
    assert here.wall() == pytest.approx(time.time(), abs=1)


def test_without_the_kernels_word_each_process_is_a_boot_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_module, "Path", lambda _: Path("/nowhere/at/all"))
    first, second = system_clock().boot_id, system_clock().boot_id
    assert first.startswith("process-")
    assert first != second
    assert len(first) <= 64


@given(epoch=st.floats(1.7e9, 2e9), there=st.floats(0, 60), back=st.floats(0, 60), sent=seconds)
def test_an_exchange_errs_by_at_most_half_its_round_trip(epoch: float, there: float, back: float, sent: float) -> None:
    """`epoch` is the collector's time at our monotonic 0; the server reads its clock when the request arrives."""
    learnt = estimate_from_exchange(clock(0, 0), sent, sent + there + back, epoch + sent + there)
    assert abs(learnt.epoch_at_boot - epoch) <= learnt.error_seconds + 1e-5
    assert learnt.error_seconds == pytest.approx((there + back) / 2, abs=1e-5)


@pytest.mark.parametrize(
    ("old", "new", "kept"),
    [
        (None, estimate(), "new"),
        (estimate(error=0.01), estimate(error=0.5), "old"),
        (estimate(error=0.5), estimate(error=0.01), "new"),
        (estimate(error=0.01), estimate(error=0.01), "new"),
        (estimate(error=0.01), estimate(error=0.5, learnt=6 * 3600 + 11.0), "new"),
        (estimate(error=0.01), estimate(EPOCH + 3600, error=0.5), "new"),  # the collector was set right
        (estimate(error=0.01), estimate(EPOCH + 1, error=0.5), "old"),
        (estimate(boot="a"), estimate(error=9.0), "new"),
    ],
)
def test_the_better_estimate(old: ClockEstimate | None, new: ClockEstimate, kept: str) -> None:
    assert better(old, new) == (new if kept == "new" else old)


def test_each_boot_keeps_its_own_and_old_boots_fade() -> None:
    known: tuple[ClockEstimate, ...] = ()
    for n in range(KEPT_BOOTS + 5):
        known = with_learnt(known, estimate(boot=f"boot-{n}"))
        known = with_learnt(known, estimate(boot=f"boot-{n}", error=5.0))
    assert len(known) == KEPT_BOOTS
    assert of_boot(known, "boot-0") is None
    newest = of_boot(known, f"boot-{KEPT_BOOTS + 4}")
    assert newest is not None
    assert newest.error_seconds == 0.01


@pytest.mark.parametrize(
    ("stored", "new", "worth"),
    [
        (None, estimate(), True),
        (estimate(), estimate(), False),
        (estimate(), estimate(EPOCH + 0.05, learnt=600), False),
        (estimate(), estimate(EPOCH + 0.2), True),
        (estimate(), estimate(learnt=7 * 3600), True),
    ],
)
def test_the_disk_is_spared(stored: ClockEstimate | None, new: ClockEstimate, worth: bool) -> None:
    assert worth_storing(stored, new) is worth


def test_no_offset_before_the_collector_answered_in_this_boot() -> None:
    assert offset_seconds(clock(EPOCH, 100), None) is None
    assert offset_seconds(clock(EPOCH, 100), estimate(boot="an earlier one")) is None
    assert offset_seconds(clock(EPOCH, 100), estimate(EPOCH)) == pytest.approx(100)


@given(jump=st.floats(-1e8, 1e8), passed=seconds, monotonic=seconds, error=st.floats(0, 40))
def test_a_step_of_the_wall_clock_changes_nothing(jump: float, passed: float, monotonic: float, error: float) -> None:
    """Measured under a wall clock that is wrong by `jump`; the time is learnt later; monotonic time wins."""
    label = datetime.fromtimestamp(EPOCH, UTC) + timedelta(seconds=monotonic + jump)
    truth = corrected_start(label, None, monotonic, estimate(EPOCH, error, learnt=monotonic + passed))
    assert truth.trusted
    off = (truth.started_at - datetime.fromtimestamp(EPOCH + monotonic, UTC)).total_seconds()
    assert abs(off) <= 2 + error + 0.001
    if abs(jump) > 2 + error + 0.001:
        assert abs(off) < 0.001
        assert truth.clock_offset_seconds == pytest.approx(-jump, abs=0.01)
    elif abs(jump) < 2 + error - 0.001:
        assert truth.started_at == label, "a slow exchange is no reason to touch a right label"


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_label_that_was_corrected_once_tells_the_whole_difference(hours: int) -> None:
    """Stamped with an offset of an hour; the collector's own clock is then set right by another hour."""
    first = estimate(EPOCH, learnt=10.0)
    label = stamp(clock(EPOCH + 100 - 3600 * hours, 100), first, 0.0)
    assert label.started_at == AT + timedelta(seconds=100)
    assert label.clock_offset_seconds == pytest.approx(3600 * hours)
    second = estimate(EPOCH + 3600, learnt=500.0)
    truth = corrected_start(label.started_at, label.clock_offset_seconds, 100.0, second)
    assert truth.started_at == AT + timedelta(seconds=3700)
    assert truth.clock_offset_seconds == pytest.approx(3600 * hours + 3600)


def test_a_boot_that_never_learnt_is_believed_only_where_it_can_be_true() -> None:
    assert corrected_start(AT, None, 5.0, None) == CorrectedStart(AT, None, True)
    for early in (datetime(1970, 1, 1, tzinfo=UTC), datetime(2024, 12, 31, tzinfo=UTC)):
        assert corrected_start(early, None, 5.0, None) == CorrectedStart(early, None, False)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=20))
def test_without_any_clock_order_and_distances_stay(moments: list[float]) -> None:
    last, wall = max(moments), datetime(1970, 1, 1, tzinfo=UTC)
    placed = [start_without_clock(wall, moment, last, AT) for moment in moments]
    assert all(not each.trusted and each.started_at <= AT for each in placed)
    for moment, first in zip(moments, placed, strict=True):
        assert (AT - first.started_at).total_seconds() == pytest.approx(last - moment, abs=0.001)


@pytest.mark.parametrize(
    ("ahead", "error", "corrected_by", "told"),
    [
        (0.0, 0.01, 0.0, 0.0),
        (1.5, 0.01, 0.0, 1.5),
        (-1.5, 0.01, 0.0, -1.5),
        (3600.0, 0.01, 3600.0, 3600.0),
        (-3600.0, 0.01, -3600.0, -3600.0),
        (5.0, 10.0, 0.0, None),  # the exchange was too slow to know
    ],
)
def test_new_results_are_labelled_with_the_true_time(
    ahead: float, error: float, corrected_by: float, told: float | None
) -> None:
    label = stamp(clock(EPOCH, 100), estimate(EPOCH - 100 + ahead, error), 4.0)
    assert label.started_at == datetime.fromtimestamp(EPOCH - 4 + corrected_by, UTC)
    assert label.monotonic_seconds == 96.0
    assert label.clock_offset_seconds == (None if told is None else pytest.approx(told))


def test_before_the_time_is_known_the_label_is_the_wall_clocks() -> None:
    label = stamp(clock(EPOCH, 100), None, 4.0)
    assert (label.started_at, label.clock_offset_seconds) == (AT - timedelta(seconds=4), None)
    assert stamp(clock(1.0, 2.0), None, 4.0).started_at == datetime(1970, 1, 1, tzinfo=UTC), "never before 1970"
    assert stamp(clock(1.0, 2.0), None, 4.0).monotonic_seconds == 0.0


@given(wall=st.floats(0, 4e9), monotonic=seconds, ago=st.floats(0, 100), epoch=st.floats(1.7e9, 2e9))
def test_a_stamped_result_is_never_corrected_again_by_the_same_estimate(
    wall: float, monotonic: float, ago: float, epoch: float
) -> None:
    learnt = estimate(epoch)
    ago = min(ago, monotonic, wall)
    label = stamp(clock(wall, monotonic), learnt, ago)
    truth = corrected_start(label.started_at, label.clock_offset_seconds, label.monotonic_seconds, learnt)
    assert truth == CorrectedStart(label.started_at, label.clock_offset_seconds, True)
