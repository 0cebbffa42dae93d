"""A lesson's video ends a test at once: the direction's logic on lines drawn on paper, no socket involved."""

from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any

import pytest

from campus_agent.measure.burst.client_session import BurstResult
from campus_agent.measure.burst.direction import Budget, DirectionTest
from campus_agent.measure.burst.observation import BurstObservation
from campus_agent.measure.request import ThroughputRequest
from campus_wire.failures import Validity
from tests.agent.measure.burst.line import Line, cross_traffic_at, send

TARGET = 100e6


@dataclass
class Paper:
    """A caller whose bursts pass a line on paper."""

    line: Line
    bursts: int = 0
    last: BurstObservation | None = field(default=None)

    def burst(self, direction: str, offered: float, seconds: float, deadline: float, blocks: int) -> BurstResult:
        self.bursts += 1
        self.last = send(self.line, offered, seconds)
        return BurstResult(self.last.arrivals, self.last.departures, int(offered * seconds / 8))

    def observation(self, result: BurstResult, **_: Any) -> BurstObservation:
        assert self.last is not None
        return self.last


def run(line: Line, max_cross_traffic: float, segment: Any = "classroom") -> tuple[DirectionTest, Paper]:
    paper = Paper(line)
    budget = Budget(monotonic() + 20, inf)
    request = ThroughputRequest(
        "school", 5301, "campus", segment, TARGET, max_cross_traffic_ratio=max_cross_traffic / TARGET
    )
    test = DirectionTest(paper, request, "down", budget)  # type: ignore[arg-type]
    test.run()
    return test, paper


def busy(capacity: float, cross_traffic: float) -> Line:
    return Line(capacity, cross_traffic=cross_traffic_at(cross_traffic, 1.0))


@pytest.mark.parametrize("segment", ["classroom", "uplink"])
def test_an_open_verdict_is_broken_off_after_the_first_pulse(segment: str) -> None:
    test, paper = run(busy(99e6, 30e6), 0.1 * TARGET, segment)
    assert paper.bursts == 1
    assert (test.verdict.reached, test.verdict.validity) == (None, Validity.CROSS_TRAFFIC)
    assert test.verdict.detail.startswith("broken off: ")
    assert test.verdict.detail.endswith("Mbit/s of other traffic, more than 10.0 Mbit/s")
    assert test.bytes_spent == pytest.approx(0.05 * 115e6 / 8, rel=0.01)


def test_a_certain_verdict_stands() -> None:
    test, paper = run(busy(50e6, 20e6), 0.1 * TARGET)
    assert paper.bursts == 1
    assert (test.verdict.reached, test.verdict.validity) == (False, Validity.OK)


def test_a_bucket_is_not_looked_for_beside_a_lesson() -> None:
    test, paper = run(busy(110e6, 40e6), 0.1 * TARGET, "uplink")
    assert paper.bursts == 1
    assert test.verdict.validity is Validity.CROSS_TRAFFIC


def test_without_a_limit_the_test_goes_on() -> None:
    test, paper = run(busy(99e6, 30e6), inf)
    assert paper.bursts > 1
    assert test.verdict.reached is True


def test_little_traffic_is_tolerated() -> None:
    test, _ = run(busy(99e6, 5e6), 0.3 * TARGET)
    assert test.verdict.reached is True
