"""Minutes of the lesson stream: which of them lie in lessons, which say something, and which are good. Pure."""

import itertools
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from campus_collector.judge.policy import HoursOfDay, MinuteLimits
from campus_collector.judge.workdays import is_workday
from campus_wire.records import Interruption, LessonMinute, LessonStreamRecord

MINUTE = timedelta(minutes=1)
Quality = Literal["good", "bad", "unknown"]
BROKEN = ("loss", "rtt", "jitter", "gap")
"""The limits a minute can break, in the order in which they are named."""
ELSEWHERE = ("collector", "gateway")
"""Where an interruption says nothing of the school's line: the bureau's side, and the gateway itself."""
PLACES = ("uplink", "lan", "recorder", "gateway", "collector")
"""Where an interruption can be."""
INSIDE = ("lan", "recorder")
"""Where an interruption disturbs a lesson behind the gateway: the line to the bureau may be in order."""


class LessonCount(msgspec.Struct, frozen=True, array_like=True):
    """A lesson of one day: from when to when (minutes since midnight), and how many of its minutes were observed and good."""

    start: int
    end: int
    observed: int
    good: int

    @property
    def bad(self) -> int:
        return self.observed - self.good

    @property
    def span(self) -> str:
        """From when to when, HH:MM–HH:MM."""
        return "–".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in (self.start, self.end))


@dataclass(slots=True)
class MinuteCounts:
    """What the lesson minutes of one result add up to; `lessons` by start and end."""

    observed: int = 0
    good: int = 0
    unknown: int = 0
    symptoms: Counter[str] = field(default_factory=Counter)
    lessons: dict[tuple[int, int], LessonCount] = field(default_factory=dict)
    rtt_seconds: list[float] = field(default_factory=list)
    """The 95 % round trips of the observed minutes."""

    def add(self, lesson: tuple[int, int], minute: LessonMinute, limits: MinuteLimits, places: Iterable[str]) -> None:
        """Count one minute of this lesson; `places` are those of the interruptions in it."""
        before = self.lessons.get(lesson, LessonCount(*lesson, 0, 0))
        if quality_of(minute, limits, places) == "unknown":
            self.unknown += 1
            self.symptoms["minute:collector" if "collector" in places else "minute:unknown"] += 1
            self.lessons[lesson] = before
            return
        broken = broken_limits(minute, limits)
        self.observed += 1
        self.good += not broken
        self.lessons[lesson] = LessonCount(*lesson, before.observed + 1, before.good + (not broken))
        self.symptoms.update(f"minute:{name}" for name in broken)
        self.symptoms.update(f"inside:{place}" for place in places if place in INSIDE)
        if minute.rtt_p95_seconds is not None:
            self.rtt_seconds.append(minute.rtt_p95_seconds)


def says_something(minute: LessonMinute, limits: MinuteLimits) -> bool:
    """Was enough of the minute observed?"""
    return minute.sent > 0 and 60 - minute.unknown_seconds >= limits.min_observed_seconds


def loss_of(minute: LessonMinute) -> float | None:
    """Packets lost in either direction, of those sent (round-trip loss, RFC 6673), ratio 0-1; None when none was sent."""
    return min(1.0, (minute.lost_up + minute.lost_down) / minute.sent) if minute.sent else None


def broken_limits(minute: LessonMinute, limits: MinuteLimits) -> tuple[str, ...]:
    """Which limits an observed minute breaks; () for a good one. A figure that is not there breaks none: loss then says what was wrong."""
    rtt, jitter, gap = minute.rtt_p95_seconds, minute.jitter_seconds, minute.longest_gap_seconds
    broken = (
        (loss_of(minute) or 0.0) > limits.max_loss_ratio,
        rtt is not None and rtt > limits.max_rtt_p95_seconds,
        jitter is not None and jitter > limits.max_jitter_seconds,
        gap is not None and gap >= limits.max_gap_seconds,
    )
    return tuple(name for name, is_broken in zip(BROKEN, broken, strict=True) if is_broken)


def newest_forms(interruptions: Iterable[Interruption]) -> dict[str, Interruption]:
    """By id; the form with an end outranks that of an interruption that was still going on."""
    by_id: dict[str, Interruption] = {}
    for interruption in interruptions:
        if interruption.id not in by_id or by_id[interruption.id].ended_at is None:
            by_id[interruption.id] = interruption
    return by_id


def chosen_minutes(records: Mapping[str, LessonStreamRecord]) -> dict[datetime, tuple[str, LessonMinute]]:
    """Each minute once, with the id of its result: after a restart two results have a part of it, and the one that sent more is taken."""
    chosen: dict[datetime, tuple[str, LessonMinute]] = {}
    for result_id, record in records.items():
        for minute in record.minutes:
            before = chosen.get(minute.minute)
            if before is None or (minute.sent, result_id) > (before[1].sent, before[0]):
                chosen[minute.minute] = (result_id, minute)
    return chosen


@dataclass(frozen=True, slots=True)
class LessonTime:
    """Which minutes count: those in `hours` (the lessons of a school day, or its school hours) that are not left out."""

    hours: Sequence[HoursOfDay]
    zone: ZoneInfo
    is_left_out: Callable[[datetime], bool] = lambda _: False
    is_workday: Callable[[date], bool] = is_workday


def count_minutes(
    records: Mapping[str, LessonStreamRecord], alone: Iterable[Interruption], limits: MinuteLimits, when: LessonTime
) -> dict[str, MinuteCounts]:
    """By the id of each result that has minutes in lessons; `records` are by it. `alone` are interruptions that came as results of their own."""
    counts: dict[str, MinuteCounts] = {}
    for _, lesson, result_id, minute, places in _in_lessons(records, alone, when):
        counts.setdefault(result_id, MinuteCounts()).add(lesson, minute, limits, places)
    return counts


def _in_lessons(
    records: Mapping[str, LessonStreamRecord], alone: Iterable[Interruption], when: LessonTime
) -> Iterator[tuple[datetime, tuple[int, int], str, LessonMinute, Collection[str]]]:
    """Each minute that counts: its local time, its lesson, the id of its result, itself, and the places of the interruptions in it."""
    minutes = chosen_minutes(records)
    places = places_by_minute(minutes, records.values(), alone)
    for moment, (result_id, minute) in minutes.items():
        local = moment.astimezone(when.zone)
        lesson = lesson_at(local, when.hours, when.is_workday)
        if lesson is not None and not when.is_left_out(local):
            yield local, lesson, result_id, minute, places.get(moment, ())


def quality_of(minute: LessonMinute, limits: MinuteLimits, places: Iterable[str] = ()) -> Quality:
    """Of one minute; `places` are those of the interruptions in it."""
    if not says_something(minute, limits) or any(place in ELSEWHERE for place in places):
        return "unknown"
    return "bad" if broken_limits(minute, limits) else "good"


def qualities_by_minute(
    records: Mapping[str, LessonStreamRecord], alone: Iterable[Interruption], limits: MinuteLimits
) -> dict[datetime, Quality]:
    """Of each minute that was reported, in lessons or not."""
    minutes = chosen_minutes(records)
    places = places_by_minute(minutes, records.values(), alone)
    return {moment: quality_of(minute, limits, places.get(moment, ())) for moment, (_, minute) in minutes.items()}


def lessons_by_day(
    records: Mapping[str, LessonStreamRecord], alone: Iterable[Interruption], limits: MinuteLimits, when: LessonTime
) -> dict[date, list[LessonCount]]:
    """The lessons of each day that has any, by what was observed of them."""
    counts: dict[date, MinuteCounts] = {}
    for local, lesson, _, minute, places in _in_lessons(records, alone, when):
        counts.setdefault(local.date(), MinuteCounts()).add(lesson, minute, limits, places)
    return {day: [of_day.lessons[span] for span in sorted(of_day.lessons)] for day, of_day in sorted(counts.items())}


def places_by_minute(
    minutes: Iterable[datetime], records: Iterable[LessonStreamRecord], alone: Iterable[Interruption]
) -> dict[datetime, set[str]]:
    """Where the interruptions were that touch each of these minutes; minutes without any are left out.

    An interruption without an end holds to the last minute of the newest record that names it.
    """
    listed, last_minutes = list(alone), dict[str, datetime]()
    for record in records:
        listed += record.interruptions
        if record.minutes:
            last = record.minutes[-1].minute
            for each in record.interruptions:
                last_minutes[each.id] = max(last, last_minutes.get(each.id, last))
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for each in newest_forms(listed).values():
        until = each.ended_at or max(each.began_at, last_minutes.get(each.id, each.began_at))
        spans.setdefault(each.where, []).append((each.began_at, until))
    ordered = sorted(minutes) if spans else []
    places: dict[datetime, set[str]] = {}
    for where, of_place in spans.items():
        after = (
            0  # of the minutes that have this place already: however many interruptions, each minute is looked at once
        )
        for began, until in sorted(of_place):
            first = max(after, bisect_right(ordered, began - MINUTE))
            after = max(after, bisect_right(ordered, until))
            for moment in ordered[first:after]:
                places.setdefault(moment, set()).add(where)
    return places


def lesson_at(
    local: datetime, hours: Sequence[HoursOfDay], is_workday: Callable[[date], bool] = is_workday
) -> tuple[int, int] | None:
    """The lesson that a local moment lies in, as minutes since midnight; None outside, and on days without school.

    A span that is longer than a lesson (school hours, where there is no timetable) counts by the clock's hours.
    """
    return _lesson(local.time(), tuple(hours)) if is_workday(local.date()) else None


@lru_cache(maxsize=4096)
def _lesson(now: time, hours: tuple[HoursOfDay, ...]) -> tuple[int, int] | None:
    span = next(((_minutes(each.start), _minutes(each.end)) for each in hours if each.hold(now)), None)
    if span is None or span[1] - span[0] <= LONGEST_LESSON_MINUTES:
        return span
    hour = now.hour * 60
    return max(span[0], hour), min(span[1], hour + 60)


LONGEST_LESSON_MINUTES = 120
"""A lesson of a timetable, even a double one, is shorter."""


def _minutes(moment: time) -> int:
    return moment.hour * 60 + moment.minute


def spans_of(hours: Iterable[HoursOfDay]) -> list[tuple[int, int]]:
    """The lessons of a day as minutes since midnight, as `lesson_at` counts them."""
    spans: list[tuple[int, int]] = []
    for each in hours:
        start, end = _minutes(each.start), _minutes(each.end)
        if end - start <= LONGEST_LESSON_MINUTES:
            spans.append((start, end))
            continue
        edges = [start, *range((start // 60 + 1) * 60, end, 60), end]
        spans += itertools.pairwise(edges)
    return spans
