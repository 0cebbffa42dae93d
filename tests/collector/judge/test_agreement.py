"""Quick tests beside references: what is compared, and what counts as agreeing."""

from datetime import timedelta

import msgspec
import pytest

from campus_collector.judge.agreement import agreement_of, total
from campus_wire.failures import Validity
from campus_wire.records import ThroughputResult
from tests.collector.world import AT, World, throughput


def quick(down: float, up: float = 100e6, bound: bool = False, **more: object) -> ThroughputResult:
    made = throughput(down, up, **more)  # type: ignore[arg-type]
    assert made.record is not None
    assert made.record.down is not None
    record = msgspec.structs.replace(
        made.record, engine="campus", down=msgspec.structs.replace(made.record.down, lower_bound=bound)
    )
    return msgspec.structs.replace(made, record=record)


def reference(down: float, up: float = 100e6, **more: object) -> ThroughputResult:
    made = throughput(down, up, **more)  # type: ignore[arg-type]
    assert made.record is not None
    return msgspec.structs.replace(made, record=msgspec.structs.replace(made.record, mode="reference"))


SOON = AT + timedelta(minutes=2)


@pytest.mark.parametrize(
    ("results", "compared", "agreeing"),
    [
        pytest.param([quick(100e6), reference(99.9e6, at=SOON)], 2, 2, id="both say met"),
        pytest.param([quick(97e6), reference(96e6, at=SOON)], 2, 2, id="one direction fails for both"),
        pytest.param([quick(100e6), reference(90e6, at=SOON)], 2, 1, id="they differ in one direction"),
        pytest.param([quick(115e6, bound=True), reference(300e6, at=SOON)], 2, 2, id="a bound above the target is a verdict"),
        pytest.param([quick(60e6, bound=True), reference(300e6, at=SOON)], 1, 1, id="a bound below it says nothing"),
        pytest.param([quick(100e6), reference(100e6, at=AT + timedelta(hours=2))], 0, 0, id="not of the same hour"),
        pytest.param([reference(100e6)], 0, 0, id="a reference alone"),
        pytest.param([quick(100e6)], 0, 0, id="a quick test alone"),
        pytest.param(
            [quick(100e6), reference(50e6, at=SOON, validity=Validity.CROSS_TRAFFIC)], 0, 0, id="an unsound reference"
        ),
        pytest.param(
            [quick(50e6), quick(100e6, at=SOON), reference(100e6, at=SOON)], 2, 2, id="the quick test nearest in time"
        ),
    ],
)  # fmt: skip
def test_pairs(results: list[ThroughputResult], compared: int, agreeing: int) -> None:
    actual = agreement_of(results, 100e6, 0.98)
    assert (actual.compared, actual.agreeing) == (compared, agreeing)
    assert actual.ratio == (agreeing / compared if compared else None)


def test_ratios_only_of_rates() -> None:
    actual = agreement_of([quick(115e6, 99e6, bound=True), reference(300e6, 100e6, at=SOON)], 100e6, 0.98)
    assert actual.rate_ratios == pytest.approx((0.99,))
    assert total([actual, actual]).rate_ratios == pytest.approx((0.99, 0.99))


def test_agreement_is_a_metric(world: World) -> None:
    from datetime import UTC, datetime

    now = datetime.now(UTC) - timedelta(minutes=5)
    assert b"campus_engine_agreement_ratio{" not in world.get("/metrics").body
    world.send(quick(100e6, at=now), reference(90e6, at=now))
    page = world.get("/metrics").body.decode()
    assert 'campus_engine_agreement_ratio{segment="classroom"} 0.5' in page
    assert 'campus_engine_agreement_comparisons{segment="classroom"} 2.0' in page
    assert 'campus_engine_agreement_ratio{segment="uplink"}' not in page
    assert "2 次比对中 1 次结论一致" in world.get("/").body.decode()
    assert "1 of 2 directions agree" in world.get("/?lang=en").body.decode()
