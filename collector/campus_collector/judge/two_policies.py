"""The verdict of a subject's month by several policies, from the same results. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date

from campus_collector.domain.schools import Subject
from campus_collector.judge.day import DayEvidence, counted_by_day
from campus_collector.judge.month import Month
from campus_collector.judge.policy import HoursOfDay, Policy, Target, required_rate
from campus_collector.judge.rules import RULES
from campus_collector.judge.verdict import Decision, JudgedSubject, decide
from campus_wire.records import AnyResult


def decide_by(
    policies: Sequence[Policy],
    subject: Subject,
    target: str,
    town: str,
    results: Sequence[AnyResult],
    month: Month,
    lessons: Sequence[HoursOfDay] = (),
) -> list[Decision]:
    """A decision for each policy; `lessons` are those of the school's timetable. Results are read again only where a policy reads them otherwise: another share of passing tests does not."""
    counted: list[tuple[object, Mapping[date, DayEvidence]]] = []
    decisions = []
    for policy in policies:
        rule = policy.in_force(target, month.first_day)
        required = required_rate(subject, rule)
        reading = _reading(policy, rule, required)
        days = next((days for known, days in counted if known == reading), None)
        if days is None:
            days = {} if rule is None else counted_by_day(results, rule, policy, month, required, lessons)
            counted.append((reading, days))
        about = JudgedSubject(target, town, subject.school, subject.id, required, subject.exempt_reason)
        decisions.append(decide(about, days, month, policy))
    return decisions


def _reading(policy: Policy, rule: Target | None, required_bits_per_second: float | None) -> object:
    """All that what a result says depends on."""
    if rule is None:
        return None
    return (
        replace(rule, effective_from=date.min, passing_share=0.0, min_valid_results=0, min_days=0, source=""),
        required_bits_per_second,
        policy.tolerance_ratio if rule.required_bits_per_second is not None else None,
        (policy.school_hours, policy.workdays)
        if RULES[rule.name].school_hours_only or rule.minutes is not None
        else None,
        policy.maintenance,
    )
