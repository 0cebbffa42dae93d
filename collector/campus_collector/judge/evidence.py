"""What a month's judged results add up to, and how sure that is. Pure."""

from collections.abc import Iterable, Sequence
from math import sqrt
from statistics import median

import msgspec

from campus_collector.judge.day import DayEvidence
from campus_collector.judge.symptoms import Symptoms

Z_95 = 1.959963984540054
"""The standard normal's 97.5 % point: 95 % between minus and plus."""


class MonthEvidence(msgspec.Struct, frozen=True):
    """What was counted, as the API gives it. Values are of judged results: line rates in bits per second, or seconds."""

    valid_results: int
    passing_results: int
    days: int
    invalid_results: int
    failed_results: int
    skipped_results: int
    lowest_value: float | None
    median_value: float | None

    @property
    def passing_share(self) -> float | None:
        """Passing of valid; None of nothing."""
        return self.passing_results / self.valid_results if self.valid_results else None

    @property
    def interval(self) -> tuple[float, float] | None:
        """Between which shares is the true one, with 95 % confidence? None of nothing."""
        return wilson(self.passing_results, self.valid_results) if self.valid_results else None


def evidence_of(days: Iterable[DayEvidence]) -> MonthEvidence:
    all_days: Sequence[DayEvidence] = list(days)
    values = [value for day in all_days for value in day.values]
    return MonthEvidence(
        valid_results=sum(day.valid for day in all_days),
        passing_results=sum(day.passing for day in all_days),
        days=sum(day.valid > 0 for day in all_days),
        invalid_results=sum(day.invalid for day in all_days),
        failed_results=sum(day.failed for day in all_days),
        skipped_results=sum(day.skipped for day in all_days),
        lowest_value=min(values, default=None),
        median_value=median(values) if values else None,
    )


def symptoms_in(days: Iterable[DayEvidence]) -> Symptoms:
    """How often each symptom was seen, on all days together."""
    counts = Symptoms()
    for day in days:
        for name, count in day.symptoms.items():
            counts[name] += count
    return counts


def wilson(passing: int, valid: int, z: float = Z_95) -> tuple[float, float]:
    """The score interval of a share: Wilson, J. Am. Stat. Assoc. 22 (1927) 209-212. Sound also for few results and shares near 0 or 1."""
    share = passing / valid
    square = z * z / valid
    middle = (share + square / 2) / (1 + square)
    half = z / (1 + square) * sqrt(share * (1 - share) / valid + square / (4 * valid))
    return max(0.0, middle - half), min(1.0, middle + half)
