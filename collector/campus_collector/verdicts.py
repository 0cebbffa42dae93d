"""The verdicts of a month, from the store by the judge; only what changed is judged again.

Joins two sides that do not know each other: the store has no policy, the judge no database.
"""

import threading
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from campus_collector.judge.agreement import Agreement, agreement_of, total
from campus_collector.judge.diagnosis import Case, diagnose
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import Policy, Target
from campus_collector.judge.rules import RULES, observe
from campus_collector.judge.verdict import AreaVerdict, SubjectVerdict, areas_of, evidence_of, verdict_from
from campus_collector.store.interface import Change, Store, Subject
from campus_wire.records import Segment

TARGETS_OF: dict[str, tuple[str, ...]] = {
    kind: tuple(target for target, rule in RULES.items() if rule.subject_kind == kind)
    for kind in {rule.subject_kind for rule in RULES.values()}
}
TARGET_OF = {kind: targets[0] for kind, targets in TARGETS_OF.items()}
"""The target a kind of subject is there for; an uplink has a second one."""
_Key = tuple[str, str, str]


class Verdicts:
    """Ask for a month; the answer is kept until results of one of its subjects arrive."""

    def __init__(self, store: Store, policy: Policy, zone: ZoneInfo) -> None:
        """Subscribes to the store's changes."""
        self._store = store
        self.policy = policy
        self.zone = zone
        self._lock = threading.Lock()
        self._known: dict[Month, dict[_Key, SubjectVerdict]] = {}
        self._changes = 0
        store.subscribe(self._forget)

    def this_month(self) -> Month:
        """The month of now."""
        return month_of(datetime.now(UTC), self.zone)

    def subjects(self, month: Month, school: str | None = None) -> list[SubjectVerdict]:
        """Every subject's verdict for a month, by target, town, school, subject."""
        towns = {one.id: one.town for one in self._store.schools()}
        found = []
        for subject in self._store.subjects(school, month.start):  # whoever removes a room does not mend its month
            for target in TARGETS_OF[subject.kind]:
                key = (target, subject.school, subject.id)
                with self._lock:
                    verdict, changes = self._known.get(month, {}).get(key), self._changes
                if verdict is None:
                    verdict = self._judge(target, subject, towns.get(subject.school, ""), month)
                    with self._lock:
                        if changes == self._changes:  # else something arrived while we judged
                            self._known.setdefault(month, {})[key] = verdict
                found.append(verdict)
        return sorted(found, key=lambda one: (one.target, one.town, one.school, one.subject))

    def areas(self, month: Month) -> list[AreaVerdict]:
        """Every target in the county ("") and in each town."""
        return areas_of(self.subjects(month))

    def agreement(self, month: Month) -> dict[Segment, Agreement]:
        """Quick tests against references, by segment, all schools together."""
        segments: dict[str, Segment] = {"classroom_bandwidth": "classroom", "uplink_bandwidth": "uplink"}
        verdicts = self.subjects(month)
        return {
            segment: total(one.agreement for one in verdicts if one.target == target)
            for target, segment in segments.items()
        }

    def _judge(self, name: str, subject: Subject, town: str, month: Month) -> SubjectVerdict:
        target = self.policy.in_force(name, month.first_day)
        kind = RULES[name].result_kind
        results = list(self._store.results(subject.school, subject.id, kind, month.start, month.end))
        required = required_of(subject, target)
        observations = observe(results, target, self.policy, month, required) if target else []
        evidence = evidence_of(observations)
        verdict = verdict_from(evidence, target)
        cause = diagnose(Case(verdict, target, observations, results))
        agreement = agreement_of(results, required, self.policy.tolerance_ratio)
        return SubjectVerdict(
            name, town, subject.school, subject.id, verdict, evidence, target, self.policy.version, cause, agreement
        )

    def _forget(self, change: Change) -> None:
        """Results of any month may have arrived: forget these subjects in all months."""
        doomed = [
            (target, school, subject)
            for school, subject, kind in change.subjects
            for target, rule in RULES.items()
            if rule.result_kind == kind
        ]
        with self._lock:
            self._changes += 1
            if change.inventory:
                self._known.clear()
            for month in self._known.values():
                for key in doomed:
                    month.pop(key, None)


def required_of(subject: Subject, target: Target | None) -> float | None:
    """The rate a subject is judged by: the policy's. The inventory may set another; an agent may only ask more of itself."""
    policy = target.required_bits_per_second if target else None
    own = subject.required_bits_per_second
    if own is None or policy is None or subject.source == "inventory":
        return own if own is not None else policy
    return max(own, policy)
