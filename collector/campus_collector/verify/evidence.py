"""Does the evidence of each day follow from its results?"""

from collections.abc import Iterator

from campus_base.messages import message
from campus_collector.domain.days import EPOCH, day_of
from campus_collector.judge.day import NOTHING
from campus_collector.judge.month import month_of_day
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.rules import TARGETS_OF
from campus_collector.judge.service import Verdicts
from campus_collector.store.store import Store
from campus_collector.verify.difference import Difference

LAST_DAY_NUMBER = 1_000_000
"""After any day (since 1970) that has evidence."""


def evidence_findings(store: Store, verdicts: Verdicts, school: str) -> Iterator[Difference | None]:
    """Judge every day's evidence anew: None for a day that agrees, a finding for the first that does not, which is the last."""
    verdicts.catch_up()
    subjects = {
        (target, subject.id): subject
        for subject in store.subjects.all(school, EPOCH)
        for target in TARGETS_OF[subject.kind]
    }
    days_of: dict[tuple[str, str], list[int]] = {}
    for row in store.evidence.days(school, 0, LAST_DAY_NUMBER):
        days_of.setdefault((row.target, row.subject), []).append(row.day)
    for target, name in sorted(days_of, key=lambda key: (TARGET_NAMES.index(key[0]), key[1])):
        subject = subjects.get((target, name))
        if subject is None:
            continue
        for month in sorted({month_of_day(day_of(day), verdicts.zone) for day in days_of[target, name]}, key=str):
            stored = verdicts.evidence(subject, target, month)
            recomputed = verdicts.evidence_from_results(subject, target, month.first_day, month.last_day)
            for day in sorted(stored.keys() | recomputed.keys()):
                if stored.get(day, NOTHING) != recomputed.get(day, NOTHING):
                    words = message(
                        "{school}/{name} {target}: the evidence of {day} does not follow from its results",
                        school=school,
                        name=name,
                        target=target,
                        day=day,
                    )
                    yield Difference(school, words)
                    return
                yield None
