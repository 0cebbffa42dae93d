"""What the reading routes answer about verdicts and results, made from the store's and the judge's records.

Fields may be added; one that is renamed, lost or of another type breaks the OpenAPI document. Times are written with an offset, "+00:00":
Python before 3.11 reads no "Z".
"""

from typing import Annotated, Any, Literal

import msgspec
from msgspec import UNSET, UnsetType

from campus_base.messages import Message
from campus_collector.domain.schools import School
from campus_collector.http.school_view import SchoolView, SubjectView
from campus_collector.http.service import Service
from campus_collector.judge.causes import Cause
from campus_collector.judge.derivation import deciding_words
from campus_collector.judge.evidence import MonthEvidence
from campus_collector.judge.explanations import CAUSE_WORDS, EXPLANATIONS
from campus_collector.judge.month import Month
from campus_collector.judge.service import DataStatus
from campus_collector.judge.tally import areas_in
from campus_collector.judge.verdict import AreaCounts, AreaVerdict, SubjectVerdict
from campus_collector.ledger.named_cause import with_named_causes
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of
from campus_wire.encapsulation import AddressFamily
from campus_wire.failures import Failure, SkipReason, Validity
from campus_wire.records import (
    AnyResult,
    DirectionRecord,
    Outcome,
    ServiceResult,
    ThroughputRecord,
    ThroughputResult,
    kind_of,
    outcome_of,
)

Timestamp = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]


class Words(msgspec.Struct, frozen=True):
    """A sentence in both languages."""

    en: str
    zh: str


def words_of(text: Message) -> Words:
    return Words(text.en, text.zh)


class AreaAnswer(AreaCounts, frozen=True):
    """One target in one town; town "" is the county."""

    compliance_ratio: float | None


class CauseAnswer(msgspec.Struct, frozen=True):
    """A likely cause, with who has to act."""

    cause: str
    weight: float
    evidence: Words
    advice: Words
    unit: str


class SubjectAnswer(MonthEvidence, frozen=True):
    """One subject's verdict of a month."""

    target: str
    town: str
    school: str
    subject: str
    verdict: Verdict
    passing_share_interval: tuple[float, float] | None
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


class MonthAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """How current the figures of a month are; `complete` false: some schools' results are not judged yet."""

    month: str
    as_of: Timestamp | None
    complete: bool
    waiting_schools: int


class ComplianceAnswer(MonthAnswer, frozen=True, kw_only=True):
    """GET /v1/compliance, and what `judge --json` prints."""

    policy_version: str
    tolerance_ratio: float
    targets: list[AreaAnswer]
    subjects: list[SubjectAnswer]


class ListedSchool(msgspec.Struct, frozen=True):
    """A school with its counts of verdicts by target."""

    school: str
    name: str
    town: str
    town_name: str
    verdicts: dict[str, dict[Verdict, int]]


class SchoolsAnswer(MonthAnswer, frozen=True, kw_only=True):
    """GET /v1/schools."""

    schools: list[ListedSchool]


class DirectionAnswer(msgspec.Struct, frozen=True):
    """What was measured in one direction. `lower_bound`: the test ended as soon as this much was proved."""

    line_rate_bits_per_second: int
    goodput_bits_per_second: int
    lower_bound: bool


class ResultAnswer(msgspec.Struct, frozen=True):
    """One result in short; throughput tests have `verdict` of that test alone, and with a record `down` and `up`; services the last four."""

    id: str
    kind: str
    started_at: Timestamp
    outcome: Outcome
    validity: Validity
    detail: str
    failure: Failure | None
    skipped: SkipReason | None
    verdict: Verdict | UnsetType = UNSET
    down: DirectionAnswer | UnsetType | None = UNSET
    up: DirectionAnswer | UnsetType | None = UNSET
    success: bool | UnsetType = UNSET
    first_byte_seconds: float | UnsetType | None = UNSET
    http_status: int | UnsetType | None = UNSET
    address_family: AddressFamily | UnsetType | None = UNSET


class SchoolSubject(msgspec.Struct, frozen=True):
    """A subject of a school with its latest results and the month's verdict."""

    subject: str
    kind: str
    name: str
    required_bits_per_second: float | None
    latest: ResultAnswer | None
    latest_valid: ResultAnswer | None
    month: SubjectAnswer | None


class SchoolAnswer(MonthAnswer, frozen=True, kw_only=True):
    """GET /v1/schools/ID."""

    school: str
    name: str
    town: str
    town_name: str
    subjects: list[SchoolSubject]


class RawResultsAnswer(msgspec.Struct, frozen=True):
    """GET /v1/results: results as they came, which may have fields that this version does not have."""

    results: list[dict[str, Any]]


class StatusAnswer(msgspec.Struct, frozen=True):
    """GET /healthz and /readyz."""

    status: Literal["ok", "ready"]


def _month_fields(month: Month, status: DataStatus) -> dict[str, Any]:
    as_of = status.as_of.isoformat() if status.as_of else None
    return {"month": str(month), "as_of": as_of, "complete": status.complete, "waiting_schools": status.waiting_schools}


def area_answer(area: AreaVerdict) -> AreaAnswer:
    """A line of `targets` in the answer."""
    return AreaAnswer(**msgspec.structs.asdict(area), compliance_ratio=area.compliance_ratio)


def subject_answer(verdict: SubjectVerdict) -> SubjectAnswer:
    evidence, rule = verdict.evidence, verdict.rule
    return SubjectAnswer(
        **msgspec.structs.asdict(evidence),
        target=verdict.target,
        town=verdict.town,
        school=verdict.school,
        subject=verdict.subject,
        verdict=verdict.verdict,
        passing_share_interval=evidence.interval,
        passing_share_required=rule.passing_share if rule else None,
        failing_median_value=verdict.failing_median,
        decided_by=words_of(deciding_words(evidence.passing_results, evidence.valid_results, rule)),
        unit=verdict.unit,
        problem=verdict.problem,
        exempt_reason=verdict.exempt_reason,
        diagnosis=verdict.diagnosis,
        causes=[cause_answer(cause) for cause in verdict.causes],
        diagnosis_text=words_of(CAUSE_WORDS[verdict.diagnosis]),
        policy_version=verdict.policy_version,
    )


def cause_answer(cause: Cause) -> CauseAnswer:
    explained = EXPLANATIONS[cause.code]
    return CauseAnswer(cause.code, cause.weight, words_of(cause.evidence), words_of(explained.advice), explained.unit)


def compliance_answer(
    service: Service, month: Month, target: str | None = None, town: str | None = None
) -> ComplianceAnswer:
    """A month, of one target or town, or with None of all; town "" is the county."""
    status, verdicts = service.verdicts.catch_up_for_reader(), service.verdicts
    judged = with_named_causes(service.store, verdicts, month, verdicts.subjects(month))
    return ComplianceAnswer(
        **_month_fields(month, status),
        policy_version=verdicts.policy.version,
        tolerance_ratio=verdicts.policy.tolerance_ratio,
        targets=[
            area_answer(area)
            for area in areas_in(verdicts.by_school(month).values())
            if target in (None, area.target) and town in (None, area.town)
        ],
        subjects=[
            subject_answer(verdict)
            for verdict in judged
            if target in (None, verdict.target) and town in (None, "", verdict.town)
        ],
    )


def schools_answer(service: Service, schools: list[School], month: Month, status: DataStatus) -> SchoolsAnswer:
    """These schools with their counts of the month."""
    by_school = service.verdicts.by_school(month)
    listed = []
    for school in schools:
        by_target: dict[str, dict[Verdict, int]] = {}
        if school.id in by_school:
            by_target = by_school[school.id].tally.counts
        listed.append(ListedSchool(school.id, school.name, school.town, school.town_name, by_target))
    return SchoolsAnswer(**_month_fields(month, status), schools=listed)


def school_answer(view: SchoolView, month: Month, status: DataStatus) -> SchoolAnswer:
    school = view.school
    return SchoolAnswer(
        **_month_fields(month, status),
        school=school.id,
        name=school.name,
        town=school.town,
        town_name=school.town_name,
        subjects=[_school_subject(subject, view.tolerance_ratio) for subject in view.subjects],
    )


def _school_subject(view: SubjectView, tolerance_ratio: float) -> SchoolSubject:
    newest, required = view.newest, view.required_bits_per_second
    return SchoolSubject(
        view.subject.id,
        view.subject.kind,
        view.subject.name,
        required,
        result_answer(newest.any, required, tolerance_ratio) if newest else None,
        result_answer(newest.ok, required, tolerance_ratio) if newest and newest.ok else None,
        subject_answer(view.verdict) if view.verdict else None,
    )


def result_answer(result: AnyResult, required_bits_per_second: float | None, tolerance_ratio: float) -> ResultAnswer:
    answer = ResultAnswer(
        result.id,
        kind_of(result),
        result.started_at.isoformat(),
        outcome_of(result),
        result.validity,
        result.detail,
        result.failure,
        result.skipped,
    )
    if isinstance(result, ThroughputResult):
        answer = msgspec.structs.replace(answer, verdict=verdict_of(result, required_bits_per_second, tolerance_ratio))
        if result.record is not None:
            down, up = (_direction(result.record, direction) for direction in (result.record.down, result.record.up))
            answer = msgspec.structs.replace(answer, down=down, up=up)
    elif isinstance(result, ServiceResult) and result.record is not None:
        answer = msgspec.structs.replace(
            answer,
            success=result.record.success,
            first_byte_seconds=result.record.first_byte_seconds,
            http_status=result.record.http_status,
            address_family=result.record.address_family,
        )
    return answer


def _direction(record: ThroughputRecord, direction: DirectionRecord | None) -> DirectionAnswer | None:
    if direction is None:
        return None
    rate = line_rate_of(direction, record.encapsulation)
    return DirectionAnswer(round(rate), round(direction.goodput_bits_per_second), direction.lower_bound)
