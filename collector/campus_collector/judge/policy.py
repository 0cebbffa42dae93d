"""The written policy: which target asks for what, since when.

A month is judged by the entry in force on its first day, so an old month keeps its rules when new ones come.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

from campus_base.messages import Message, message
from campus_base.settings import ConfigurationError, Mistake, Table, UnusableFile, read_text, toml_values
from campus_collector.domain.days import FIRST_DAY, LAST_DAY, MAX_EXEMPTION_DAYS, MAX_PLANNED_DAYS, days_in
from campus_collector.domain.schools import Subject
from campus_collector.judge.workdays import is_workday
from campus_wire.ids import ID_PATTERN

TargetName = Literal["classroom_bandwidth", "uplink_bandwidth", "recording_room", "live_class", "platform_access"]
TARGET_NAMES: tuple[TargetName, ...] = (
    "classroom_bandwidth",
    "uplink_bandwidth",
    "recording_room",
    "live_class",
    "platform_access",
)
TARGET_WORDS: dict[str, Message] = {
    "classroom_bandwidth": message("100 Mbit/s to every class"),
    "uplink_bandwidth": message("Gigabit to every school"),
    "recording_room": message("Recording room works"),
    "live_class": message("Ready for live lessons"),
    "platform_access": message("Cloud platforms reachable"),
}

JUDGED_BY = ("uplink_tests", "lesson_minutes")
"""What `live_class` rests on: throughput tests outside lessons, or each minute of the lessons themselves."""


@dataclass(frozen=True, slots=True)
class Delays:
    """What a live lesson tolerates: round trips idle and under load (95 %), jitter and loss idle. Seconds, and a ratio 0-1."""

    max_rtt_seconds: float
    max_working_rtt_seconds: float
    max_jitter_seconds: float
    max_loss_ratio: float


@dataclass(frozen=True, slots=True)
class MinuteLimits:
    """What a minute of a lesson must keep to: loss of both directions together (ratio 0-1), RTT (95 %), jitter (RFC 3550), and the longest
    time without an answer, in seconds. Less than `min_observed_seconds` of it observed: it says nothing.

    The figures are those of the default policy, whose comments name their sources.
    """

    max_loss_ratio: float = 0.01
    max_rtt_p95_seconds: float = 0.150
    max_jitter_seconds: float = 0.030
    max_gap_seconds: float = 1.0
    min_observed_seconds: float = 30.0


@dataclass(frozen=True, slots=True)
class Target:
    """One entry: a target as it is asked for from a day on. Rates are line rates in bits per second."""

    name: TargetName
    effective_from: date
    passing_share: float
    min_valid_results: int
    min_days: int
    source: str
    required_bits_per_second: float | None = None
    max_first_byte_seconds: float | None = None
    delays: Delays | None = None
    minutes: MinuteLimits | None = field(default=None, repr=False)
    """Judged by minutes of lessons: `min_valid_results` counts minutes. Without `repr`, which names the rule that stored evidence rests on."""


@dataclass(frozen=True, slots=True)
class HoursOfDay:
    """From start to end, local time, end not included."""

    start: time
    end: time

    def hold(self, now: time) -> bool:
        """Is this moment within?"""
        return self.start <= now < self.end


Lessons = tuple[HoursOfDay, ...]
"""The lessons of a school day; () where they are not known."""


@dataclass(frozen=True, slots=True)
class Exemption:
    """A school (`*`: every one, in vacations) that is not judged for a time, by one target or all, as a whole or one subject of it; both
    days included."""

    school: str
    target: str | None
    subject: str | None
    first: date
    last: date
    reason: str


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Planned work: results of a school (`*`: every one) in this time say nothing of one target, or of all. Local times, end not included."""

    school: str
    target: str | None
    start: datetime
    end: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class LedgerRule:
    """When a problem opens, is struck off, and is due; days are school days.

    It opens after `open_failing_days` of the last `open_window_days` with results failed, or after `silent_days` without any valid result. A claim
    that it is mended is believed after `close_passing_days` passing days in a row, and contradicted by `contradict_failing_days` failing ones.
    """

    open_failing_days: int = 3
    open_window_days: int = 5
    silent_days: int = 5
    close_passing_days: int = 3
    contradict_failing_days: int = 2
    reopen_within_days: int = 30
    due_days: int = 15


@dataclass(frozen=True, slots=True)
class PresentRule:
    """What is still shown as the present: an agent that is silent for longer leaves no gauges of its school."""

    stale_after_seconds: int = 86_400


@dataclass(frozen=True, slots=True)
class ReportRule:
    """On which day of the next month a month is closed for good."""

    close_day: int = 5


@dataclass(frozen=True, slots=True)
class Policy:
    """All entries; `version` names exactly this text."""

    tolerance_ratio: float
    school_hours: tuple[HoursOfDay, ...]
    targets: tuple[Target, ...]
    version: str
    exemptions: tuple[Exemption, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    ledger: LedgerRule = LedgerRule()
    present: PresentRule = PresentRule()
    report: ReportRule = ReportRule()
    text: str = ""
    workdays: frozenset[date] | None = None
    """The workdays of the month that is judged, where they were kept with it; None: those of the calendar."""

    def in_force(self, name: str, first_day: date) -> Target | None:
        """The entry of a target that judges the month beginning on this day; None before the first."""
        entries = [target for target in self.targets if target.name == name and target.effective_from <= first_day]
        return max(entries, key=lambda entry: entry.effective_from, default=None)

    def under_maintenance(self, target: str, school: str | None, local: datetime) -> bool:
        """Is work planned for this moment?"""
        now = local.replace(tzinfo=None)
        return any(
            work.school in ("*", school) and work.target in (None, target) and work.start <= now < work.end
            for work in self.maintenance
        )

    def is_school_day(self, day: date) -> bool:
        """Is there school? Not at weekends and public holidays (make-up workdays count), nor when every school is exempt."""
        vacation = any(
            exemption.school == "*" and exemption.target is None and exemption.first <= day <= exemption.last
            for exemption in self.exemptions
        )
        return not vacation and is_workday(day)

    def in_school_hours(self, local: datetime) -> bool:
        """Workdays within the hours; always, when the policy names none."""
        if not self.school_hours:
            return True
        return self.is_workday(local.date()) and any(hours.hold(local.time()) for hours in self.school_hours)

    def is_workday(self, day: date) -> bool:
        """By the calendar, or as it was kept with the month that is judged."""
        return is_workday(day) if self.workdays is None else day in self.workdays

    def minute_limits(self, first_day: date) -> MinuteLimits:
        """By which minutes of lessons of the month beginning on this day are good; before the first entry with limits, by that one's."""
        entries = sorted(
            (target for target in self.targets if target.minutes is not None), key=lambda entry: entry.effective_from
        )
        in_force = [entry for entry in entries if entry.effective_from <= first_day] or entries[:1]
        return (in_force[-1].minutes if in_force else None) or MinuteLimits()


def required_rate(subject: Subject, target: Target | None) -> float | None:
    """The line rate a subject is judged by, in bits per second: the policy's. The inventory may set another; an agent may only ask more of
    itself."""
    policy = target.required_bits_per_second if target else None
    of_subject = subject.required_bits_per_second
    if of_subject is None or policy is None or subject.source == "inventory":
        return of_subject if of_subject is not None else policy
    return max(of_subject, policy)


def load_policy(path: Path) -> Policy:
    """From its file. Raises ConfigurationError with every mistake in it."""
    try:
        text = read_text(path)
    except UnusableFile as error:
        raise ConfigurationError(str(path), [Mistake("file", error.text)]) from None
    return read_policy(text.replace("\r\n", "\n"), str(path))  # the version is that of the lines, however they end


def read_policy(text: str, source: str = "policy.toml") -> Policy:
    """From its text. Raises ConfigurationError."""
    try:
        values = toml_values(text)
    except UnusableFile as error:
        raise ConfigurationError(source, [Mistake("file", error.text)]) from None
    top = Table(values, "", [])
    tolerance = top.number("tolerance_ratio", minimum=0.5, maximum=1.0)
    hours = _hours(top, top.strings("school_hours"))
    targets = [target for target in map(_target, top.tables("target")) if target is not None]
    exemptions = [entry for entry in map(_exemption, top.tables("exemption")) if entry is not None]
    maintenance = [entry for entry in map(_maintenance, top.tables("maintenance")) if entry is not None]
    ledger = _ledger(top.table("ledger"))
    present = _present(top.table("present"))
    report = _report(top.table("report"))
    top.done()
    _refuse_twins(top, targets)
    if top.mistakes:
        raise ConfigurationError(source, top.mistakes)
    version = sha256(text.encode()).hexdigest()[:12]
    return Policy(
        float(tolerance),
        hours,
        tuple(targets),
        version,
        tuple(exemptions),
        tuple(maintenance),
        ledger,
        present,
        report,
        text,
    )


def _target(table: Table) -> Target | None:
    name = table.string("name", choices=TARGET_NAMES)
    bandwidth = name in ("classroom_bandwidth", "uplink_bandwidth")
    since: Any = table.value("effective_from", date, message("a date like 2023-01-01"))
    if since is not None and not FIRST_DAY <= since <= LAST_DAY:
        table.wrong(
            "effective_from", message("must be within {first_day} … {last_day}", first_day=FIRST_DAY, last_day=LAST_DAY)
        )
    required = table.number("required_bits_per_second", minimum=1e6, maximum=1e12) if bandwidth else None
    access = name == "platform_access"
    first_byte = table.number("max_first_byte_seconds", minimum=0.01, maximum=60) if access else None
    live = name == "live_class"
    by_minutes = live and table.string("judged_by", "uplink_tests", choices=JUDGED_BY) == "lesson_minutes"
    delays = _delays(table) if live and not by_minutes else None
    minutes = _minute_limits(table) if by_minutes else None
    least = "min_lesson_minutes" if by_minutes else "min_valid_results"
    values: dict[str, Any] = {
        "passing_share": table.number("passing_share", minimum=0.01, maximum=1),
        "min_valid_results": table.integer(least, minimum=1, maximum=10_000),
        "min_days": table.integer("min_days", minimum=1, maximum=31),
        "source": table.string("source", ""),
    }
    table.done()
    if name not in TARGET_NAMES or since is None or None in values.values():
        return None
    return Target(
        name=name,
        effective_from=since,
        required_bits_per_second=required,
        max_first_byte_seconds=first_byte,
        delays=delays,
        minutes=minutes,
        **values,
    )


def _exemption(table: Table) -> Exemption | None:
    def day(key: str) -> Any:
        return table.value(key, date, message("a date like 2026-09-01"))

    hint = message("an id of lower-case letters, digits, '-' and '_'")
    school = table.string("school", pattern=rf"\*|{ID_PATTERN}", hint=hint)
    target = table.string("target", None, choices=TARGET_NAMES)
    subject = table.string("subject", None, pattern=ID_PATTERN, hint=hint)
    first, last, reason = day("from"), day("until"), table.string("reason")
    if reason is not None and not reason.strip():
        table.wrong("reason", message("must say why"))
    if first is not None and last is not None and last < first:
        table.wrong("until", message("{last} is before {first}", last=last, first=first))
    table.done()
    if None in (school, first, last, reason):
        return None
    longest = MAX_PLANNED_DAYS if school == "*" else MAX_EXEMPTION_DAYS
    _bound(table, first, last, longest)
    return Exemption(school, target, subject, first, last, reason)


def _maintenance(table: Table) -> Maintenance | None:
    def moment(key: str) -> Any:
        return table.value(key, datetime, message("a local time like 2026-11-20T08:00:00"))

    hint = message("an id of lower-case letters, digits, '-' and '_', or *")
    school = table.string("school", pattern=rf"\*|{ID_PATTERN}", hint=hint)
    target = table.string("target", None, choices=TARGET_NAMES)
    start, end, reason = moment("from"), moment("until"), table.string("reason")
    table.done()
    if None in (school, start, end, reason):
        return None
    if start.tzinfo is not None or end.tzinfo is not None:
        table.wrong("from", message("is local time: without a time zone"))
        return None
    if end <= start:
        table.wrong("until", message("{end} is not after {start}", end=end, start=start))
    _bound(table, start.date(), end.date(), MAX_PLANNED_DAYS)
    return Maintenance(school, target, start, end, reason)


def _bound(table: Table, first: date, last: date, most: int) -> None:
    """A slip in the year must not silence a school, or all."""
    if not FIRST_DAY <= first <= LAST_DAY or not FIRST_DAY <= last <= LAST_DAY:
        table.wrong("from", message("must be within {first_day} … {last_day}", first_day=FIRST_DAY, last_day=LAST_DAY))
    elif days_in(first, last) > most:
        table.wrong(
            "until",
            message(
                "is {first} days long, more than {most}; is the year right?", first=days_in(first, last), most=most
            ),
        )


def _ledger(table: Table) -> LedgerRule:
    plain = LedgerRule()
    values = {name: table.integer(name, getattr(plain, name), minimum=1, maximum=366) for name in LedgerRule.__slots__}
    if values["open_failing_days"] > values["open_window_days"]:
        table.wrong(
            "open_failing_days",
            message("is more than open_window_days: no problem could ever open"),
        )
    table.done()
    return LedgerRule(**values)


def _present(table: Table) -> PresentRule:
    least = PresentRule().stale_after_seconds
    seconds = table.integer("stale_after_seconds", least, minimum=900, maximum=31 * 86_400)
    table.done()
    return PresentRule(seconds)


def _report(table: Table) -> ReportRule:
    day = table.integer("close_day", ReportRule().close_day, minimum=1, maximum=28)
    table.done()
    return ReportRule(day)


def _delays(table: Table) -> Delays:
    seconds = {
        key: float(table.number(key, minimum=0.001, maximum=10) or 0.0)
        for key in ("max_rtt_seconds", "max_working_rtt_seconds", "max_jitter_seconds")
    }
    return Delays(**seconds, max_loss_ratio=float(table.number("max_loss_ratio", minimum=0, maximum=1) or 0.0))


def _minute_limits(table: Table) -> MinuteLimits:
    """No gap may be longer than a minute: that is all a minute can say."""
    plain = MinuteLimits()
    return MinuteLimits(
        float(table.number("max_loss_ratio", plain.max_loss_ratio, minimum=0, maximum=1)),
        float(table.number("max_rtt_p95_seconds", plain.max_rtt_p95_seconds, minimum=0.001, maximum=10)),
        float(table.number("max_jitter_seconds", plain.max_jitter_seconds, minimum=0.001, maximum=10)),
        float(table.number("max_gap_seconds", plain.max_gap_seconds, minimum=0.1, maximum=60)),
        float(table.number("min_observed_seconds", plain.min_observed_seconds, minimum=1, maximum=60)),
    )


def hours_of(text: str) -> HoursOfDay | None:
    """From `07:30-12:00`; None for anything else."""
    match = re.fullmatch(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)", text)
    if match is None or text[:5] >= text[6:]:
        return None
    return HoursOfDay(time.fromisoformat(text[:5]), time.fromisoformat(text[6:]))


def lessons_of(periods: Iterable[str]) -> Lessons:
    """The lessons of a timetable; what cannot be read is left out."""
    return tuple(hours for text in periods if (hours := hours_of(text)) is not None)


def _hours(top: Table, texts: Sequence[str]) -> tuple[HoursOfDay, ...]:
    hours = []
    for text in texts:
        if (of_text := hours_of(text)) is None:
            top.wrong(
                "school_hours",
                message("must hold hours like 07:30-12:00, not {text!r}", text=text),
            )
        else:
            hours.append(of_text)
    return tuple(hours)


def _refuse_twins(top: Table, targets: list[Target]) -> None:
    keys = set()
    for target in targets:
        if (key := (target.name, target.effective_from)) in keys:
            top.wrong("target", message("{target} has two entries from {day}", target=key[0], day=key[1]))
        keys.add(key)
