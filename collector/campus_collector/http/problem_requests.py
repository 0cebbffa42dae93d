"""What a request asks of the problem ledger, for routes and pages: a selection, one problem, an action of a person."""

from datetime import UTC, date, datetime
from typing import cast

from starlette.requests import Request

from campus_base.messages import message
from campus_collector.commands import ask_for_retests
from campus_collector.domain.people import Person
from campus_collector.domain.problem import STATES, Event, Problem
from campus_collector.http.auth.scope import ReadScope, require_ledger_editor, scope_of
from campus_collector.http.query import choices, must_be_known, requested_target
from campus_collector.http.responses import HttpProblem, bad_value
from campus_collector.http.service import Service
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.ledger.actions import NotPossible, act
from campus_collector.ledger.listing import MAX_AGE_DAYS, ORDERS, Order, ProblemFilter, names_in, select
from campus_collector.ledger.table import NO_NAMES, Names
from campus_collector.store.errors import Conflict
from campus_wire.digits import NARROW, ascii_integer

AGE_RULE = message("is a number of days, 0 to {max_age_days}", max_age_days=MAX_AGE_DAYS)
MOST_LETTERS = 100
LENGTH_RULE = message("must be at most {most} characters", most=MOST_LETTERS)
NUMBER_RULE = message("must be the number of a problem")
UNITS = tuple(unit for unit in UNIT_WORDS if unit)
CAUSES = tuple(cause for cause in EXPLANATIONS if cause)
SELECTIONS = (*STATES, "overdue", "contradicted", "all")


def requested_filter(request: Request) -> ProblemFilter:
    """The selection in a query, within what the reader may see. Raises HttpProblem 400, 403."""
    query = request.query_params
    target, state, age = query.get("target") or None, query.get("state") or None, query.get("older_than") or None
    requested_target(target)
    if state is not None and state not in SELECTIONS:
        raise bad_value("state", state, choices(SELECTIONS))
    days = ascii_integer(age, MAX_AGE_DAYS) if age is not None else None
    if age is not None and days is None:
        raise bad_value("older_than", age, AGE_RULE)
    unit, cause, order = query.get("unit") or None, query.get("cause") or None, query.get("sort") or "due"
    for key, value, known in (("unit", unit, UNITS), ("cause", cause, CAUSES), ("sort", order, tuple(ORDERS))):
        if value is not None and value not in known:
            raise bad_value(key, value, choices(known))
    text = query.get("q", "").strip()
    if len(text) > MOST_LETTERS:
        raise bad_value("q", text, LENGTH_RULE)
    words = tuple(text.translate(NARROW).casefold().split())
    town = scope_of(request).restricted_to(query.get("town") or None)
    school = query.get("school") or None
    return ProblemFilter(town, target, state, school, days, unit, cause, words, _numbers(request), cast(Order, order))


def _numbers(request: Request) -> frozenset[int]:
    """`?number=`, any number of times. Raises HttpProblem 400."""
    numbers = set()
    for text in request.query_params.getlist("number"):
        number = ascii_integer(text, 10**12)
        if not number:
            raise bad_value("number", text, NUMBER_RULE)
        numbers.add(number)
    return frozenset(numbers)


def requested_number(request: Request) -> int:
    """The number of a problem in the path. Raises HttpProblem 404."""
    text = request.path_params["number"]
    if not (text.isascii() and text.isdigit() and len(text) <= 12):
        raise HttpProblem(404, "No such problem", text[:40])
    return int(text)


def select_problems(service: Service, scope: ReadScope, selected: ProblemFilter) -> tuple[list[Problem], date]:
    """The problems a reader wants, and today. Raises HttpProblem 404 for an unknown school or town."""
    problems, today, names = read_for(service, scope, selected)
    return select(problems, selected, today, names), today


def read_for(service: Service, scope: ReadScope, selected: ProblemFilter) -> tuple[list[Problem], date, Names]:
    """What a selection is made from, and today. Raises HttpProblem 404 for an unknown school or town."""
    must_be_known(service, scope, selected.school, selected.town)
    problems = service.store.ledger.problems(selected.school, open_only=selected.open_only)
    # the names of all rooms are read only where somebody asks for words
    names = names_in(service.store, problems) if selected.words else NO_NAMES
    return problems, service.today(), names


def find_problem(service: Service, scope: ReadScope, number: int) -> Problem | None:
    """None for an unknown problem, and for one that the reader may not see."""
    problem = service.store.ledger.problem(number)
    return problem if problem is not None and scope.covers(problem.town) else None


def work_on(service: Service, number: int, action: str, values: dict[str, str], person: Person) -> Problem:
    """One action of one person; a claimed repair asks for its test by itself. Raises NotPossible, HttpProblem 403, 404."""
    now = datetime.now(UTC)
    today = now.astimezone(service.config.timezone).date()
    problem = service.store.ledger.problem(number)
    if problem is None:
        raise HttpProblem(404, "No such problem", str(number))
    require_ledger_editor(person, problem.town)

    def by(newest: Problem) -> tuple[Problem, Event]:
        return act(newest, action, values, person.name, now, today)

    try:
        changed = service.store.ledger.change(number, by)
    except NotPossible:
        raise
    except Conflict as refusal:
        raise HttpProblem(404, "No such problem", str(refusal)) from None
    if action == "claim_fixed":
        ask_for_retests(service.store, changed, person.name)
    return changed
