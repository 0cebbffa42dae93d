"""The shape of what the reading routes answer, for the OpenAPI document: a field that is renamed, lost or of another type breaks it.

Fields may be added: a reader of JSON takes no offence at more.
"""

from datetime import date
from typing import Any, Literal

import msgspec

from campus_collector.domain.problem import State
from campus_collector.judge.evidence import Evidence
from campus_collector.judge.verdict import AreaCounts
from campus_wire.records import Moment

VerdictName = Literal["met", "not_met", "insufficient", "exempt"]


class Words(msgspec.Struct):
    """A sentence in both languages."""

    en: str
    zh: str


class AreaAnswer(AreaCounts, frozen=True):
    """One target in one town; town "" is the county."""

    compliance_ratio: float | None


class CauseAnswer(msgspec.Struct):
    """A likely cause, with who has to act."""

    cause: str
    weight: float
    evidence: Words
    advice: Words
    unit: str


class SubjectAnswer(Evidence, frozen=True):
    """One subject's verdict of a month."""

    target: str
    town: str
    school: str
    subject: str
    verdict: VerdictName
    passing_share_interval: list[float] | None
    passing_share_required: float | None
    failing_median_value: float | None
    decided_by: Words
    unit: str
    problem: int | None
    exempt_reason: str
    diagnosis: str
    causes: list[CauseAnswer]
    diagnosis_text: Words
    policy_version: str


class ComplianceAnswer(msgspec.Struct):
    """GET /v1/compliance."""

    as_of: Moment | None
    complete: bool
    waiting_schools: int
    month: str
    policy_version: str
    tolerance_ratio: float
    targets: list[AreaAnswer]
    subjects: list[SubjectAnswer]


class ListedSchool(msgspec.Struct):
    """A school with its counts of verdicts by target."""

    school: str
    name: str
    town: str
    town_name: str
    verdicts: dict[str, dict[VerdictName, int]]


class SchoolsAnswer(msgspec.Struct):
    """GET /v1/schools."""

    as_of: Moment | None
    complete: bool
    waiting_schools: int
    month: str
    schools: list[ListedSchool]


class ResultAnswer(msgspec.Struct):
    """One result in short; `down`, `up`, `success` and others by its kind."""

    id: str
    kind: str
    started_at: Moment
    outcome: Literal["ok", "failed", "invalid", "skipped"]
    validity: str
    detail: str
    failure: dict[str, Any] | None
    skipped: str | None


class SchoolSubject(msgspec.Struct):
    """A subject of a school with its latest results and the month's verdict."""

    subject: str
    kind: str
    name: str
    required_bits_per_second: float | None
    latest: ResultAnswer | None
    latest_valid: ResultAnswer | None
    month: SubjectAnswer | None


class SchoolAnswer(msgspec.Struct):
    """GET /v1/schools/ID."""

    as_of: Moment | None
    complete: bool
    waiting_schools: int
    school: str
    name: str
    town: str
    town_name: str
    month: str
    subjects: list[SchoolSubject]


class RawResultsAnswer(msgspec.Struct):
    """GET /v1/results: results as they came, with fields that this version may not know."""

    results: list[dict[str, Any]]


class EventAnswer(msgspec.Struct):
    """One line of a problem's history."""

    at: Moment
    who: str
    what: str
    words: Words
    text: str
    values: dict[str, str]


class ProblemAnswer(msgspec.Struct):
    """A problem of the ledger."""

    id: int
    school: str
    target: str
    subject: str
    town: str
    state: State
    severity: Literal["failing", "silent"]
    opened_on: date
    due_on: date
    closed_on: date | None
    diagnosis: str
    unit: str
    responsible: str
    measure: str
    failing_days: int
    passing_days: int
    covers: list[str]
    school_name: str
    town_name: str
    text: Words
    advice: Words
    overdue: bool
    age_days: int
    evidence_en: str
    evidence_zh: str
    reopened: int
    contradicted: int
    claimed_on: date | None
    last_failing_on: date | None
    version: int


class ProblemWithHistory(ProblemAnswer):
    """GET /v1/problems/ID."""

    history: list[EventAnswer]


class ProblemsAnswer(msgspec.Struct):
    """GET /v1/problems."""

    as_of: date | None
    complete: bool
    problems: list[ProblemAnswer]


class StatusAnswer(msgspec.Struct):
    """GET /healthz and /readyz."""

    status: Literal["ok", "ready"]


class ReleasedAnswer(msgspec.Struct):
    """POST /v1/slots/ID/release."""

    released: bool


ANSWERS = (
    ComplianceAnswer, SchoolsAnswer, SchoolAnswer, RawResultsAnswer, ProblemsAnswer, ProblemAnswer, ProblemWithHistory, StatusAnswer, ReleasedAnswer,
)  # fmt: skip
