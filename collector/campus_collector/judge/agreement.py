"""Do the quick test and an auditor's test say the same? Pairs of both, of one subject within the hour, direction by direction. Pure.

The reference is iperf3 over TCP for 10 s (mode `reference`). Two rates agree when they lead to the same verdict against the target; where
both are rates (neither only a lower bound) their ratio is kept too.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from campus_wire.bandwidth import line_rate_of, reaches
from campus_wire.records import AnyResult, DirectionRecord, ThroughputRecord, ThroughputResult, outcome_of

PAIRED_WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many directions were compared, in how many the verdicts agree, and the ratios quick / reference of their rates."""

    compared: int = 0
    agreeing: int = 0
    rate_ratios: tuple[float, ...] = ()

    @property
    def ratio(self) -> float | None:
        """Agreeing of compared; None of nothing."""
        return self.agreeing / self.compared if self.compared else None


NOT_COMPARED = Agreement()


def agreement_of(results: Sequence[AnyResult], required: float | None, tolerance_ratio: float) -> Agreement:
    """Each valid reference of a subject with the valid quick test nearest in time."""
    sound = [
        result
        for result in results
        if isinstance(result, ThroughputResult) and result.record is not None and outcome_of(result) == "ok"
    ]
    quick = [result for result in sound if result.record and result.record.mode == "quick"]
    pairs: list[Agreement] = []
    for reference in sound:
        if reference.record is None or reference.record.mode != "reference":
            continue
        near = min(quick, key=lambda result: abs(result.started_at - reference.started_at), default=None)
        if near is None or near.record is None or abs(near.started_at - reference.started_at) > PAIRED_WITHIN:
            continue
        target = required or reference.record.required_bits_per_second
        pairs.append(_compare(near.record, reference.record, target, tolerance_ratio))
    return total(pairs)


def total(parts: Iterable[Agreement]) -> Agreement:
    agreements = list(parts)
    ratios = tuple(ratio for part in agreements for ratio in part.rate_ratios)
    return Agreement(sum(part.compared for part in agreements), sum(part.agreeing for part in agreements), ratios)


def _compare(
    quick: ThroughputRecord, reference: ThroughputRecord, required: float, tolerance_ratio: float
) -> Agreement:
    compared = agreeing = 0
    ratios = []
    for measured, referred in ((quick.down, reference.down), (quick.up, reference.up)):
        if measured is None or referred is None:
            continue
        rates = line_rate_of(measured, quick.encapsulation), line_rate_of(referred, reference.encapsulation)
        verdicts = [
            _reached(direction, rate, required, tolerance_ratio)
            for direction, rate in zip((measured, referred), rates, strict=True)
        ]
        if None in verdicts:
            continue
        compared += 1
        agreeing += verdicts[0] == verdicts[1]
        if not measured.lower_bound and not referred.lower_bound and rates[1] > 0:
            ratios.append(rates[0] / rates[1])
    return Agreement(compared, agreeing, tuple(ratios))


def _reached(direction: DirectionRecord, rate: float, required: float, tolerance_ratio: float) -> bool | None:
    """A lower bound below the target says nothing."""
    if reaches(rate, required, tolerance_ratio):
        return True
    return None if direction.lower_bound else False
