"""The evidence of one day: what a subject's results of a local day say about one target, and the symptoms of why. Pure.

A month is worked out from its days; a result that arrives changes one day only. `values` are what was judged, in order of time: line
rates in bits per second, seconds to first byte, or seconds of round trip under load. `symptoms` count what may explain a failure.
A target that is judged by minutes of lessons counts these: `invalid` are then minutes that say nothing, `values` the median of the round trips (95 % of a minute).
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from statistics import median
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.judge.agreement import agreement_of
from campus_collector.judge.lesson_minutes import LessonCount, MinuteCounts
from campus_collector.judge.month import Month
from campus_collector.judge.policy import HoursOfDay, Policy, Target
from campus_collector.judge.rules import Observation, has_trusted_time, looked_at, observe
from campus_collector.judge.symptoms import symptoms_of
from campus_wire.failures import Validity
from campus_wire.records import AnyResult, InterruptionResult, LessonStreamResult

UNTRUSTED = f"invalid:{Validity.CLOCK_UNTRUSTED}"
"""The symptom of a result of an untrusted clock."""


class DayEvidence(msgspec.Struct, frozen=True, array_like=True):
    """One day of one subject and target."""

    valid: int = 0
    passing: int = 0
    invalid: int = 0
    failed: int = 0
    skipped: int = 0
    values: list[float] = []
    failing_values: list[float] = []
    symptoms: dict[str, int] = {}
    compared: int = 0
    agreeing: int = 0
    rate_ratios: list[float] = []
    lessons: list[LessonCount] = []
    """Of a target that is judged by minutes of lessons."""

    @property
    def results(self) -> int:
        return self.valid + self.invalid + self.failed + self.skipped

    @property
    def trusted(self) -> int:
        """How many of them are surely of this day: the clock was trusted."""
        return self.results - self.symptoms.get(UNTRUSTED, 0)

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
    supporting: Sequence[AnyResult],
    target: Target,
    policy: Policy,
    required_bits_per_second: float | None,
) -> DayEvidence:
    """From what was observed, the results themselves, and those of other kinds that can explain them."""
    if target.minutes is not None:
        return _lesson_evidence(observations, results, target, policy)
    passes = {observation.id: observation.passes for observation in observations}
    judged = [observation for observation in observations if observation.passes is not None]
    counted = Counter(observation.outcome for observation in observations if observation.passes is None)
    symptoms: Counter[str] = Counter()
    for result in results:
        if result.id in passes:
            symptoms.update(symptoms_of(result, passes[result.id], target, policy, required_bits_per_second))
    for result in filter(has_trusted_time, supporting):
        symptoms.update(symptoms_of(result, None, target, policy, required_bits_per_second))
    bandwidth = target.required_bits_per_second is not None
    agreement = agreement_of(results if bandwidth else (), required_bits_per_second, policy.tolerance_ratio)
    return DayEvidence(
        valid=len(judged),
        passing=sum(observation.passes is True for observation in judged),
        invalid=counted["invalid"] + counted["ok"],
        failed=counted["failed"],
        skipped=counted["skipped"],
        values=[observation.value for observation in judged if observation.value is not None],
        failing_values=[row.value for row in judged if row.passes is False and row.value is not None],
        symptoms=dict(symptoms),
        compared=agreement.compared,
        agreeing=agreement.agreeing,
        rate_ratios=list(agreement.rate_ratios),
    )


def _lesson_evidence(
    observations: Sequence[Observation], results: Sequence[AnyResult], target: Target, policy: Policy
) -> DayEvidence:
    """The values of all minutes would take more bytes than all else together: the day's median is kept."""
    counts = [observation.minutes for observation in observations if observation.minutes is not None]
    others = Counter(observation.outcome for observation in observations if observation.minutes is None)
    without_minutes = {observation.id for observation in observations if observation.minutes is None}
    symptoms: Counter[str] = Counter()
    for each in counts:
        symptoms.update(each.symptoms)
    for result in results:
        if result.id in without_minutes:
            symptoms.update(symptoms_of(result, None, target, policy, None))
    values = [value for each in counts for value in each.rtt_seconds]
    return DayEvidence(
        valid=sum(each.observed for each in counts),
        passing=sum(each.good for each in counts),
        invalid=sum(each.unknown for each in counts) + others["invalid"],
        failed=others["failed"],
        skipped=others["skipped"],
        values=[median(values)] if values else [],
        symptoms=dict(symptoms),
        lessons=_lessons_of(counts),
    )


def _lessons_of(counts: Iterable[MinuteCounts]) -> list[LessonCount]:
    """Each lesson once, in order of time."""
    added: dict[tuple[int, int], tuple[int, int]] = {}
    for span, lesson in ((span, lesson) for each in counts for span, lesson in each.lessons.items()):
        observed, good = added.get(span, (0, 0))
        added[span] = (observed + lesson.observed, good + lesson.good)
    return [LessonCount(*span, *numbers) for span, numbers in sorted(added.items())]


def evidence_by_day(
    results: Iterable[AnyResult],
    supporting: Iterable[AnyResult],
    target: Target,
    policy: Policy,
    zone: ZoneInfo,
    required_bits_per_second: float | None,
    lessons: Sequence[HoursOfDay] = (),
) -> dict[date, DayEvidence]:
    """The evidence of every local day that has any; `lessons` are those of the school's timetable."""
    by_day: dict[date, tuple[list[AnyResult], list[AnyResult]]] = {}
    for position, group in enumerate((results, supporting)):
        for result in group:
            by_day.setdefault(result.started_at.astimezone(zone).date(), ([], []))[position].append(result)
    return {
        day: day_evidence(
            observe(
                of_day if target.minutes is None else [*of_day, *supporting_of_day],
                target,
                policy,
                Month(day.year, day.month, zone),
                required_bits_per_second,
                lessons,
            ),
            of_day,
            supporting_of_day,
            target,
            policy,
            required_bits_per_second,
        )
        for day, (of_day, supporting_of_day) in by_day.items()
    }


def counted_by_day(
    results: Sequence[AnyResult],
    target: Target,
    policy: Policy,
    month: Month,
    required_bits_per_second: float | None,
    lessons: Sequence[HoursOfDay] = (),
) -> dict[date, DayEvidence]:
    """Only how many results of each local day of a month are valid and pass: all that a verdict rests on, without values and symptoms.

    Minutes of lessons are counted as their evidence is: day by day.
    """
    if target.minutes is not None:
        of_stream: list[AnyResult] = [result for result in results if isinstance(result, LessonStreamResult)]
        alone: list[AnyResult] = [result for result in results if isinstance(result, InterruptionResult)]
        return evidence_by_day(of_stream, alone, target, policy, month.zone, required_bits_per_second, lessons)
    by_id = {
        result.id: (local.date(), passes)
        for result, local, passes in looked_at(results, target, policy, month, required_bits_per_second)
    }
    counts = Counter(by_id.values())
    return {
        day: DayEvidence(valid=counts[day, True] + counts[day, False], passing=counts[day, True])
        for day in sorted({day for day, _ in counts})
    }


def runs_of(days: Iterable[date]) -> Iterator[tuple[date, date]]:
    """Days as runs of neighbours (first, last), at most a month long: what is read at once is bounded."""
    run: list[date] = []
    for day in sorted(days):
        if run and (day - run[-1] > timedelta(days=1) or len(run) >= 31):
            yield run[0], run[-1]
            run = []
        run.append(day)
    if run:
        yield run[0], run[-1]
