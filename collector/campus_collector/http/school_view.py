"""A school as its page and the API show it: subjects, newest results, verdicts of a month, read once. Neither words nor JSON."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from campus_collector.domain.agents import Agent
from campus_collector.domain.results import Latest
from campus_collector.domain.schools import School, Subject
from campus_collector.http.service import Service
from campus_collector.judge.month import Month
from campus_collector.judge.policy import required_rate
from campus_collector.judge.rules import TARGET_OF
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.ledger.named_cause import statuses_in, with_named_causes
from campus_collector.ledger.status import ProblemStatus
from campus_wire.access import access_passes
from campus_wire.bandwidth import Verdict, verdict_of
from campus_wire.records import AnyResult, ServiceResult, ThroughputResult


@dataclass(frozen=True, slots=True)
class SubjectView:
    """A subject with its newest results by kind. `verdict` None: it became known after the verdicts were put together."""

    subject: Subject
    verdict: SubjectVerdict | None
    required_bits_per_second: float | None
    latest: Mapping[str, Latest]

    @property
    def newest(self) -> Latest | None:
        """The results that decide: requests to a service, else throughput tests."""
        return self.latest.get("service" if self.subject.kind == "service" else "throughput")


@dataclass(frozen=True, slots=True)
class SchoolView:
    """A school. `verdicts` name the ledger's causes, and are also of the school as a whole; `latest` are the newest results of all it has."""

    school: School
    subjects: list[SubjectView]
    verdicts: list[SubjectVerdict]
    standings: list[ProblemStatus]
    latest: list[Latest]
    tolerance_ratio: float


def find_school(service: Service, school_id: str, town: str | None = None) -> School | None:
    """None for an unknown school, and for one that is not in this town (None: any)."""
    return next((school for school in schools_in(service, town) if school.id == school_id), None)


def schools_in(service: Service, town: str | None = None) -> list[School]:
    """The schools of a town (None: of all)."""
    return [school for school in service.store.schools.all() if town is None or town == school.town]


def school_view(service: Service, school: School, month: Month) -> SchoolView:
    """All of a school, with the verdicts of a month. Raises StoreUnavailable."""
    store = service.store
    judged = service.verdicts.subjects(month, school.id)
    standings = statuses_in(store, service.verdicts, month, school.id)
    verdicts = with_named_causes(store, service.verdicts, month, judged, standings)
    by_subject = {(verdict.target, verdict.subject): verdict for verdict in verdicts}
    latest = store.results.latest(school.id)
    by_kind: dict[str, dict[str, Latest]] = {}
    for results in latest:
        by_kind.setdefault(results.subject, {})[results.kind] = results
    subjects = []
    for subject in store.subjects.all(school.id):
        verdict = by_subject.get((TARGET_OF[subject.kind], subject.id))
        required = required_rate(subject, verdict.rule if verdict else None)
        subjects.append(SubjectView(subject, verdict, required, by_kind.get(subject.id, {})))
    return SchoolView(school, subjects, verdicts, standings, latest, service.verdicts.policy.tolerance_ratio)


def agents_by_school(agents: Iterable[Agent]) -> dict[str, Agent]:
    """The agent of each school that reported last."""
    newest: dict[str, Agent] = {}
    oldest = datetime.min.replace(tzinfo=UTC)
    for agent in agents:
        previous = newest.get(agent.school)
        if previous is None or (agent.last_report_at or oldest) > (previous.last_report_at or oldest):
            newest[agent.school] = agent
    return newest


def verdict_of_result(
    result: AnyResult | None, required_bits_per_second: float | None, tolerance_ratio: float
) -> Verdict:
    """The verdict of one result alone."""
    if isinstance(result, ThroughputResult):
        return verdict_of(result, required_bits_per_second, tolerance_ratio)
    passes = access_passes(result) if isinstance(result, ServiceResult) else None
    return verdict_of_pass(passes)


def verdict_of_pass(passes: bool | None) -> Verdict:
    """The verdict of one result: None is insufficient data."""
    return Verdict.INSUFFICIENT if passes is None else Verdict.MET if passes else Verdict.NOT_MET
