"""Verifies the whole database, or one school."""

from collections.abc import Sequence
from dataclasses import dataclass

from campus_base.messages import message
from campus_collector.domain.days import EPOCH
from campus_collector.judge.service import Progress, Verdicts
from campus_collector.store.errors import ArchiveLost
from campus_collector.store.store import Store
from campus_collector.verify.chain import RECEIPT, ChainCheck, KnownHead, closed_heads, database_findings
from campus_collector.verify.difference import Difference
from campus_collector.verify.evidence import evidence_findings


@dataclass(frozen=True, slots=True)
class Checked:
    """How much was recomputed, and what did not agree."""

    schools: int
    results: int
    unsealed: int
    """Results that are older than the chain."""
    days: int
    findings: tuple[Difference, ...]
    heads: int = 0
    """How many heads from outside the chain were compared: of closed months, of receipts, and those given by a person."""


def verify(
    store: Store,
    verdicts: Verdicts,
    school: str | None = None,
    progress: Progress | None = None,
    given: Sequence[KnownHead] = (),
) -> Checked:
    """All schools, or one; `given` heads are compared as well."""
    schools = [each.id for each in store.schools.all(EPOCH) if school in (None, each.id)]
    findings = database_findings(store)
    known_heads = [*given, *closed_heads(store, findings)]
    findings += [
        Difference(head.school, message("{school}: there is no such school", school=head.school))
        for head in given
        if head.school not in schools
    ]
    results = unsealed = days = heads = 0
    lost: set[str] = set()
    for done, school_id in enumerate(schools):
        if progress is not None:
            progress(done, len(schools))
        receipts = store.chain.receipts(school_id)
        heads_of_school = [head for head in known_heads if head.school == school_id] + [
            KnownHead(school_id, sequence, head.hex(), RECEIPT) for sequence, head in receipts.items() if sequence
        ]
        chain = ChainCheck(store, school_id, heads_of_school)
        findings += chain.findings
        lost |= chain.lost_months
        results, unsealed = results + chain.results, unsealed + chain.results_before
        heads += len(heads_of_school)
        try:
            for finding in evidence_findings(store, verdicts, school_id):
                if finding is not None:
                    findings.append(finding)
                    break
                days += 1
            else:
                findings += _tally_findings(verdicts, school_id)
        except ArchiveLost as error:
            lost.add(error.month)
    if progress is not None:
        progress(len(schools), len(schools))
    findings += _lost_archives(store, schools, lost)
    return Checked(len(schools), results, unsealed, days, tuple(findings), heads)


def _lost_archives(store: Store, schools: Sequence[str], lost: set[str]) -> list[Difference]:
    """Why the archives of months that have left the database cannot be read; also those that no school needed so far."""
    findings: list[Difference] = []
    for month in store.archives.removed():
        try:
            for school in schools:
                store.archived.of_school(month, school)
        except ArchiveLost as error:
            findings.append(Difference("", error.text))
            lost.discard(month.month)
    return findings


def _tally_findings(verdicts: Verdicts, school: str) -> list[Difference]:
    """What a school's verdicts were counted to, against the evidence of its days."""
    month = verdicts.first_wrong_tally(school)
    if month is None:
        return []
    words = message(
        "{school}: what is kept of {month} does not follow from the evidence of its days", school=school, month=month
    )
    return [Difference(school, words)]
