"""Stores batches of results, each in one piece or nothing of it; what several of one commit share is read and written once."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC
from itertools import groupby

from campus_collector.domain.change import Change
from campus_collector.domain.results import AcceptedResult, Batch, BatchOutcome, Quotas, RejectedResult
from campus_collector.domain.schools import SubjectKind
from campus_collector.store.columns import id_octets, micros
from campus_collector.store.packing import pack
from campus_collector.store.tables.agents import AgentReports
from campus_collector.store.tables.chain import ChainAppender, write_chains
from campus_collector.store.tables.evidence import MICROS_PER_HOUR, await_judgement
from campus_collector.store.tables.missing_log import note_receipt
from campus_collector.store.tables.quarantine import quarantine
from campus_collector.store.tables.quota import SchoolQuota, arrival_day, write_intake
from campus_collector.store.tables.results import LatestResults, Numbers, insert_results, stored_ids
from campus_collector.store.tables.standing import standing_of
from campus_collector.store.tables.subjects import SubjectKeeper, announce, subject_kind
from campus_collector.store.tables.tallies import outdate_subjects
from campus_collector.store.tables.totals import add_totals
from campus_collector.store.transport import Row, Transaction
from campus_wire.failures import Validity
from campus_wire.records import Quarantined, kind_of, outcome_of

MAX_KEPT_OVER_QUOTA_BYTES = 1000
JUDGED_KINDS = frozenset({"throughput", "service", "room", "port", "lesson_stream", "interruption"})
"""Results of other kinds are shown, and change no verdict."""


def store_batches(
    transaction: Transaction, batches: Sequence[Batch], quotas: Quotas, *, has_unpacked: bool
) -> list[tuple[BatchOutcome, Change]]:
    """What became of each batch, and what it changed. `has_unpacked`: may there be results in the form of older versions?"""
    outcomes: list[tuple[BatchOutcome, Change]] = []
    # quotas and checkpoints are those of a day
    for _, of_day in groupby(batches, key=lambda batch: batch.received_at.astimezone(UTC).date()):
        writer = _BatchWriter(transaction, list(of_day), quotas, has_unpacked)
        outcomes += writer.store()
    return outcomes


@dataclass(slots=True)
class _School:
    """A school while batches are stored."""

    chain: ChainAppender
    quota: SchoolQuota
    stored_ids: set[str]
    added: list[tuple[AcceptedResult, str, int, int, bytes]] = field(default_factory=list)
    """Result, kind, start, place in the chain and packed bytes of those to be written."""


@dataclass(slots=True)
class _Stored:
    """What was stored of a batch."""

    count: int = 0
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How many, by kind and outcome."""
    duplicates: int = 0
    over_quota: list[RejectedResult] = field(default_factory=list)
    subjects: set[tuple[str, str, str]] = field(default_factory=set)
    first_results: dict[tuple[SubjectKind, str], int] = field(default_factory=dict)
    """When the earliest began, by kind of subject and subject."""


class _BatchWriter:
    """Batches that arrived on one day."""

    def __init__(self, transaction: Transaction, batches: Sequence[Batch], quotas: Quotas, has_unpacked: bool) -> None:
        self._transaction, self._batches, self._quotas = transaction, batches, quotas
        ids: dict[str, list[str]] = {}
        subjects: set[str] = set()
        for batch in batches:
            ids.setdefault(batch.principal.school, []).extend(accepted.result.id for accepted in batch.accepted)
            subjects.update(accepted.result.subject for accepted in batch.accepted)
        schools, named = sorted(ids), sorted(subjects)
        now = batches[0].received_at
        self._standing = known = standing_of(transaction, schools, named, arrival_day(now))
        self._subjects = SubjectKeeper(transaction, known.added_at)
        self._agents = AgentReports(transaction, known.boots)
        self._schools = {
            school: _School(
                ChainAppender(transaction, school, now, known.checkpoints.get(school)),
                SchoolQuota(transaction, school, now, quotas, known.intake.get(school), known.series.get(school, ())),
                stored_ids(transaction, school, known.numbers.get(school), ids[school], has_unpacked),
            )
            for school in schools
        }
        self._latest = LatestResults()
        self._totals: Counter[tuple[str, str, str]] = Counter()
        self._waiting: dict[tuple[str, str, str, int], int] = {}
        """The place of the last result of what the judge must look at, by school, subject, kind and hour."""

    def store(self) -> list[tuple[BatchOutcome, Change]]:
        """All batches, in the order in which they came."""
        outcomes = [self._store_batch(batch) for batch in self._batches]
        schools = self._schools.values()
        added = self._numbered_results()
        with self._transaction.sent_together():
            insert_results(self._transaction, *added)
            self._latest.write(self._transaction)
            write_chains(self._transaction, [school.chain for school in schools])
            write_intake(self._transaction, [school.quota for school in schools if school.added])
            add_totals(self._transaction, self._totals)
            await_judgement(self._transaction, self._waiting)
            self._agents.write()
        return outcomes

    def _store_batch(self, batch: Batch) -> tuple[BatchOutcome, Change]:
        school = batch.principal.school
        chain = self._schools[school].chain
        chain_fits = chain.compare(batch.claimed, batch.received_at)
        if self._standing.log_is_missing and batch.claimed is not None and chain_fits is not None:
            note_receipt(self._transaction, school, batch.claimed.sequence, chain_fits)
        stored = self._store_results(batch, self._schools[school])
        rejected = [*batch.rejected, *stored.over_quota]
        if rejected:
            quarantine(self._transaction, school, batch.received_at, rejected)
        counts = {"stored": stored.count, "duplicate": stored.duplicates, "quarantined": len(rejected)}
        for label, amount in counts.items():
            if amount:
                self._totals[school, "ingest", label] += amount
        for (kind, outcome), amount in stored.outcomes.items():
            self._totals[school, "measurement", f"{kind}/{outcome}"] += amount
        announced = self._subjects.know(school, stored.first_results)
        self._agents.note(batch)
        if batch.announcement is not None:
            announced |= announce(self._transaction, school, batch.announcement, micros(batch.received_at))
        reporting = frozenset({school})
        if announced:
            outdate_subjects(self._transaction, [school])
        return (
            BatchOutcome(
                **counts,
                chain=chain.receipt(),
                chain_fits=chain_fits,
                beyond_quota=[Quarantined(result.id, result.reason) for result in stored.over_quota],
            ),
            Change(
                frozenset(stored.subjects),
                reported=reporting,
                announced=reporting if announced else frozenset(),
                sequences=frozenset({(school, chain.sequence)}),
            ),
        )

    def _store_results(self, batch: Batch, school: _School) -> _Stored:
        stored = _Stored()
        for accepted in batch.accepted:
            result_id, kind = accepted.result.id, kind_of(accepted.result)
            reason = school.quota.refusal(accepted, kind)
            if result_id in school.stored_ids:
                stored.duplicates += 1
            elif reason is not None:
                stored.over_quota.append(RejectedResult(result_id, reason, accepted.raw[:MAX_KEPT_OVER_QUOTA_BYTES]))
            else:
                school.stored_ids.add(result_id)
                school.chain.append(accepted.raw)
                school.quota.count(accepted, kind)
                self._add(accepted, kind, batch, school, stored)
        return stored

    def _add(self, accepted: AcceptedResult, kind: str, batch: Batch, school: _School, stored: _Stored) -> None:
        result, sequence = accepted.result, school.chain.sequence
        subject, outcome = result.subject, outcome_of(result)
        key = (batch.principal.school, subject, kind)
        packed = pack(kind, accepted.raw)
        started_at = micros(result.started_at)
        school.added.append((accepted, kind, started_at, sequence, packed))
        # a start by an untrusted clock orders nothing: such a result counts from its arrival
        trusted = result.validity is not Validity.CLOCK_UNTRUSTED
        ordered_at = started_at if trusted else micros(batch.received_at)
        self._latest.keep(key, outcome, ordered_at, packed)
        stored.outcomes[kind, outcome] += 1
        stored.count += 1
        stored.subjects.add(key)
        judged_as = subject_kind(subject, kind)
        if judged_as is not None:
            first = stored.first_results.get((judged_as, subject), ordered_at)
            stored.first_results[judged_as, subject] = min(ordered_at, first)
        if kind in JUDGED_KINDS:
            self._waiting[*key, started_at // MICROS_PER_HOUR] = sequence

    def _numbered_results(self) -> tuple[list[Row], list[Row]]:
        """The rows of ids, and of results."""
        ids: list[Row] = []
        results: list[Row] = []
        for name, school in self._schools.items():
            if not school.added:
                continue
            numbers = Numbers(self._transaction, name, self._standing)
            number = numbers.school
            for accepted, kind, started_at, sequence, packed in school.added:
                ids.append((number, id_octets(accepted.result.id), sequence))
                series = numbers.series(accepted.result.subject, kind)
                results.append((number, series, started_at, sequence, packed))
        return ids, results
