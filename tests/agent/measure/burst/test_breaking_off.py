"""A lesson's video ends a test at once: the direction's logic on lines drawn on paper, no socket involved."""

from dataclasses import dataclass, field
from math import inf
from time import monotonic
from typing import Any

import pytest

from campus_agent.measure.burst.caller import Shot
from campus_agent.measure.burst.direction import Budget, DirectionTest
from campus_agent.measure.burst.pulse import Pulse
from campus_wire.failures import Validity
from tests.agent.measure.burst.line import Line, others_at, send

TARGET, THRESHOLD = 100e6, 98e6


@dataclass
class Paper:
    """A caller whose pulses pass a line on paper."""

    line: Line
    pulses: int = 0
    last: Pulse | None = field(default=None)

    def pulse(self, direction: str, offered: float, seconds: float, deadline: float, blocks: int) -> Shot:
        self.pulses += 1
        self.last = send(self.line, offered, seconds)
        return Shot(self.last.arrivals, self.last.departures, int(offered * seconds / 8))

    def reading(self, shot: Shot, **_: Any) -> Pulse:
        assert self.last is not None
        return self.last


def run(line: Line, max_others: float, segment: Any = "classroom") -> tuple[DirectionTest, Paper]:
    paper = Paper(line)
    budget = Budget(monotonic() + 20, inf)
    test = DirectionTest(paper, "down", segment, TARGET, THRESHOLD, budget, max_others)  # type: ignore[arg-type]
    test.run()
    return test, paper


def busy(capacity: float, others: float) -> Line:
    return Line(capacity, others=others_at(others, 1.0))


@pytest.mark.parametrize("segment", ["classroom", "uplink"])
def test_an_open_verdict_is_broken_off_after_the_first_pulse(segment: str) -> None:
    test, paper = run(busy(99e6, 30e6), 0.1 * TARGET, segment)
    assert paper.pulses == 1
    assert (test.decision.reached, test.decision.validity) == (None, Validity.CROSS_TRAFFIC)
    assert test.decision.detail.startswith("broken off: ")
    assert test.decision.detail.endswith("Mbit/s of other traffic, more than 10.0 Mbit/s")
    assert test.octets == pytest.approx(0.05 * 115e6 / 8, rel=0.01)


def test_a_certain_verdict_stands() -> None:
    test, paper = run(busy(50e6, 20e6), 0.1 * TARGET)
    assert paper.pulses == 1
    assert (test.decision.reached, test.decision.validity) == (False, Validity.OK)


def test_a_bucket_is_not_looked_for_beside_a_lesson() -> None:
    test, paper = run(busy(110e6, 40e6), 0.1 * TARGET, "uplink")
    assert paper.pulses == 1
    assert test.decision.validity is Validity.CROSS_TRAFFIC


def test_without_a_limit_the_test_goes_on() -> None:
    test, paper = run(busy(99e6, 30e6), inf)
    assert paper.pulses > 1
    assert test.decision.reached is True


def test_little_traffic_is_tolerated() -> None:
    test, _ = run(busy(99e6, 5e6), 0.3 * TARGET)
    assert test.decision.reached is True
