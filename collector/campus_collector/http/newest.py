"""How the newest result of each subject would be judged alone, kept: only what changed is read again, also after a start."""

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from hashlib import sha256

import msgspec

from campus_collector.domain.change import Change
from campus_collector.domain.pieces import pieces_of
from campus_collector.domain.schools import Subject
from campus_collector.domain.tallies import NEWEST, KeptTally
from campus_collector.judge.policy import TARGET_NAMES, Policy, Target, required_rate
from campus_collector.judge.rules import BY_LESSON_MINUTES, RULES, TARGETS_OF, rule_of
from campus_collector.store.store import Store
from campus_wire.bandwidth import Verdict
from campus_wire.records import AnyResult
from campus_wire.version import VERSION

SCHOOLS_AT_ONCE = 50
SUBJECTS_AT_ONCE = 100
KINDS = tuple(sorted({rule.result_kind for rule in (*RULES.values(), BY_LESSON_MINUTES)}))
"""Of the results that a verdict can rest on."""
_Key = tuple[str, str, str]
"""School, subject and kind of result."""
_Verdicts = dict[str, dict[str, Verdict]]
"""Of a school, by target and subject."""
_encode, _decode = msgspec.msgpack.encode, msgspec.msgpack.Decoder(_Verdicts).decode


@dataclass(slots=True)
class _OfSchool:
    """What a school's newest results say: all up to the place `sequence` in its chain, for the list of subjects of this revision."""

    revision: int
    sequence: int
    verdicts: _Verdicts = field(default_factory=dict)
    counts: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    is_stored: bool = False

    def put(self, target: str, subject: str, verdict: Verdict) -> None:
        of_target = self.verdicts.setdefault(target, {})
        before = of_target.get(subject)
        if before is not None:
            self.counts[target, before] -= 1
        of_target[subject] = verdict
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
        self._sequences: dict[str, int] = {}
        self._inventory = -1
        self._rules: tuple[Target | None, ...] = ()
        self._rules_name = ""
        self._kept: dict[str, _OfSchool] = {}
        store.subscribe(self._note)

    def counts(self, schools: Collection[str], day: date) -> Counter[tuple[str, Verdict]]:
        """Subjects of these schools by target and verdict, by the rules in force on a day. Raises StoreUnavailable."""
        with self._lock:
            self._refresh(schools, day)
            counts: Counter[tuple[str, Verdict]] = Counter()
            for school in schools:
                counts.update(self._kept[school].counts)
            return counts

    def keep(self, day: date) -> None:
        """Store what changed since last time, for the next start. Raises StoreUnavailable."""
        with self._lock:
            self._refresh([school.id for school in self._store.schools.all()], day)
            changed = {school: of_school for school, of_school in self._kept.items() if not of_school.is_stored}
            rows = [
                KeptTally(school, NEWEST, each.revision, self._basis(each.sequence), b"", _encode(each.verdicts))
                for school, each in changed.items()
            ]
            self._store.tallies.keep(rows)
            for of_school in changed.values():
                of_school.is_stored = True

    def _note(self, change: Change) -> None:
        with self._changes_lock:
            self._everything |= change.inventory
            self._schools |= change.announced
            self._subjects |= change.subjects
            self._sequences |= dict(change.sequences)

    def _refresh(self, schools: Iterable[str], day: date) -> None:
        try:
            self._read_changes(tuple(self._policy.in_force(name, day) for name in TARGET_NAMES))
            missing = [school for school in schools if school not in self._kept]
            if missing:
                self._read_stored(missing)
            for group in pieces_of([school for school in missing if school not in self._kept], SCHOOLS_AT_ONCE):
                self._read(group)
        except BaseException:
            self._everything = True
            raise

    def _read_changes(self, rules: tuple[Target | None, ...]) -> None:
        inventory = self._store.inventory.version()
        with self._changes_lock:
            if self._everything or rules != self._rules or inventory != self._inventory:
                self._kept.clear()
            changed_schools, changed_subjects, sequences = self._schools, self._subjects, self._sequences
            self._everything, self._schools, self._subjects, self._sequences = False, set(), set(), {}
        if rules != self._rules or not self._rules_name:
            text = f"{rules}{self._policy.tolerance_ratio}{self._policy.maintenance}{VERSION}"
            self._rules_name = sha256(text.encode()).hexdigest()[:12]
        self._rules, self._inventory = rules, inventory
        for school in changed_schools:
            self._kept.pop(school, None)
        keys = [key for key in sorted(changed_subjects) if key[2] in KINDS and key[0] in self._kept]
        subjects = self._subjects_of(sorted({school for school, _, _ in keys}))
        for group in pieces_of(keys, SUBJECTS_AT_ONCE):
            for school, subject, kind, result in self._store.results.newest_of_subjects(group):
                self._put(self._kept[school], subjects.get((school, subject, kind), ()), result)
        for school in sequences.keys() & self._kept.keys():
            self._kept[school].sequence, self._kept[school].is_stored = sequences[school], False

    def _read_stored(self, schools: Sequence[str]) -> None:
        """Those of these schools that nothing has come of since they were stored."""
        sequences = self._store.chain.last_sequences()
        wanted = set(schools)
        for row in self._store.tallies.with_verdicts(NEWEST):
            sequence = sequences.get(row.school, 0)
            if row.school in wanted and row.basis == self._basis(sequence):
                of_school = _OfSchool(row.rests_on, sequence, _decode(row.verdicts), is_stored=True)
                for target, of_target in of_school.verdicts.items():
                    for verdict, number in Counter(of_target.values()).items():
                        of_school.counts[target, verdict] = number
                self._kept[row.school] = of_school

    def _basis(self, sequence: int) -> str:
        """A short name of the rules, and up to where results are counted."""
        return f"{self._rules_name}:{sequence}"

    def _read(self, schools: Sequence[str]) -> None:
        """All of these schools. A subject without a result has insufficient data."""
        revisions, sequences = self._store.tallies.revisions(NEWEST, schools), self._store.chain.last_sequences(schools)
        read = {school: _OfSchool(revisions[school], sequences.get(school, 0)) for school in schools}
        subjects = self._subjects_of(schools)
        for (school, subject_id, _), of_kind in subjects.items():
            for _, target in of_kind:
                read[school].put(target, subject_id, Verdict.INSUFFICIENT)
        for school, subject_id, kind, result in self._store.results.newest_of_schools(schools, KINDS):
            self._put(read[school], subjects.get((school, subject_id, kind), ()), result)
        self._kept |= read

    def _subjects_of(self, schools: Sequence[str]) -> Mapping[_Key, list[tuple[Subject, str]]]:
        """Each subject with its targets."""
        subjects: dict[_Key, list[tuple[Subject, str]]] = {}
        for group in pieces_of(schools, SCHOOLS_AT_ONCE):
            for subject in self._store.subjects.of_schools(group):
                for target in TARGETS_OF[subject.kind]:
                    reading = rule_of(target, self._rules[TARGET_NAMES.index(target)])
                    key = (subject.school, subject.id, reading.result_kind)
                    subjects.setdefault(key, []).append((subject, target))
        return subjects

    def _put(self, of_school: _OfSchool, subjects: Iterable[tuple[Subject, str]], result: AnyResult) -> None:
        for subject, target in subjects:
            rule = self._rules[TARGET_NAMES.index(target)]
            passes = None
            if rule is not None:
                passes = rule_of(target, rule).passes(result, rule, self._policy, required_rate(subject, rule))
            verdict = Verdict.INSUFFICIENT if passes is None else Verdict.MET if passes else Verdict.NOT_MET
            of_school.put(target, subject.id, verdict)
