"""The JSON that the reading routes answer, from store and verdicts. Pure but for the readers it is given."""

from datetime import date
from typing import Any

import msgspec

from campus_base.language import Language
from campus_collector.domain.problem import WHAT_WORDS, Event, Problem
from campus_collector.http.service import Service
from campus_collector.judge.causes import Cause
from campus_collector.judge.derivation import Derivation, conclusion, deciding_words, rule_words
from campus_collector.judge.explanations import EXPLANATIONS, WORDS
from campus_collector.judge.judging import required_of
from campus_collector.judge.month import Month
from campus_collector.judge.service import TARGET_OF, DataStatus
from campus_collector.judge.verdict import AreaVerdict, SubjectVerdict
from campus_collector.ledger.named_causes import with_one_cause_in
from campus_collector.ledger.table import Names, problem_words
from campus_wire.bandwidth import line_rate_of, verdict_of
from campus_wire.records import AnyResult, ServiceResult, ThroughputResult, kind_of, outcome_of

LANGUAGES: tuple[Language, ...] = ("en", "zh")


def area_json(area: AreaVerdict) -> dict[str, Any]:
    """One line of `judge --json`'s targets (design section 10)."""
    return {**msgspec.structs.asdict(area), "compliance_ratio": area.compliance_ratio}


def subject_json(one: SubjectVerdict) -> dict[str, Any]:
    """One line of `judge --json`'s subjects."""
    evidence = one.evidence
    decided = deciding_words(evidence.passing_results, evidence.valid_results, one.rule)
    return {
        "target": one.target,
        "town": one.town,
        "school": one.school,
        "subject": one.subject,
        "verdict": str(one.verdict),
        **msgspec.structs.asdict(evidence),
        "passing_share_interval": list(evidence.interval) if evidence.interval else None,
        "exempt_reason": one.exempt_reason,
        "passing_share_required": one.rule.passing_share if one.rule else None,
        "failing_median_value": one.failing_median,
        "decided_by": {"en": decided.en, "zh": decided.zh},
        "diagnosis": one.diagnosis,
        "unit": one.unit,
        "problem": one.problem,
        "causes": [cause_json(cause) for cause in one.causes],
        "diagnosis_text": {"en": WORDS[one.diagnosis].en, "zh": WORDS[one.diagnosis].zh},
        "policy_version": one.policy_version,
    }


def cause_json(cause: Cause) -> dict[str, Any]:
    """One likely cause, with who has to act."""
    told = EXPLANATIONS[cause.code]
    return {
        "cause": cause.code,
        "weight": cause.weight,
        "evidence": {"en": cause.evidence.en, "zh": cause.evidence.zh},
        "advice": {"en": told.advice.en, "zh": told.advice.zh},
        "unit": told.unit,
    }


def derivation_json(found: Derivation) -> dict[str, Any]:
    """What `explain --json` prints."""
    rule = found.rule
    words = rule_words(rule, found.about.required_bits_per_second, found.tolerance_ratio)
    return {
        "target": found.about.target,
        "school": found.about.school,
        "subject": found.about.subject,
        "month": str(found.month),
        "required_bits_per_second": found.about.required_bits_per_second,
        "tolerance_ratio": found.tolerance_ratio,
        "rule": msgspec.to_builtins(rule) if rule else None,
        "rule_text": {"en": words.en, "zh": words.zh},
        "results": [
            {
                "id": one.id,
                "started_at": one.at.isoformat(),
                "figures": one.figures.en,
                "passes": one.passes,
                "why": {"en": one.why.en, "zh": one.why.zh},
                "doubt": {"en": one.doubt.en, "zh": one.doubt.zh} if one.doubt else None,
            }
            for one in found.lines
        ],
        "days": [
            {
                "day": one.day.isoformat(),
                "valid_results": one.evidence.valid,
                "passing_results": one.evidence.passing,
                "values": one.evidence.values,
                "exempt": one.exempt,
            }
            for one in found.days
        ],
        "conclusion": [{"en": one.en, "zh": one.zh} for one in conclusion(found.verdict)],
        "verdict": subject_json(found.verdict),
    }


def problem_json(one: Problem, names: Names, today: date) -> dict[str, Any]:
    """One problem of the ledger, with words in both languages."""
    said: dict[str, Any] = msgspec.to_builtins(one)
    told = EXPLANATIONS[one.diagnosis]
    defaults = msgspec.structs.asdict(one)
    return (
        {key: defaults[key].isoformat() if isinstance(defaults[key], date) else defaults[key] for key in defaults}
        | said
        | {
            "school_name": names.schools.get(one.school, one.school),
            "town_name": names.towns.get(one.town, one.town),
            "text": {language: problem_words(one, names, language) for language in LANGUAGES},
            "advice": {"en": told.advice.en, "zh": told.advice.zh},
            "overdue": one.overdue_on(today),
            "age_days": (today - one.opened_on).days,
        }
    )


def event_json(one: Event) -> dict[str, Any]:
    """One line of a problem's history."""
    words = WHAT_WORDS[one.what]
    return {
        "at": one.at.isoformat(),
        "who": one.who,
        "what": one.what,
        "words": {"en": words.en, "zh": words.zh},
        "text": one.text,
        "values": one.values,
    }


def status_json(status: DataStatus) -> dict[str, Any]:
    """How current figures are; `complete` false: they are still being worked out."""
    return {
        "as_of": status.as_of.isoformat() if status.as_of else None,
        "complete": status.complete,
        "waiting_schools": status.waiting_schools,
    }


def compliance_json(
    service: Service, month: Month, target: str | None = None, town: str | None = None
) -> dict[str, Any]:
    """A month, narrowed to a target or town; town "" is the county."""
    status = service.verdicts.look()
    judged = with_one_cause_in(service.store, service.verdicts, month, service.verdicts.subjects(month))
    subjects = [one for one in judged if target in (None, one.target) and town in (None, "", one.town)]
    areas = [one for one in service.verdicts.areas(month) if target in (None, one.target) and town in (None, one.town)]
    return {
        "month": str(month),
        "policy_version": service.verdicts.policy.version,
        "tolerance_ratio": service.verdicts.policy.tolerance_ratio,
        **status_json(status),
        "targets": [area_json(one) for one in areas],
        "subjects": [subject_json(one) for one in subjects],
    }


def schools_json(service: Service, month: Month) -> list[dict[str, Any]]:
    """Every school with its counts of the month."""
    verdicts = service.verdicts.subjects(month)
    listed = []
    for school in service.store.schools():
        own = [one for one in verdicts if one.school == school.id]
        counts: dict[str, dict[str, int]] = {}
        for one in own:
            by_target = counts.setdefault(one.target, {})
            by_target[str(one.verdict)] = by_target.get(str(one.verdict), 0) + 1
        listed.append(
            {
                "school": school.id,
                "name": school.name,
                "town": school.town,
                "town_name": school.town_name,
                "verdicts": counts,
            }
        )
    return listed


def school_json(service: Service, school_id: str, month: Month) -> dict[str, Any] | None:
    """One school: its subjects with the latest measurement and the month's verdict. None for an unknown school."""
    school = next((one for one in service.store.schools() if one.id == school_id), None)
    if school is None:
        return None
    status = service.verdicts.look()
    judged = with_one_cause_in(
        service.store, service.verdicts, month, service.verdicts.subjects(month, school_id), school=school_id
    )
    verdicts = {(one.target, one.subject): one for one in judged}
    latest = {(one.subject, one.kind): one for one in service.store.latest(school_id)}
    tolerance = service.verdicts.policy.tolerance_ratio
    subjects = []
    for subject in service.store.subjects(school_id):
        kind = "service" if subject.kind == "service" else "throughput"
        newest = latest.get((subject.id, kind))
        verdict = verdicts.get((TARGET_OF[subject.kind], subject.id))
        required = required_of(subject, verdict.rule if verdict else None)
        subjects.append(
            {
                "subject": subject.id,
                "kind": subject.kind,
                "name": subject.name,
                "required_bits_per_second": required,
                "latest": result_json(newest.any, required, tolerance) if newest else None,
                "latest_valid": result_json(newest.ok, required, tolerance) if newest and newest.ok else None,
                "month": subject_json(verdict) if verdict else None,
            }
        )
    return {
        "school": school.id,
        "name": school.name,
        "town": school.town,
        "town_name": school.town_name,
        "month": str(month),
        **status_json(status),
        "subjects": subjects,
    }


def result_json(result: AnyResult, required_bits_per_second: float | None, tolerance_ratio: float) -> dict[str, Any]:
    """One result in short, with the verdict of it alone."""
    said: dict[str, Any] = {
        "id": result.id,
        "kind": kind_of(result),
        "started_at": result.started_at.isoformat(),
        "outcome": outcome_of(result),
        "validity": str(result.validity),
        "detail": result.detail,
        "failure": msgspec.to_builtins(result.failure) if result.failure else None,
        "skipped": str(result.skipped) if result.skipped else None,
    }
    if isinstance(result, ThroughputResult):
        said["verdict"] = str(verdict_of(result, required_bits_per_second, tolerance_ratio))
    if isinstance(result, ThroughputResult) and result.record is not None:
        record = result.record
        for name, direction in (("down", record.down), ("up", record.up)):
            said[name] = (
                {
                    "line_rate_bits_per_second": round(line_rate_of(direction, record.encapsulation)),
                    "goodput_bits_per_second": round(direction.goodput_bits_per_second),
                    "lower_bound": direction.lower_bound,
                }
                if direction
                else None
            )
    elif isinstance(result, ServiceResult) and result.record is not None:
        said["success"] = result.record.success
        said["first_byte_seconds"] = result.record.first_byte_seconds
        said["http_status"] = result.record.http_status
        said["address_family"] = result.record.address_family
    return said
