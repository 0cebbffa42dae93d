"""How the newest result of each subject would be judged alone, kept: only what changed is read again."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date

from campus_collector.domain.change import Change
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.schools import Subject
from campus_collector.judge.policy import TARGET_NAMES, Policy, Target, required_rate
from campus_collector.judge.rules import RULES, TARGETS_OF
from campus_collector.store.store import Store
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnyResult

SCHOOLS_AT_ONCE = 50
SUBJECTS_AT_ONCE = 100
KINDS = tuple(sorted({rule.result_kind for rule in RULES.values()}))
"""Of the results that a verdict can rest on."""
_Key = tuple[str, str, str]
"""School, subject and kind of result."""


@dataclass(slots=True)
class _OfSchool:
    """A school's subjects by id and kind of result, and what their newest results say by (target, subject)."""

    subjects: dict[tuple[str, str], list[tuple[Subject, str]]] = field(default_factory=dict)
    verdicts: dict[tuple[str, str], Verdict] = field(default_factory=dict)
    counts: Counter[tuple[str, Verdict]] = field(default_factory=Counter)

    def put(self, target: str, subject: str, verdict: Verdict) -> None:
        before = self.verdicts.get((target, subject))
        if before is not None:
            self.counts[target, before] -= 1
        self.verdicts[target, subject] = verdict
        self.counts[target, verdict] += 1


class NewestVerdicts:
    """Of one collector; every method may be called from any thread."""

    def __init__(self, store: Store, policy: Policy) -> None:
        """Subscribes to the store's changes; reads nothing yet."""
        self._store, self._policy = store, policy
        self._lock = threading.Lock()
        self._changes_lock = threading.Lock()
        self._everything = True
        self._schools: set[str] = set()
        self._subjects: set[_Key] = set()
        self._inventory = -1
        self._rules: tuple[Target | None, ...] = ()
        self._kept: dict[str, _OfSchool] = {}
        store.subscribe(self._note)

    def counts(self, schools: Collection[str], day: date) -> Counter[tuple[str, Verdict]]:
        """Subjects of these schools by target and verdict, by the rules in force on a day. Raises StoreUnavailable."""
        with self._lock:
            try:
                self._refresh(schools, tuple(self._policy.in_force(name, day) for name in TARGET_NAMES))
            except BaseException:
                self._everything = True
                raise
            counts: Counter[tuple[str, Verdict]] = Counter()
            for school in schools:
                counts.update(self._kept[school].counts)
            return counts

    def _note(self, change: Change) -> None:
        with self._changes_lock:
            self._everything |= change.inventory
            self._schools |= change.announced
            self._subjects |= change.subjects

    def _refresh(self, schools: Iterable[str], rules: tuple[Target | None, ...]) -> None:
        inventory = self._store.inventory.version()
        with self._changes_lock:
            if self._everything or rules != self._rules or inventory != self._inventory:
                self._kept.clear()
            changed_schools, changed_subjects = self._schools, self._subjects
            self._everything, self._schools, self._subjects = False, set(), set()
        self._rules, self._inventory = rules, inventory
        for school in changed_schools:
            self._kept.pop(school, None)
        keys = [key for key in sorted(changed_subjects) if key[2] in KINDS and key[0] in self._kept]
        for subjects in pieces_of(keys, SUBJECTS_AT_ONCE):
            for school, subject, kind, result in self._store.results.newest_of_subjects(subjects):
                self._put(self._kept[school], subject, kind, result)
        missing = [school for school in schools if school not in self._kept]
        for group in pieces_of(missing, SCHOOLS_AT_ONCE):
            self._read(group)

    def _read(self, schools: Sequence[str]) -> None:
        """All of these schools. A subject without a result has insufficient data."""
        read = {school: _OfSchool() for school in schools}
        for subject in self._store.subjects.of_schools(schools):
            of_school = read[subject.school]
            for target in TARGETS_OF[subject.kind]:
                key = (subject.id, RULES[target].result_kind)
                of_school.subjects.setdefault(key, []).append((subject, target))
                of_school.put(target, subject.id, Verdict.INSUFFICIENT)
        for school, subject_id, kind, result in self._store.results.newest_of_schools(schools, KINDS):
            self._put(read[school], subject_id, kind, result)
        self._kept |= read

    def _put(self, of_school: _OfSchool, subject_id: str, kind: str, result: AnyResult) -> None:
        for subject, target in of_school.subjects.get((subject_id, kind), ()):
            rule = self._rules[TARGET_NAMES.index(target)]
            passes = None
            if rule is not None:
                passes = RULES[target].passes(result, rule, self._policy, required_rate(subject, rule))
            verdict = Verdict.INSUFFICIENT if passes is None else Verdict.MET if passes else Verdict.NOT_MET
            of_school.put(target, subject_id, verdict)
