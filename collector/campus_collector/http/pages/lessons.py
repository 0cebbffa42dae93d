"""What the page of a school's lessons shows: one day minute by minute, its interruptions, and the worst lesson of the month."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from campus_base.figures import milliseconds, percent, percent_as_written
from campus_collector.domain.schools import School
from campus_collector.http.pages.charts import MinuteHour, minute_strips
from campus_collector.http.pages.paths import lessons_path
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.service import Service
from campus_collector.judge.derivation import BROKEN_WORDS
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.lesson_minutes import (
    LessonCount,
    LessonTime,
    broken_limits,
    chosen_minutes,
    lessons_by_day,
    loss_of,
    places_by_minute,
    quality_of,
    spans_of,
)
from campus_collector.judge.lesson_use import USES
from campus_collector.judge.month import Month, month_of_day, start_of_day
from campus_collector.judge.policy import HoursOfDay, MinuteLimits, Policy
from campus_collector.judge.rules import interruptions_alone, interruptions_of, planned_at, stream_record
from campus_collector.judge.verdict import worst_lesson
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnyResult, Interruption, LessonMinute, LessonStreamRecord

MOST_INTERRUPTIONS = 100
"""So many rows of a day, the longest first chosen; how many more there are is said."""
MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class LessonRow:
    """A lesson of the day: its time, and its minutes."""

    span: str
    badge: Badge
    counts: str


@dataclass(frozen=True, slots=True)
class InterruptionRow:
    began: str
    seconds: str
    where: str
    direction: str
    lost: int


@dataclass(frozen=True, slots=True)
class LessonsPage:
    """`strip` is "" for a day without a minute; `worst` of a month without a bad one. `by_timetable`: lessons are known, else school hours stand for them."""

    day: date
    before: str
    after: str
    strip: str
    sums: str
    by_timetable: bool
    limits: str
    lessons: list[LessonRow]
    interruptions: list[InterruptionRow]
    more_interruptions: int
    worst: str
    worst_path: str
    use_title: str
    use: str
    """"" where no recorder told of its use in the month."""


class LessonsModel:
    def __init__(self, service: Service, reader: Reader, school: School) -> None:
        self._service, self._reader, self._school = service, reader, school
        self._zone: ZoneInfo = service.verdicts.zone

    def newest_day(self) -> date:
        """The day of the newest result of the stream; today when there is none."""
        for latest in self._service.store.results.latest(self._school.id, "uplink"):
            if latest.kind == "lesson_stream":
                return latest.any.started_at.astimezone(self._zone).date()
        return self._service.today()

    def page(self, day: date) -> LessonsPage:
        """The month's results of the stream, its interruptions that came alone, and what its recorders told."""
        month = month_of_day(day, self._zone)
        policy = self._service.verdicts.policy
        lessons = self._service.verdicts.lessons(self._school.id, month)
        hours, limits = lessons or policy.school_hours, policy.minute_limits(month.first_day)
        results: list[AnyResult] = [
            result
            for kind in ("lesson_stream", "interruption")
            for result in self._service.store.results.of_subject(
                self._school.id, "uplink", kind, month.start, month.end
            )
        ]
        records = {result.id: record for result in results if (record := stream_record(result)) is not None}
        start, end = start_of_day(day, self._zone), start_of_day(day + timedelta(days=1), self._zone)
        of_day = {key: record for key, record in records.items() if _touches(record, start, end)}
        alone = interruptions_alone(results)
        by_day = lessons_by_day(records, alone, limits, self._counted(policy, hours, month))
        rows, more = self._interruptions(interruptions_of(results), start, end)
        worst_path, worst = self._worst(by_day)
        spans = spans_of(hours) if policy.is_workday(day) else []
        shown = self._hours(of_day, alone, start, end, limits, spans)
        rows_of_lessons = by_day.get(day, [])
        sums = self._counts(rows_of_lessons)
        title = self._reader.words("lessons_title", school=self._school.name, day=day.isoformat(), sums=sums)
        return LessonsPage(
            day,
            self._path(day - timedelta(days=1)),
            self._path(day + timedelta(days=1)) if day < self._service.today() else "",
            minute_strips(shown, title) if shown else "",
            sums,
            bool(lessons),
            self._limits(limits),
            [self._lesson(lesson, policy.minute_limits(month.first_day)) for lesson in rows_of_lessons],
            rows,
            more,
            worst,
            worst_path,
            self._reader.words("room_use", month=str(month)),
            self._use(month),
        )

    def _use(self, month: Month) -> str:
        """How the recording rooms were used in the month's lessons; "" where no recorder told."""
        devices = [device for _, device in self._service.store.results.devices(self._school.id)]
        if not devices:
            return ""
        now = datetime.now(self._zone)
        use = self._service.verdicts.lesson_use(self._school.id, devices, month.first_day, month.last_day, now)
        if not use.rooms:
            return ""
        counts = {name: getattr(use, name) for name in ("timetabled", *USES, "unknown")}
        return self._reader.words("room_use_is", **counts)

    def _counted(self, policy: Policy, hours: Sequence[HoursOfDay], month: Month) -> LessonTime:
        """The minutes that a verdict counts too: without exempt days and announced maintenance."""
        exempt, _ = exempt_days(policy, "live_class", self._school.id, "uplink", month)
        is_planned = planned_at(policy, "live_class", self._school.id)
        return LessonTime(
            hours, self._zone, lambda local: local.date() in exempt or is_planned(local), policy.is_workday
        )

    def _path(self, day: date) -> str:
        return lessons_path(self._school.id, day)

    def _limits(self, limits: MinuteLimits) -> str:
        return self._reader.words(
            "lesson_limits",
            loss=percent_as_written(limits.max_loss_ratio),
            rtt=milliseconds(limits.max_rtt_p95_seconds, decimals=0),
            jitter=milliseconds(limits.max_jitter_seconds, decimals=0),
            gap=f"{limits.max_gap_seconds:g}",
        )

    def _counts(self, lessons: Iterable[LessonCount]) -> str:
        listed = list(lessons)
        observed, good = sum(each.observed for each in listed), sum(each.good for each in listed)
        return self._reader.words("lesson_counts", observed=observed, good=good, bad=observed - good)

    def _lesson(self, lesson: LessonCount, limits: MinuteLimits) -> LessonRow:
        verdict = Verdict.INSUFFICIENT
        if lesson.observed:
            verdict = Verdict.MET if not lesson.bad else Verdict.NOT_MET
        words = {Verdict.MET: "lesson_good", Verdict.NOT_MET: "lesson_disturbed", Verdict.INSUFFICIENT: "unknown_state"}
        badge = self._reader.badge(verdict, word=self._reader.words(words[verdict]))
        return LessonRow(lesson.span, badge, self._counts([lesson]))

    def _worst(self, by_day: Mapping[date, Sequence[LessonCount]]) -> tuple[str, str]:
        """Its address and itself in words; "" when every observed minute of the month's lessons was good."""
        worst = worst_lesson(by_day)
        if worst is None:
            return "", ""
        day, lesson = worst.day, worst.lesson
        values = {"day": day.isoformat(), "span": lesson.span, "bad": lesson.bad, "observed": lesson.observed}
        return self._path(day), self._reader.words("worst_lesson_is", **values)

    def _interruptions(
        self, interruptions: Sequence[Interruption], start: datetime, end: datetime
    ) -> tuple[list[InterruptionRow], int]:
        """Those that touch the day, in order of time, and how many shorter ones are left out."""
        touching = [each for each in interruptions if each.began_at < end and (each.ended_at or each.began_at) >= start]
        chosen = sorted(touching, key=_length, reverse=True)[:MOST_INTERRUPTIONS]
        chosen.sort(key=lambda each: each.began_at)
        return [self._interruption(each, start) for each in chosen], len(touching) - len(chosen)

    def _interruption(self, each: Interruption, start: datetime) -> InterruptionRow:
        began = each.began_at.astimezone(self._zone)
        seconds = self._reader.words("still_going_on")
        if each.ended_at is not None:
            seconds = self._reader.words("so_many_seconds", seconds=f"{_length(each):.1f}")
        device = f" ({each.device})" if each.device else ""
        return InterruptionRow(
            began.strftime("%H:%M:%S" if each.began_at >= start else "%m-%d %H:%M:%S"),
            seconds,
            self._reader.words(f"place_{each.where}") + device,
            self._reader.words(f"direction_{each.direction}"),
            each.lost,
        )

    def _hours(
        self,
        records: Mapping[str, LessonStreamRecord],
        alone: Sequence[Interruption],
        start: datetime,
        end: datetime,
        limits: MinuteLimits,
        spans: Sequence[tuple[int, int]],
    ) -> list[MinuteHour]:
        """From the first hour with a minute or a lesson to the last; [] for a day without a minute."""
        qualities: dict[int, tuple[str, str]] = {}
        minutes = chosen_minutes(records)
        places = places_by_minute(minutes, records.values(), alone)
        for moment, (_, minute) in minutes.items():
            if start <= moment < end:
                local = moment.astimezone(self._zone)
                quality = quality_of(minute, limits, places.get(moment, ()))
                words = self._minute_words(minute, limits) if quality == "bad" else ""
                qualities[local.hour * 60 + local.minute] = (quality, words)
        if not qualities:
            return []
        ends = [*qualities, *(minute for first, after in spans for minute in (first, after - 1))]
        return [
            MinuteHour(hour, self._runs(hour, qualities), _within(hour, spans))
            for hour in range(min(ends) // 60, max(ends) // 60 + 1)
        ]

    def _runs(self, hour: int, qualities: Mapping[int, tuple[str, str]]) -> list[tuple[int, int, str, str]]:
        """Neighbours of one quality together, a bad minute alone: its title says why."""
        runs: list[tuple[int, int, str, str]] = []
        for minute in range(60):
            if (of_minute := qualities.get(hour * 60 + minute)) is None:
                continue
            quality, words = of_minute
            if runs and runs[-1][1] == minute and runs[-1][2] == quality and quality != "bad":
                runs[-1] = (runs[-1][0], minute + 1, quality, runs[-1][3])
            else:
                title = words or self._reader.words(f"minute_{quality}")
                runs.append((minute, minute + 1, quality, f"{hour:02d}:{minute:02d} {title}"))
        return runs

    def _minute_words(self, minute: LessonMinute, limits: MinuteLimits) -> str:
        """Which limits a bad minute breaks, with its figures."""
        figures = {
            "loss": percent(loss_of(minute) or 0.0),
            "rtt": f"{milliseconds(minute.rtt_p95_seconds or 0.0)} ms",
            "jitter": f"{milliseconds(minute.jitter_seconds or 0.0)} ms",
            "gap": f"{minute.longest_gap_seconds or 0.0:.1f} s",
        }
        broken = broken_limits(minute, limits)
        return ", ".join(f"{self._reader.text(BROKEN_WORDS[name])} {figures[name]}" for name in broken)


def _length(interruption: Interruption) -> float:
    """In seconds; one that goes on is the longest."""
    if interruption.ended_at is None:
        return float("inf")
    return (interruption.ended_at - interruption.began_at).total_seconds()


def _touches(record: LessonStreamRecord, start: datetime, end: datetime) -> bool:
    return any(start <= minute.minute < end for minute in record.minutes)


def _within(hour: int, spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The parts of lessons that lie in an hour, as its minutes."""
    parts = ((max(first, hour * 60) - hour * 60, min(after, hour * 60 + 60) - hour * 60) for first, after in spans)
    return [(first, after) for first, after in parts if first < after]
