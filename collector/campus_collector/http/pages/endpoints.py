"""What answers the tests of each classroom, and which classrooms never answer: from what gateways say and what the month's tests came to. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from campus_base.messages import Message, message, verbatim
from campus_collector.domain.agents import Agent
from campus_collector.domain.schools import School
from campus_collector.judge.tally import ShortVerdict, ShortVerdicts
from campus_wire.bandwidth import Verdict

CLASSROOMS = "classroom_bandwidth"
NONE, UNKNOWN = "none", "unknown"
KIND_WORDS: dict[str, Message] = {
    "campus": message("test program"),
    "iperf3": verbatim("iperf3"),
    "browser": message("browser page"),
    NONE: message("no endpoint"),
    UNKNOWN: message("endpoint not known"),
}
"""What answers there. `none`: the gateway tests no such classroom, mostly for want of an address; `unknown`: it is silent, or too old to say."""
ENDPOINT_AWAY = frozenset({"endpoint_off", "all_endpoints_off"})


@dataclass(frozen=True, slots=True)
class SchoolEndpoints:
    """A school's classrooms by kind of endpoint; of those that are judged: how many there are, have enough valid tests, never answered."""

    kinds: Mapping[str, int]
    judged: int
    covered: int
    asleep: int


NO_ENDPOINTS = SchoolEndpoints({}, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class ClassroomEndpoint:
    """A classroom with its kind of endpoint and how it came out this month."""

    school: School
    subject: str
    kind: str
    verdict: ShortVerdict

    @property
    def is_asleep(self) -> bool:
        return never_answers(self.verdict)


def kind_words(kind: str) -> Message:
    """A kind that is not known here is shown as the gateway calls it."""
    return KIND_WORDS.get(kind) or verbatim(kind)


def never_answers(verdict: ShortVerdict) -> bool:
    """Was it tested in vain all the month: no valid test, and what kept most of them was that nothing answered?

    Tests are made in school hours only; the clock of a classroom that is off at night says nothing.
    """
    return verdict.verdict is Verdict.INSUFFICIENT and not verdict.valid_results and verdict.cause in ENDPOINT_AWAY


def endpoints_by_school(agents: Iterable[Agent], short: Mapping[str, ShortVerdicts]) -> dict[str, SchoolEndpoints]:
    """Counted for each school that has classrooms."""
    kinds = _kinds_by_school(agents)
    return {school: _endpoints(verdicts.get(CLASSROOMS, {}), kinds.get(school)) for school, verdicts in short.items()}


def classroom_endpoints(
    schools: Sequence[School], agents: Iterable[Agent], short: Mapping[str, ShortVerdicts]
) -> Iterator[ClassroomEndpoint]:
    """Each classroom, by school and id."""
    kinds = _kinds_by_school(agents)
    for school in schools:
        of_school = kinds.get(school.id)
        for subject, verdict in sorted(short.get(school.id, {}).get(CLASSROOMS, {}).items()):
            yield ClassroomEndpoint(school, subject, _kind(subject, of_school), verdict)


def total_kinds(schools: Iterable[SchoolEndpoints]) -> list[tuple[str, Message, int]]:
    """Kind, words and classrooms of all schools together; the known kinds first, in their order."""
    total: Counter[str] = Counter()
    for school in schools:
        total.update(school.kinds)
    order = list(KIND_WORDS)
    kinds = sorted(total, key=lambda kind: (order.index(kind) if kind in order else -1, kind))
    return [(kind, kind_words(kind), total[kind]) for kind in kinds]


def _kinds_by_school(agents: Iterable[Agent]) -> dict[str, dict[str, str]]:
    """The kind of each classroom that a gateway says; schools whose gateways do not say are left out."""
    kinds: dict[str, dict[str, str]] = {}
    for agent in agents:
        if agent.state is not None and agent.state.endpoints is not None:
            of_school = kinds.setdefault(agent.school, {})
            of_school |= {room: kind for kind, rooms in agent.state.endpoints.items() for room in rooms}
    return kinds


def _kind(subject: str, kinds: Mapping[str, str] | None) -> str:
    return UNKNOWN if kinds is None else kinds.get(subject, NONE)


def _endpoints(verdicts: Mapping[str, ShortVerdict], kinds: Mapping[str, str] | None) -> SchoolEndpoints:
    counted = Counter(_kind(subject, kinds) for subject in verdicts)
    judged = [verdict for verdict in verdicts.values() if verdict.verdict is not Verdict.EXEMPT]
    covered = sum(verdict.verdict is not Verdict.INSUFFICIENT for verdict in judged)
    return SchoolEndpoints(counted, len(judged), covered, sum(map(never_answers, judged)))
