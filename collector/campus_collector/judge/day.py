"""The evidence of one day: what a subject's results of a local day say about one target, and the signs of why. Pure.

A month is worked out from its days; a result that arrives changes one day only. `values` are what was judged, in order of time: line
rates in bits per second, seconds to first byte, or seconds of round trip under load. `signs` count what may explain a failure.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.judge.agreement import agreement_of
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy, Target
from campus_collector.judge.rules import Observation, has_trusted_time, observe
from campus_collector.judge.signs import signs_of
from campus_wire.failures import Validity
from campus_wire.records import AnyResult

UNTRUSTED = f"invalid:{Validity.CLOCK_UNTRUSTED}"
"""The sign of a result of an untrusted clock."""


class DayEvidence(msgspec.Struct, frozen=True, array_like=True):
    """One day of one subject and target."""

    valid: int = 0
    passing: int = 0
    invalid: int = 0
    failed: int = 0
    skipped: int = 0
    values: list[float] = []
    failing_values: list[float] = []
    signs: dict[str, int] = {}
    compared: int = 0
    agreeing: int = 0
    rate_ratios: list[float] = []

    @property
    def results(self) -> int:
        """All of them."""
        return self.valid + self.invalid + self.failed + self.skipped

    @property
    def trusted(self) -> int:
        """How many of them are surely of this day: the clock was trusted."""
        return self.results - self.signs.get(UNTRUSTED, 0)

    def passes(self, passing_share: float) -> bool | None:
        """Did enough of the day's valid results pass? None without any."""
        return enough(self.passing, self.valid, passing_share) if self.valid else None


NOTHING = DayEvidence()


def enough(passing: int, valid: int, passing_share: float) -> bool:
    """Compared as counts: 0.8 has no exact binary form, and exactly 80 % must pass."""
    return passing >= passing_share * valid - 1e-9


def day_evidence(
    observations: Sequence[Observation],
    results: Sequence[AnyResult],
    witnesses: Sequence[AnyResult],
    target: Target,
    policy: Policy,
    required_bits_per_second: float | None,
) -> DayEvidence:
    """From what was observed, the results themselves, and those of other kinds that can explain them."""
    passes = {one.id: one.passes for one in observations}
    counted = Counter("judged" if one.passes is not None else one.outcome for one in observations)
    signs: Counter[str] = Counter()
    for result in results:
        if result.id in passes:
            signs.update(signs_of(result, passes[result.id], target, policy, required_bits_per_second))
    for result in filter(has_trusted_time, witnesses):
        signs.update(signs_of(result, None, target, policy, required_bits_per_second))
    bandwidth = target.required_bits_per_second is not None
    agreement = agreement_of(results, required_bits_per_second, policy.tolerance_ratio) if bandwidth else None
    return DayEvidence(
        valid=counted["judged"],
        passing=sum(one.passes is True for one in observations),
        invalid=counted["invalid"] + counted["ok"],
        failed=counted["failed"],
        skipped=counted["skipped"],
        values=[one.value for one in observations if one.passes is not None and one.value is not None],
        failing_values=[one.value for one in observations if one.passes is False and one.value is not None],
        signs=dict(signs),
        compared=agreement.compared if agreement else 0,
        agreeing=agreement.agreeing if agreement else 0,
        rate_ratios=list(agreement.rate_ratios) if agreement else [],
    )


def evidence_by_day(
    results: Iterable[AnyResult],
    witnesses: Iterable[AnyResult],
    target: Target,
    policy: Policy,
    zone: ZoneInfo,
    required_bits_per_second: float | None,
) -> dict[date, DayEvidence]:
    """The evidence of every local day that has any."""
    by_day: dict[date, tuple[list[AnyResult], list[AnyResult]]] = {}
    for place, group in enumerate((results, witnesses)):
        for one in group:
            by_day.setdefault(one.started_at.astimezone(zone).date(), ([], []))[place].append(one)
    return {
        day: day_evidence(
            observe(own, target, policy, Month(day.year, day.month, zone), required_bits_per_second),
            own,
            others,
            target,
            policy,
            required_bits_per_second,
        )
        for day, (own, others) in by_day.items()
    }


def day_number(day: date) -> int:
    """Days since 1970."""
    return day.toordinal() - _EPOCH


def day_of(number: int) -> date:
    """The day of a number."""
    return date.fromordinal(number + _EPOCH)


_EPOCH = date(1970, 1, 1).toordinal()
