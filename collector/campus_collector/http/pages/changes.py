"""What a month has changed: subjects that are newly not met, and those that were repaired. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from campus_collector.judge.tally import ShortVerdicts
from campus_wire.bandwidth import Verdict


@dataclass(frozen=True, slots=True, order=True)
class ChangedSubject:
    """A subject by school, target and id."""

    school: str
    target: str
    subject: str


@dataclass(frozen=True, slots=True)
class MonthChanges:
    """What was met the month before and is not now, and the reverse."""

    newly_not_met: list[ChangedSubject]
    repaired: list[ChangedSubject]


def changes_between(before: Mapping[str, ShortVerdicts], now: Mapping[str, ShortVerdicts]) -> MonthChanges:
    """By school, target and subject. What has no verdict in either month has not changed."""
    lists: dict[tuple[Verdict, Verdict], list[ChangedSubject]] = {
        (Verdict.MET, Verdict.NOT_MET): [],
        (Verdict.NOT_MET, Verdict.MET): [],
    }
    for school, targets in now.items():
        for target, subjects in targets.items():
            earlier = before.get(school, {}).get(target, {})
            for subject, verdict in subjects.items():
                previous = earlier.get(subject)
                if previous is not None and (previous.verdict, verdict.verdict) in lists:
                    lists[previous.verdict, verdict.verdict].append(ChangedSubject(school, target, subject))
    return MonthChanges(sorted(lists[Verdict.MET, Verdict.NOT_MET]), sorted(lists[Verdict.NOT_MET, Verdict.MET]))
