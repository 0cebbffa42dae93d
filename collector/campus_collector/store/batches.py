"""Stores a batch of results in one piece, or nothing of it."""

from collections import Counter
from dataclasses import dataclass, field

from campus_collector.domain.change import Change
from campus_collector.domain.results import AcceptedResult, Batch, BatchOutcome, Quotas, RejectedResult
from campus_collector.domain.schools import SubjectKind
from campus_collector.store.columns import micros
from campus_collector.store.tables.agents import note_agent, note_boot
from campus_collector.store.tables.chain import ChainAppender
from campus_collector.store.tables.evidence import MICROS_PER_HOUR, Arrivals, await_judgement
from campus_collector.store.tables.missing_log import note_receipt
from campus_collector.store.tables.quarantine import quarantine
from campus_collector.store.tables.quota import SchoolQuota
from campus_collector.store.tables.results import LatestResults, ResultAppender
from campus_collector.store.tables.subjects import announce, know_subjects, subject_kind
from campus_collector.store.tables.totals import add_total
from campus_collector.store.transport import Transaction
from campus_wire.failures import Validity
from campus_wire.records import Quarantined, kind_of, outcome_of

MAX_KEPT_OVER_QUOTA_BYTES = 1000
JUDGED_KINDS = frozenset({"throughput", "service", "room", "port"})
"""Results of other kinds are shown, and change no verdict."""


def store_batch(transaction: Transaction, batch: Batch, quotas: Quotas) -> tuple[BatchOutcome, Change]:
    """What became of the batch, and what it changed."""
    school = batch.principal.school
    chain = ChainAppender(transaction, school, batch.received_at)
    chain_fits = chain.compare(batch.claimed, batch.received_at)
    if batch.claimed is not None and chain_fits is not None:
        note_receipt(transaction, school, batch.claimed.sequence, chain_fits)
    stored = _store_results(transaction, batch, chain, SchoolQuota(transaction, school, batch.received_at, quotas))
    rejected = [*batch.rejected, *stored.over_quota]
    if rejected:
        quarantine(transaction, school, batch.received_at, rejected)
    counts = {"stored": stored.count, "duplicate": stored.duplicates, "quarantined": len(rejected)}
    for label, amount in counts.items():
        if amount:
            add_total(transaction, "ingest", label, amount)
    announced = know_subjects(transaction, school, stored.first_results)
    note_agent(transaction, batch)
    note_boot(transaction, batch)
    if batch.announcement is not None:
        announced |= announce(transaction, school, batch.announcement, micros(batch.received_at))
    reporting = frozenset({school})
    return (
        BatchOutcome(
            **counts,
            chain=chain.receipt(),
            chain_fits=chain_fits,
            beyond_quota=[Quarantined(result.id, result.reason) for result in stored.over_quota],
        ),
        Change(frozenset(stored.subjects), reported=reporting, announced=reporting if announced else frozenset()),
    )


@dataclass(slots=True)
class _Stored:
    """What was stored of a batch, counted up so that each row is written once a batch."""

    count: int = 0
    duplicates: int = 0
    over_quota: list[RejectedResult] = field(default_factory=list)
    subjects: set[tuple[str, str, str]] = field(default_factory=set)
    totals: Counter[str] = field(default_factory=Counter)
    first_results: dict[tuple[SubjectKind, str], int] = field(default_factory=dict)
    """When the earliest began, by kind of subject and subject."""
    waiting: dict[tuple[str, str, int], Arrivals] = field(default_factory=dict)
    """What the judge must look at, by subject, kind and hour."""


def _store_results(transaction: Transaction, batch: Batch, chain: ChainAppender, quota: SchoolQuota) -> _Stored:
    school = batch.principal.school
    stored = _Stored()
    results = ResultAppender(transaction, school, [accepted.result.id for accepted in batch.accepted])
    latest = LatestResults()
    for accepted in batch.accepted:
        result = accepted.result
        reason = quota.refusal(accepted)
        if results.is_stored(result.id):
            stored.duplicates += 1
        elif reason is not None:
            stored.over_quota.append(RejectedResult(result.id, reason, accepted.raw[:MAX_KEPT_OVER_QUOTA_BYTES]))
        else:
            chain.append(accepted.raw)
            packed = results.add(accepted, chain.sequence)
            quota.count(accepted)
            # a start by an untrusted clock orders nothing: such a result counts from its arrival
            trusted = result.validity is not Validity.CLOCK_UNTRUSTED
            ordered_at_micros = micros(result.started_at if trusted else batch.received_at)
            latest.keep(result, ordered_at_micros, packed)
            _count(stored, school, accepted, ordered_at_micros, chain.sequence)
    if stored.count:
        results.write()
        latest.write(transaction, school)
        chain.write_checkpoint()
        quota.write_counts()
    for label, amount in stored.totals.items():
        add_total(transaction, "measurement", label, amount)
    await_judgement(transaction, school, stored.waiting)
    return stored


def _count(stored: _Stored, school: str, accepted: AcceptedResult, ordered_at_micros: int, sequence: int) -> None:
    subject, kind = accepted.result.subject, kind_of(accepted.result)
    stored.count += 1
    stored.subjects.add((school, subject, kind))
    stored.totals[f"{kind}/{outcome_of(accepted.result)}"] += 1
    judged_as = subject_kind(subject, kind)
    if judged_as is not None:
        key = (judged_as, subject)
        stored.first_results[key] = min(ordered_at_micros, stored.first_results.get(key, ordered_at_micros))
    if kind in JUDGED_KINDS:
        hour = (subject, kind, micros(accepted.result.started_at) // MICROS_PER_HOUR)
        before = stored.waiting.get(hour)
        stored.waiting[hour] = Arrivals(1 + (before.results if before else 0), sequence)
