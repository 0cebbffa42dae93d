"""How fast does a curve rise? Worked by hand and under noise."""

from random import Random

import pytest

from campus_agent.measure.burst.estimate.slope import slope, steady_from

RATE = 100e6
STEP_NS = 123_040  # 1538 octets at 100 Mbit/s


def even(points: int = 400) -> list[tuple[int, int]]:
    return [(10**15 + index * STEP_NS, index * 1538) for index in range(points)]


def test_an_even_curve() -> None:
    actual = slope(even())
    assert actual is not None
    assert actual.rate == pytest.approx(RATE, rel=1e-6)
    assert actual.mean == pytest.approx(RATE, rel=1e-6)
    assert actual.spread == pytest.approx(0.001 * RATE)


@pytest.mark.parametrize("curve", [[], even(3), [(5, 1), (5, 2), (5, 3), (5, 4)], [(9, 1), (8, 2), (7, 3), (6, 4)]])
def test_too_little_to_tell(curve: list[tuple[int, int]]) -> None:
    assert slope(curve) is None


def test_a_stall_moves_the_mean_not_the_rate() -> None:
    curve = [(now + (3_000_000 if index > 200 else 0), octets) for index, (now, octets) in enumerate(even())]
    actual = slope(curve)
    assert actual is not None
    assert actual.rate == pytest.approx(RATE, rel=0.001)
    assert actual.mean < 0.95 * RATE


def test_coalesced_stamps_do_not_bias_it() -> None:
    """Packets handed over together every 250 microseconds, as by a NIC that saves interrupts."""
    rng = Random(1)
    tick = 250_000
    actual = [
        slope([(-(-(now + shift) // tick) * tick, octets) for now, octets in even()])
        for shift in (rng.randrange(tick) for _ in range(50))
    ]
    rates = [each.rate for each in actual if each is not None]
    assert max(rates) < 1.01 * RATE
    assert min(rates) > 0.99 * RATE
    assert sum(rates) / len(rates) == pytest.approx(RATE, rel=0.002)


def test_a_fast_start_is_cut_off() -> None:
    curve = [(at * 100_000, at * 2500 if at < 100 else 250_000 + (at - 100) * 1250) for at in range(500)]
    steady = steady_from(curve)
    assert steady is not None
    assert 10_000_000 <= steady[0] <= 16_000_000
    assert steady_from([(at * 100_000, at * 1250) for at in range(500)]) is None
    assert steady_from(curve[:3]) is None
