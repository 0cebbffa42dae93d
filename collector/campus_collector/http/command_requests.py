"""What a request asks of a school's gateway, for routes and pages: who may ask, and of which school."""

from campus_collector.commands import ask
from campus_collector.domain.commands import StoredCommand
from campus_collector.domain.people import Person
from campus_collector.domain.schools import School
from campus_collector.http.auth.scope import require_ledger_editor
from campus_collector.http.responses import HttpProblem
from campus_collector.http.school_view import find_school
from campus_collector.http.service import Service
from campus_wire.commands import COMMAND_KINDS, CommandKind


def ask_gateway(
    service: Service, person: Person, school_id: str, kind: str, subject: str = "", subject_kind: str = ""
) -> StoredCommand:
    """Ask as this person. Raises CommandRefused, HttpProblem 400, 403, 404."""
    require_ledger_editor(person, _school(service, school_id).town)
    return ask(service.store, school_id, _kind(kind), subject, subject_kind, person.name)


def _school(service: Service, school_id: str) -> School:
    school = find_school(service, school_id)
    if school is None:
        raise HttpProblem(404, "No such school", school_id[:64])
    return school


def _kind(text: str) -> CommandKind:
    for kind in COMMAND_KINDS:
        if kind == text:
            return kind
    raise HttpProblem(400, "Bad request", f"kind is one of {', '.join(COMMAND_KINDS)}")
