"""What a month has changed: subjects that are newly not met, and those that were repaired; what is still to do. Pure.

Subjects of one school and target that have one cause are folded into one row.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from campus_collector.judge.tally import ShortVerdicts
from campus_wire.bandwidth import Verdict


class SubjectToShow(NamedTuple):
    """A subject by school, target and id, and the cause of its being not met or insufficient ("": none is known)."""

    school: str
    target: str
    subject: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class MonthChanges:
    """What was met the month before and is not now, and the reverse."""

    newly_not_met: list[SubjectToShow]
    repaired: list[SubjectToShow]


@dataclass(frozen=True, slots=True)
class Fold:
    """Subjects of one school that have the same target and cause."""

    school: str
    target: str
    cause: str
    subjects: tuple[str, ...]


def changes_between(before: Mapping[str, ShortVerdicts], now: Mapping[str, ShortVerdicts]) -> MonthChanges:
    """By school, target and subject. What has no verdict in either month has not changed. What was repaired has the cause of before."""
    lists: dict[tuple[Verdict, Verdict], list[SubjectToShow]] = {
        (Verdict.MET, Verdict.NOT_MET): [],
        (Verdict.NOT_MET, Verdict.MET): [],
    }
    for school, targets in now.items():
        for target, subjects in targets.items():
            earlier = before.get(school, {}).get(target, {})
            for subject, verdict in subjects.items():
                previous = earlier.get(subject)
                if previous is not None and (previous.verdict, verdict.verdict) in lists:
                    shown = SubjectToShow(school, target, subject, verdict.cause or previous.cause)
                    lists[previous.verdict, verdict.verdict].append(shown)
    return MonthChanges(sorted(lists[Verdict.MET, Verdict.NOT_MET]), sorted(lists[Verdict.NOT_MET, Verdict.MET]))


def still_to_do(now: Mapping[str, ShortVerdicts]) -> list[SubjectToShow]:
    """What is not met or has too few data."""
    return [
        SubjectToShow(school, target, subject, verdict.cause)
        for school, targets in now.items()
        for target, subjects in targets.items()
        for subject, verdict in subjects.items()
        if verdict.verdict is Verdict.NOT_MET or verdict.verdict is Verdict.INSUFFICIENT
    ]


def folded(subjects: Iterable[SubjectToShow]) -> list[Fold]:
    """Those with most subjects first. Subjects without a known cause are folded too: what they need is the same, a look at the school."""
    groups: dict[tuple[str, str, str], list[str]] = {}
    for school, target, subject, cause in subjects:
        groups.setdefault((school, target, cause), []).append(subject)
    ranked = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [Fold(*key, tuple(sorted(of_group))) for key, of_group in ranked]
