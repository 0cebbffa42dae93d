"""Asks a school's gateway for something on behalf of a person: which subject is meant, and what a claimed repair asks for by itself."""

from collections.abc import Iterable

from campus_base.messages import message
from campus_collector.domain.commands import StoredCommand, Wanted
from campus_collector.domain.problem import Problem
from campus_collector.judge.rules import RULES
from campus_collector.store.store import Store
from campus_collector.store.tables.commands import CommandRefused
from campus_wire.commands import MEASURABLE_KINDS, CommandKind, MeasurableKind
from campus_wire.ids import is_id

MOST_RETESTS_OF_A_PROBLEM = 8
"""Of a problem of a whole school: its classrooms share what was mended."""
_UNKNOWN = message("the school has nothing of this number that can be tested")


def ask(
    store: Store,
    school: str,
    kind: CommandKind,
    subject: str,
    subject_kind: str,
    person: str,
    problem: int | None = None,
) -> StoredCommand:
    """Ask a school's gateway; `subject_kind` "" is the first kind that has this subject. Raises CommandRefused, StoreUnavailable."""
    if kind != "measure":
        return store.commands.ask(school, Wanted(kind), person)
    return store.commands.ask(
        school, Wanted(kind, subject, _kind_of(store, school, subject, subject_kind), problem), person
    )


def ask_for_retests(store: Store, problem: Problem, person: str) -> list[StoredCommand]:
    """What a claimed repair asks for: a test of each subject. What may not be asked for now is left out: measurements go on anyway."""
    kind, asked = RULES[problem.target].subject_kind, []
    for subject in _subjects_of(problem)[:MOST_RETESTS_OF_A_PROBLEM]:
        try:
            asked.append(ask(store, problem.school, "measure", subject, kind, person, problem.id))
        except CommandRefused:
            continue
    return asked


def _subjects_of(problem: Problem) -> list[str]:
    return [problem.subject] if problem.subject else list(problem.covers)


def _kind_of(store: Store, school: str, subject: str, wanted_kind: str) -> MeasurableKind:
    """Raises CommandRefused for what the school does not have."""
    if not is_id(subject) or wanted_kind not in ("", *MEASURABLE_KINDS):
        raise CommandRefused(_UNKNOWN)
    known: set[str] = {each.kind for each in store.subjects.all(school) if each.id == subject}
    if _is_device(store, school, subject):
        known.add("device")
    kinds: Iterable[MeasurableKind] = (kind for kind in MEASURABLE_KINDS if kind in known and wanted_kind in ("", kind))
    found = next(iter(kinds), None)
    if found is None:
        raise CommandRefused(_UNKNOWN)
    return found


def _is_device(store: Store, school: str, device: str) -> bool:
    """Has the inventory this device, or did a gateway ever poll it?"""
    if any(each.kind == "device" for each in store.results.latest(school, device)):
        return True
    listed = store.inventory.current().devices or ()
    return any((each.school, each.id) == (school, device) for each in listed)
