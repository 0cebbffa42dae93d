"""What the page of one result shows: all that it says, how each target counts it, its bytes and their place in the chain."""

from dataclasses import dataclass
from hashlib import sha256

from campus_collector.domain.chain import Checkpoint
from campus_collector.domain.days import day_of
from campus_collector.domain.results import StoredResult
from campus_collector.domain.schools import School, Subject
from campus_collector.http.pages.present import PresentModel, RateRow
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.record_words import FactGroup, facts_of
from campus_collector.http.pages.subject import derived_result, pass_badge, why_words
from campus_collector.http.service import Service
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.rules import TARGETS_OF, rule_of
from campus_wire.records import AnyResult, InspectionResult, ThroughputRecord, ThroughputResult, kind_of


@dataclass(frozen=True, slots=True)
class CountedBy:
    """How one target counts a result; `path` leads to its month's verdict."""

    name: str
    path: str
    badge: Badge
    figures: str
    why: str


@dataclass(frozen=True, slots=True)
class ResultPage:
    """What the page of one result shows. `checkpoint` None: its place is not in the chain, or not reached yet."""

    id: str
    kind: str
    when: str
    counted: list[CountedBy]
    rates: list[RateRow]
    groups: list[FactGroup]
    text: str
    hash: str
    sequence: int
    checkpoint: Checkpoint | None
    checkpoint_day: str


def result_page(
    service: Service, reader: Reader, school: School, subject: Subject | None, stored: StoredResult
) -> ResultPage:
    """`subject` None: the result is of something that no target judges."""
    result, zone = stored.result, service.verdicts.zone
    month = month_of(result.started_at, zone)
    checkpoint = service.store.chain.checkpoint_after(school.id, stored.sequence) if stored.sequence else None
    targets = [
        target
        for target in (TARGETS_OF[subject.kind] if subject is not None else ())
        if rule_of(target, service.verdicts.policy.in_force(target, month.first_day)).result_kind == kind_of(result)
    ]
    counted = [_counted_by(service, reader, school, subject, target, month, result) for target in targets if subject]
    return ResultPage(
        result.id,
        reader.words(f"kind_{kind_of(result)}"),
        result.started_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
        counted,
        _rates(service, reader, school, subject, month, result),
        facts_of(reader, result, zone),
        stored.raw.decode(errors="replace"),
        sha256(stored.raw).hexdigest(),
        stored.sequence,
        checkpoint,
        day_of(checkpoint.day).isoformat() if checkpoint is not None else "",
    )


def _counted_by(
    service: Service, reader: Reader, school: School, subject: Subject, target: str, month: Month, result: AnyResult
) -> CountedBy:
    derived, _ = derived_result(service, school, subject, target, month, result)
    return CountedBy(
        reader.text(TARGET_WORDS[target]),
        f"/explain/{target}/{school.id}/{subject.id}?month={month}",
        pass_badge(reader, derived.passes),
        reader.text(derived.figures),
        why_words(reader, derived),
    )


def _rates(
    service: Service, reader: Reader, school: School, subject: Subject | None, month: Month, result: AnyResult
) -> list[RateRow]:
    record: ThroughputRecord | None = None
    if isinstance(result, ThroughputResult):
        record = result.record
    elif isinstance(result, InspectionResult) and result.record is not None:
        record = result.record.measured
    if record is None:
        return []
    required = record.required_bits_per_second
    if subject is not None and subject.kind in ("classroom", "uplink"):
        target = TARGETS_OF[subject.kind][0]
        required = derived_result(service, school, subject, target, month, result)[1] or required
    return PresentModel(reader, service.verdicts.policy.tolerance_ratio).rate_rows(record, required)
