"""From one result to what a rule counts: does it say something, and does it pass? Pure.

Bandwidth: failed, skipped and unsound results say nothing; both directions must reach the required line rate.
Platform: a failed request is a finding. Recording room: some room of the school is up. For both only school hours count.
Live class: each minute of the lessons by the small stream; by an older entry of the policy, round trips, jitter and loss of the uplink's tests.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from statistics import median

from campus_collector.judge.lesson_minutes import (
    LessonTime,
    MinuteCounts,
    broken_limits,
    count_minutes,
    lesson_at,
    newest_forms,
    says_something,
)
from campus_collector.judge.month import Month
from campus_collector.judge.policy import HoursOfDay, MinuteLimits, Policy, Target
from campus_wire.access import access_passes
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of
from campus_wire.failures import Validity
from campus_wire.records import (
    AnyResult,
    Interruption,
    InterruptionResult,
    LessonStreamRecord,
    LessonStreamResult,
    Outcome,
    RoomResult,
    ServiceResult,
    ThroughputResult,
    outcome_of,
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What one result contributes. `passes` None: kept and shown, not judged.

    `value` is what was compared: the smaller line rate in bits per second, the time to first byte, or the round trip under load, in seconds.
    A result of the lesson stream contributes its `minutes`, and passes when all that say something are good.
    """

    id: str
    started_at: datetime
    day: date
    outcome: Outcome
    passes: bool | None
    value: float | None
    minutes: MinuteCounts | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """How a target reads results: of which kind, and each one's contribution."""

    result_kind: str
    subject_kind: str
    passes: Callable[[AnyResult, Target, Policy, float | None], bool | None]
    value: Callable[[AnyResult], float | None]
    school_hours_only: bool
    supporting_kinds: tuple[str, ...] = ()
    """Results of other kinds of the same subject: they are not judged, they explain."""

    @property
    def kinds(self) -> tuple[str, ...]:
        """Of all results that are read."""
        return (self.result_kind, *self.supporting_kinds)


def looked_at(
    results: Iterable[AnyResult],
    target: Target,
    policy: Policy,
    month: Month,
    required_bits_per_second: float | None,
) -> Iterator[tuple[AnyResult, datetime, bool | None]]:
    """The results of a month that a target looks at, each with its local time and whether it passes; None: it says nothing."""
    rule = RULES[target.name]
    start, end = month.start, month.end
    for result in results:
        if not start <= result.started_at < end:
            continue
        local = result.started_at.astimezone(month.zone)
        if policy.maintenance and policy.under_maintenance(target.name, result.school, local):
            continue
        if rule.school_hours_only and not policy.in_school_hours(local):
            continue
        passes = rule.passes(result, target, policy, required_bits_per_second) if has_trusted_time(result) else None
        yield result, local, passes


def observe(
    results: Sequence[AnyResult],
    target: Target,
    policy: Policy,
    month: Month,
    required_bits_per_second: float | None,
    lessons: Sequence[HoursOfDay] = (),
) -> list[Observation]:
    """The contributions of a subject's results of one month; each id once, in order of time.

    `lessons` are those of the school's timetable; without them the policy's school hours are taken for lessons. Interruptions among the
    results of a lesson stream contribute nothing, they explain its minutes.
    """
    if target.minutes is not None:
        return _observe_lessons(results, target, target.minutes, policy, month, lessons or policy.school_hours)
    rule = RULES[target.name]
    by_id: dict[str, Observation] = {}
    for result, local, passes in looked_at(results, target, policy, month, required_bits_per_second):
        outcome = outcome_of(result) if has_trusted_time(result) else "invalid"
        by_id[result.id] = Observation(result.id, result.started_at, local.date(), outcome, passes, rule.value(result))
    return sorted(by_id.values(), key=lambda observation: (observation.started_at, observation.id))


def _observe_lessons(
    results: Sequence[AnyResult],
    target: Target,
    limits: MinuteLimits,
    policy: Policy,
    month: Month,
    hours: Sequence[HoursOfDay],
) -> list[Observation]:
    """The same of results of the lesson stream: those with minutes in lessons, and those that were to have some."""
    start, end = month.start, month.end
    alone = interruptions_alone(results)
    within = {
        result.id: result
        for result in results
        if isinstance(result, LessonStreamResult) and start <= result.started_at < end
    }
    is_planned = planned_at(policy, target.name, next((result.school for result in within.values()), None))
    records = {result_id: record for result_id, result in within.items() if (record := stream_record(result))}
    counts = count_minutes(records, alone, limits, LessonTime(hours, month.zone, is_planned, policy.is_workday))
    observations = []
    for result_id, result in within.items():
        local = result.started_at.astimezone(month.zone)
        minutes = counts.get(result_id)
        if minutes is not None:
            passes = minutes.good == minutes.observed if minutes.observed else None
            value = median(minutes.rtt_seconds) if minutes.rtt_seconds else None
            observations.append(Observation(result_id, result.started_at, local.date(), "ok", passes, value, minutes))
        elif result_id not in records and lesson_at(local, hours, policy.is_workday) and not is_planned(local):
            outcome = outcome_of(result) if has_trusted_time(result) else "invalid"
            observations.append(Observation(result_id, result.started_at, local.date(), outcome, None, None))
    return sorted(observations, key=lambda observation: (observation.started_at, observation.id))


def planned_at(policy: Policy, target: str, school: str | None) -> Callable[[datetime], bool]:
    """Says of a local moment whether it lies in announced maintenance of a school."""
    return lambda local: bool(policy.maintenance) and policy.under_maintenance(target, school, local)


def has_trusted_time(result: AnyResult) -> bool:
    """Is the time of this result known? A result of an untrusted clock is counted as not valid, whatever it found, and is evidence of no day."""
    return result.validity is not Validity.CLOCK_UNTRUSTED


def _bandwidth_passes(
    result: AnyResult, target: Target, policy: Policy, required_bits_per_second: float | None
) -> bool | None:
    if not isinstance(result, ThroughputResult):
        return None
    required = required_bits_per_second or target.required_bits_per_second
    verdict = verdict_of(result, required, policy.tolerance_ratio)
    return None if verdict is Verdict.INSUFFICIENT else verdict is Verdict.MET


def _smaller_line_rate(result: AnyResult) -> float | None:
    record = result.record if isinstance(result, ThroughputResult) else None
    if record is None:
        return None
    rates = [
        line_rate_of(direction, record.encapsulation) for direction in (record.down, record.up) if direction is not None
    ]
    return min(rates, default=None)


def _access_passes(
    result: AnyResult, target: Target, policy: Policy, required_bits_per_second: float | None
) -> bool | None:
    if not isinstance(result, ServiceResult) or target.max_first_byte_seconds is None:
        return None
    return access_passes(result, target.max_first_byte_seconds)


def _first_byte(result: AnyResult) -> float | None:
    return result.record.first_byte_seconds if isinstance(result, ServiceResult) and result.record else None


def _room_passes(
    result: AnyResult, target: Target, policy: Policy, required_bits_per_second: float | None
) -> bool | None:
    """Some room of the school had every required device up; a poll round that our own side broke says nothing."""
    if not isinstance(result, RoomResult) or result.record is None or outcome_of(result) != "ok":
        return None
    return result.record.up


def _live_passes(
    result: AnyResult, target: Target, policy: Policy, required_bits_per_second: float | None
) -> bool | None:
    """Round trips, jitter and loss, idle and under load; a test without them says nothing."""
    record = result.record if isinstance(result, ThroughputResult) else None
    if record is None or target.delays is None or outcome_of(result) != "ok" or record.idle is None:
        return None
    idle, limits = record.idle, target.delays
    working = record.working.rtt_p95_seconds or record.working.rtt_max_seconds if record.working else None
    if idle.rtt_median_seconds is None or idle.jitter_seconds is None or idle.loss_ratio is None or working is None:
        return None
    return (
        idle.rtt_median_seconds <= limits.max_rtt_seconds
        and idle.jitter_seconds <= limits.max_jitter_seconds
        and idle.loss_ratio <= limits.max_loss_ratio
        and working <= limits.max_working_rtt_seconds
    )


def _working_rtt(result: AnyResult) -> float | None:
    record = result.record if isinstance(result, ThroughputResult) else None
    return record.working.rtt_p95_seconds if record and record.working else None


def stream_record(result: AnyResult) -> LessonStreamRecord | None:
    """The record whose minutes count; None where the result says nothing of when, or of the line."""
    if isinstance(result, LessonStreamResult) and outcome_of(result) == "ok" and has_trusted_time(result):
        return result.record
    return None


def interruptions_alone(results: Iterable[AnyResult]) -> list[Interruption]:
    """Those that came as results of their own."""
    return [
        result.record
        for result in results
        if isinstance(result, InterruptionResult) and result.record is not None and has_trusted_time(result)
    ]


def interruptions_of(results: Sequence[AnyResult]) -> list[Interruption]:
    """Those that results of the lesson stream list and those that came alone, each once, in order of time."""
    listed = interruptions_alone(results)
    for result in results:
        if (record := stream_record(result)) is not None:
            listed += record.interruptions
    return sorted(newest_forms(listed).values(), key=lambda each: (each.began_at, each.id))


def _stream_passes(
    result: AnyResult, target: Target, policy: Policy, required_bits_per_second: float | None
) -> bool | None:
    """Are all observed minutes of one result good? Whether they lie in lessons is not looked at."""
    record, limits = stream_record(result), target.minutes
    if record is None or limits is None:
        return None
    observed = [minute for minute in record.minutes if says_something(minute, limits)]
    return not any(broken_limits(minute, limits) for minute in observed) if observed else None


def _no_value(result: AnyResult) -> float | None:
    return None


RULES: dict[str, Rule] = {
    "classroom_bandwidth": Rule("throughput", "classroom", _bandwidth_passes, _smaller_line_rate, False, ("port",)),
    "uplink_bandwidth": Rule("throughput", "uplink", _bandwidth_passes, _smaller_line_rate, False, ("port",)),
    "recording_room": Rule("room", "recording_room", _room_passes, _no_value, True),
    "live_class": Rule("throughput", "uplink", _live_passes, _working_rtt, False),
    "platform_access": Rule("service", "service", _access_passes, _first_byte, True),
}
BY_LESSON_MINUTES = Rule("lesson_stream", "uplink", _stream_passes, _no_value, False, ("interruption",))


def rule_of(name: str, target: Target | None) -> Rule:
    """How the target of this name reads results by an entry of the policy (None: none is in force)."""
    return BY_LESSON_MINUTES if target is not None and target.minutes is not None else RULES[name]


TARGETS_OF: dict[str, tuple[str, ...]] = {
    kind: tuple(target for target, rule in RULES.items() if rule.subject_kind == kind)
    for kind in {rule.subject_kind for rule in RULES.values()}
}
"""The targets a kind of subject is judged by."""
TARGET_OF = {kind: targets[0] for kind, targets in TARGETS_OF.items()}
"""The target a kind of subject is there for; an uplink has a second one."""


@lru_cache(maxsize=4096)
def targets_changed_by(kind: str, subject: str) -> tuple[str, ...]:
    """Which targets can a result of this kind and subject change, by some entry of the policy? A room's state explains the school's."""
    if kind == "room":
        return ("recording_room",)
    if kind in BY_LESSON_MINUTES.kinds:
        return ("live_class",)
    uplink = subject == "uplink"
    return tuple(
        name
        for name, rule in RULES.items()
        if (kind == rule.result_kind or kind in rule.supporting_kinds)
        and (rule.subject_kind == "service" or (rule.subject_kind == "uplink") == uplink)
    )
