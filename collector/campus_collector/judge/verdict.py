"""The verdict of a subject's month with all it rests on, and what an area has achieved. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from statistics import median

import msgspec

from campus_collector.judge.agreement import NOT_COMPARED, Agreement, total
from campus_collector.judge.causes import Case, Cause, causes_of
from campus_collector.judge.day import DayEvidence, enough
from campus_collector.judge.evidence import MonthEvidence, evidence_of, symptoms_in
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.judge.lesson_minutes import BROKEN, LessonCount
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Lessons, Policy, Target
from campus_wire.bandwidth import Verdict
from campus_wire.records import Segment

UNMET = (Verdict.NOT_MET, Verdict.INSUFFICIENT)
"""No data is never compliance."""


@dataclass(frozen=True, slots=True)
class JudgedSubject:
    """Which subject a verdict is of; `required_bits_per_second` is what it is judged by, `exempt_reason` the inventory's."""

    target: str
    town: str
    school: str
    subject: str
    required_bits_per_second: float | None = None
    exempt_reason: str = ""
    lessons: Lessons = ()
    """The lessons of its school's timetable, where a target is judged by them."""


@dataclass(frozen=True, slots=True)
class WorstLesson:
    """On which day it was, and its minutes."""

    day: date
    lesson: LessonCount


@dataclass(frozen=True, slots=True)
class SubjectVerdict:
    target: str
    town: str
    school: str
    subject: str
    verdict: Verdict
    evidence: MonthEvidence
    rule: Target | None
    policy_version: str
    causes: tuple[Cause, ...] = ()
    agreement: Agreement = NOT_COMPARED
    exempt_reason: str = ""
    exempt_days: int = 0
    failing_median: float | None = field(default=None)
    """The median of what fell short: what classrooms of a school are compared by."""
    not_judged: Mapping[str, int] = field(default_factory=dict)
    """Why results could not be judged, counted: `invalid:...`, `failed:...`, `skipped:...`."""
    responsible: str = ""
    """Who has to act by the ledger, where somebody assigned it."""
    worst_lesson: WorstLesson | None = None
    """The lesson with most bad minutes; None where no minute was bad."""
    broken_limits: Mapping[str, int] = field(default_factory=dict)
    """How many minutes of lessons broke each limit (`BROKEN`); a minute may break several."""
    problem: int | None = None
    """The number of the ledger's open problem that names the leading cause."""

    @property
    def diagnosis(self) -> str:
        """The likeliest cause's code (see `explanations`); "" when there is nothing to explain."""
        return self.causes[0].code if self.causes else ""

    @property
    def unit(self) -> str:
        """Who has to act: the ledger's word, else whom the leading cause points to."""
        return self.responsible or EXPLANATIONS[self.diagnosis].unit


class AreaCounts(msgspec.Struct, frozen=True):
    """Subjects by verdict, of a target in a town or in the county (town ""), as the API gives them."""

    target: str
    town: str
    met: int
    not_met: int
    insufficient: int
    exempt: int


class AreaVerdict(AreaCounts, frozen=True):
    @property
    def has_data(self) -> bool:
        """Does any subject have enough results for a verdict?"""
        return self.met + self.not_met > 0

    @property
    def compliance_ratio(self) -> float | None:
        """met / (all - exempt); None when nothing is to be judged."""
        judged = self.met + self.not_met + self.insufficient
        return self.met / judged if judged else None

    @property
    def coverage_ratio(self) -> float | None:
        """Subjects with enough valid results for a verdict / (all - exempt); None when nothing is to be judged."""
        judged = self.met + self.not_met + self.insufficient
        return (self.met + self.not_met) / judged if judged else None


def verdict_from(evidence: MonthEvidence, rule: Target | None) -> Verdict:
    """By the rule of the policy; below its minimum `insufficient`, which counts as not met in the official rate and is shown apart.

    Without a rule in force nothing can be met.
    """
    if rule is None or evidence.valid_results == 0:
        return Verdict.INSUFFICIENT
    if evidence.valid_results < rule.min_valid_results or evidence.days < rule.min_days:
        return Verdict.INSUFFICIENT
    reached = enough(evidence.passing_results, evidence.valid_results, rule.passing_share)
    return Verdict.MET if reached else Verdict.NOT_MET


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict of a month with what decided it: the counted days, and the reason why others, or all, are exempt."""

    verdict: Verdict
    rule: Target | None
    counted: dict[date, DayEvidence]
    evidence: MonthEvidence
    exempt_reason: str
    exempt_days: int


def decide(about: JudgedSubject, days: Mapping[date, DayEvidence], month: Month, policy: Policy) -> Decision:
    """From the evidence of its days. Exempt days are left out; too few others left: exempt."""
    rule = policy.in_force(about.target, month.first_day)
    free, reason = exempt_days(policy, about.target, about.school, about.subject, month)
    counted = {day: evidence for day, evidence in sorted(days.items()) if day not in free}
    evidence = evidence_of(counted.values())
    verdict = verdict_from(evidence, rule)
    left = month.days - len(free)
    if about.exempt_reason or (free and left < (rule.min_days if rule else 1)):
        verdict, reason = Verdict.EXEMPT, about.exempt_reason or reason
    given = reason if free or verdict is Verdict.EXEMPT else ""
    return Decision(verdict, rule, counted, evidence, given, len(free))


def judge_month(about: JudgedSubject, days: Mapping[date, DayEvidence], month: Month, policy: Policy) -> SubjectVerdict:
    """The decision of a month, and what explains it."""
    decision = decide(about, days, month, policy)
    counted, verdict = list(decision.counted.values()), decision.verdict
    failing = sorted(value for day in counted for value in day.failing_values)
    symptoms = symptoms_in(counted)
    case = Case(verdict, decision.rule, about.required_bits_per_second, decision.evidence, symptoms, failing)
    return SubjectVerdict(
        target=about.target,
        town=about.town,
        school=about.school,
        subject=about.subject,
        verdict=verdict,
        evidence=decision.evidence,
        rule=decision.rule,
        policy_version=policy.version,
        causes=causes_of(case),
        agreement=total(
            Agreement(day.compared, day.agreeing, tuple(day.rate_ratios)) for day in counted if day.compared
        ),
        exempt_reason=decision.exempt_reason,
        exempt_days=decision.exempt_days,
        failing_median=median(failing) if failing else None,
        broken_limits={name: count for name in BROKEN if (count := symptoms[f"minute:{name}"])},
        worst_lesson=worst_lesson({day: evidence.lessons for day, evidence in decision.counted.items()}),
        not_judged={symptom: number for symptom, number in symptoms.items() if symptom.startswith(NOT_JUDGED)},
    )


def worst_lesson(days: Mapping[date, Sequence[LessonCount]]) -> WorstLesson | None:
    """The lesson with most bad minutes, the latest of several; None when every observed minute was good."""
    lessons = [(lesson.bad, day, lesson) for day, of_day in days.items() for lesson in of_day if lesson.bad]
    if not lessons:
        return None
    _, day, lesson = max(lessons, key=lambda entry: (entry[0], entry[1], entry[2].start))
    return WorstLesson(day, lesson)


NOT_JUDGED = ("invalid:", "failed:", "skipped:")
Tally = Counter[tuple[str, str, Verdict]]
"""How many subjects have a verdict, by (target, town, verdict); those of several schools can be added up."""


def areas_of(tally: Tally) -> list[AreaVerdict]:
    """Every target in the county and in each town, in a stable order."""
    counts: dict[tuple[str, str], Counter[Verdict]] = {}
    for (target, of_town, verdict), number in tally.items():
        for town in {"", of_town} if number else ():
            counts.setdefault((target, town), Counter())[verdict] += number
    return [
        AreaVerdict(
            target,
            town,
            met=count[Verdict.MET],
            not_met=count[Verdict.NOT_MET],
            insufficient=count[Verdict.INSUFFICIENT],
            exempt=count[Verdict.EXEMPT],
        )
        for (target, town), count in sorted(counts.items())
    ]


SEGMENT_OF: Mapping[str, Segment] = {"classroom_bandwidth": "classroom", "uplink_bandwidth": "uplink"}
"""Where quick tests are compared with references, by target."""


def agreement_by_segment(verdicts: Iterable[SubjectVerdict]) -> dict[Segment, Agreement]:
    """Quick tests against references in some verdicts."""
    parts: dict[Segment, list[Agreement]] = {segment: [] for segment in SEGMENT_OF.values()}
    for verdict in verdicts:
        if verdict.target in SEGMENT_OF:
            parts[SEGMENT_OF[verdict.target]].append(verdict.agreement)
    return {segment: total(agreements) for segment, agreements in parts.items()}
