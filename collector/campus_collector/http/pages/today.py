"""Whom to call today: the schools whose fault weighs most, each with its cause, since when, and who has to act."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from campus_base.messages import message
from campus_collector.domain.agents import Agent
from campus_collector.domain.inventory import InventorySchool
from campus_collector.domain.problem import Problem
from campus_collector.domain.schools import School
from campus_collector.http.pages.reader import Reader
from campus_collector.http.service import Service
from campus_collector.judge.explanations import CAUSE_WORDS, EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.policy import TARGET_WORDS

CARDS = 3
SILENT_AFTER = timedelta(days=1)
"""A gateway that reported less long ago may be switched off for the night."""
GATEWAY_SILENT = message("the gateway has not reported")


@dataclass(frozen=True, slots=True)
class Call:
    """A school to be called. `problem` None: its gateway is silent since `since`, and nothing of it is known."""

    school: School
    since: date
    problem: Problem | None = None
    others: int = 0
    """Open problems of the school besides."""


@dataclass(frozen=True, slots=True)
class TodayCard:
    """A call in words. `hand_over` is who the problem is handed over to by one click; "" when it is, or when there is no problem."""

    school: str
    name: str
    town: str
    what: str
    since: str
    unit: str
    contact: str
    phone: str
    dial: str
    """The digits of the first number of `phone`."""
    number: int | None
    others: int
    hand_over: str


def calls(
    schools: Iterable[School], agents: dict[str, Agent], problems: Iterable[Problem], today: date, reader: Reader
) -> list[Call]:
    """Silent gateways first, then faults of a whole school or its uplink, then what is open most and longest. One a school. Pure.

    What somebody claims to have mended waits for measurements, not for a call.
    """
    by_school: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.is_open and problem.state != "claimed_fixed":
            by_school.setdefault(problem.school, []).append(problem)
    ranked: list[tuple[tuple[int, int, int, str], Call]] = []
    for school in schools:
        agent, of_school = agents.get(school.id), by_school.get(school.id, [])
        last = agent.last_report_at if agent is not None else None
        if last is not None and reader.now - last > SILENT_AFTER:
            since = last.date()
            ranked.append(((0, -(today - since).days, 0, school.id), Call(school, since, None, len(of_school))))
        elif of_school:
            worst = min(of_school, key=lambda each: (_weight(each, today), each.target, each.subject))
            rank, rooms, days = _weight(worst, today)
            weight = (rank, min(rooms, -len(of_school)), days, school.id)
            ranked.append((weight, Call(school, worst.opened_on, worst, len(of_school) - 1)))
    return [call for _, call in sorted(ranked, key=lambda pair: pair[0])]


def _weight(problem: Problem, today: date) -> tuple[int, int, int]:
    """Smaller is worse: a whole school before one room, more rooms before fewer, older before newer."""
    whole = not problem.subject or problem.subject == "uplink"
    return (1 if whole else 2, -len(problem.covers), -(today - problem.opened_on).days)


def card(call: Call, row: InventorySchool | None, reader: Reader) -> TodayCard:
    problem = call.problem
    if problem is None:
        what, unit = reader.text(GATEWAY_SILENT), _unit("school", row, reader)
    else:
        target, cause = reader.text(TARGET_WORDS[problem.target]), reader.text(CAUSE_WORDS[problem.diagnosis])
        rooms = reader.words("covers_rooms", count=len(problem.covers)) if problem.covers else ""
        what = reader.words("colon").join(part for part in (target, cause) if part) + rooms
        unit = problem.responsible or _unit(problem.unit or EXPLANATIONS[problem.diagnosis].unit, row, reader)
    return TodayCard(
        call.school.id,
        call.school.name,
        call.school.town_name,
        what,
        reader.words("since_day", day=call.since, days=(reader.now.date() - call.since).days),
        unit,
        row.contact if row is not None else "",
        row.phone if row is not None else "",
        _first_number(row.phone) if row is not None else "",
        problem.id if problem is not None else None,
        call.others,
        unit if problem is not None and not problem.responsible else "",
    )


def _first_number(phone: str) -> str:
    """Digits with what stands between the parts of one number."""
    first = re.match(
        r"[^0-9]*[0-9](?:[0-9 ()-]|\N{FULLWIDTH LEFT PARENTHESIS}|\N{FULLWIDTH RIGHT PARENTHESIS})*", phone
    )
    return re.sub(r"[^0-9]", "", first[0]) if first else ""


def _unit(unit: str, row: InventorySchool | None, reader: Reader) -> str:
    """The unit by its name where the inventory has it, else what kind of unit it is."""
    named = {"school": row.name, "carrier": row.carrier, "integrator": row.unit} if row is not None else {}
    return named.get(unit) or reader.text(UNIT_WORDS[unit])


def today_cards(
    service: Service, schools: Sequence[School], agents: dict[str, Agent], reader: Reader
) -> tuple[list[TodayCard], int]:
    """The first cards, and how many schools there are to call in all. Raises StoreUnavailable."""
    problems = service.store.ledger.problems(open_only=True)
    found = calls(schools, agents, problems, service.today(), reader)
    return [card(call, service.inventory.school(call.school.id), reader) for call in found[:CARDS]], len(found)
