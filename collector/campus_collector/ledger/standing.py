"""How the ledger stood on the evening of a day, worked out from its trail, and the one cause that every list names for a problem. Pure.

What measurements did is of the day that was measured, however late somebody looked at it; what people did, of the day they did it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, tzinfo

from campus_base.language import Text
from campus_collector.domain.problem import MEASUREMENTS, Event, Problem
from campus_collector.judge.area import SharedCause
from campus_collector.judge.causes import Cause
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.transitions import due_date
from campus_wire.bandwidth import Verdict

OPENING = ("opened", "reopened")
ENDING = ("closed", "merged", "withdrawn")
UNMET = (Verdict.NOT_MET, Verdict.INSUFFICIENT)
Key = tuple[str, str, str]
"""Target, school, subject."""


@dataclass(frozen=True, slots=True)
class Standing:
    """A problem on the evening of a day: is it open, for which cause, who has to act (a unit's code, or the name somebody wrote), until when."""

    problem: Problem
    is_open: bool
    cause: str
    responsible: str
    due_on: date

    @property
    def unit(self) -> str:
        """Who has to act: as somebody assigned it, else whom the cause points to."""
        return self.responsible or EXPLANATIONS[self.cause].unit


@dataclass(frozen=True, slots=True)
class Balance:
    """A span of days: open before + opened - struck off - ended otherwise = open at its end."""

    before: int = 0
    opened: int = 0
    struck_off: int = 0
    ended_otherwise: int = 0

    @property
    def at_the_end(self) -> int:
        """What is left open."""
        return self.before + self.opened - self.struck_off - self.ended_otherwise

    def __add__(self, other: "Balance") -> "Balance":
        """Of several problems together."""
        return Balance(
            self.before + other.before,
            self.opened + other.opened,
            self.struck_off + other.struck_off,
            self.ended_otherwise + other.ended_otherwise,
        )


def day_of_event(event: Event, zone: tzinfo) -> date:
    """The local day an event belongs to: that of the measurements, or the one on which a person acted."""
    measured = event.values.get("day") if event.who == MEASUREMENTS else None
    return date.fromisoformat(measured) if measured else event.at.astimezone(zone).date()


def balance_of(events: Iterable[Event], first: date, last: date, zone: tzinfo) -> Balance:
    """What one problem's history adds to the balance of a span of days, both included."""
    counts = Balance()
    for event in events:
        day = day_of_event(event, zone)
        if day > last or event.what not in (*OPENING, *ENDING):
            continue
        begins = event.what in OPENING
        if day < first:
            counts = replace(counts, before=counts.before + (1 if begins else -1))
        elif begins:
            counts = replace(counts, opened=counts.opened + 1)
        elif event.what == "closed":
            counts = replace(counts, struck_off=counts.struck_off + 1)
        else:
            counts = replace(counts, ended_otherwise=counts.ended_otherwise + 1)
    return counts


def standing_on(problem: Problem, events: Sequence[Event], day: date, zone: tzinfo, due_days: int) -> Standing | None:
    """How a problem stood on the evening of a day; None when it had not been opened by then.

    The trail does not carry the due date of an opening: it is what the next change says was there before, or what is kept; where the problem
    was opened again later, it is what the rules gave it.
    """
    known = sorted(((day_of_event(one, zone), one) for one in events), key=lambda one: one[0])
    found: Standing | None = None
    for place, (when, event) in enumerate(known):
        if when > day:
            break
        if event.what in OPENING:
            by_rule = due_date(when, event.at.astimezone(zone).date(), due_days)
            due_on = _due_of_opening(problem, [later for _, later in known[place + 1 :]], by_rule)
            responsible = found.responsible if found is not None else ""
            found = Standing(problem, True, event.values.get("cause", "unknown"), responsible, due_on)
        elif found is None:
            continue
        elif event.what in ENDING:
            found = replace(found, is_open=False)
        elif event.what == "changed":
            found = replace(found, cause=event.values.get("cause", found.cause))
        elif event.what == "assigned":
            found = replace(found, responsible=event.values.get("responsible", found.responsible))
        elif event.what == "due_changed" and "due_on" in event.values:
            found = replace(found, due_on=date.fromisoformat(event.values["due_on"]))
    return found


def _due_of_opening(problem: Problem, later: Sequence[Event], by_rule: date) -> date:
    for event in later:
        if event.what == "due_changed" and "before" in event.values:
            return date.fromisoformat(event.values["before"])
        if event.what == "reopened":
            return by_rule
    return problem.due_on


def standing_now(problem: Problem) -> Standing:
    """How it stands as it is kept."""
    return Standing(problem, problem.is_open, problem.diagnosis, problem.responsible, problem.due_on)


def by_subject(standings: Iterable[Standing]) -> dict[Key, Standing]:
    """Which open problem speaks for a subject: its own, else the one of its whole school that covers it."""
    own: dict[Key, Standing] = {}
    whole: dict[Key, Standing] = {}
    for one in standings:
        if one.is_open and one.problem.subject:
            own[one.problem.target, one.problem.school, one.problem.subject] = one
        elif one.is_open:
            whole |= {(one.problem.target, one.problem.school, subject): one for subject in one.problem.covers}
    return whole | own


def with_one_cause(
    verdicts: Iterable[SubjectVerdict], standings: Mapping[Key, Standing], shared: Mapping[str, SharedCause]
) -> list[SubjectVerdict]:
    """The same verdicts, each with the cause that the ledger names for its problem, else the one its school's classrooms share, in front."""
    return [_with_cause(one, standings, shared) if one.verdict in UNMET else one for one in verdicts]


def _with_cause(
    one: SubjectVerdict, standings: Mapping[Key, Standing], shared: Mapping[str, SharedCause]
) -> SubjectVerdict:
    standing = standings.get((one.target, one.school, one.subject))
    if standing is not None:
        leading, responsible, number = _cause_of(standing), standing.responsible, standing.problem.id
    elif (
        (common := shared.get(one.school)) is not None
        and common.target == one.target
        and one.subject in common.subjects
    ):
        leading, responsible, number = common.cause, "", None
    else:
        return one
    others = tuple(cause for cause in one.causes if cause.code != leading.code)
    return replace(one, causes=(leading, *others), responsible=responsible, problem=number)


def _cause_of(standing: Standing) -> Cause:
    problem = standing.problem
    told = Text(f"ledger no. {problem.id}", f"台账编号 {problem.id}")
    if standing.cause == problem.diagnosis and problem.evidence_en:
        told = Text(f"{told.en}: {problem.evidence_en}", f"{told.zh}：{problem.evidence_zh}")
    return Cause(standing.cause, 1.0, told)
