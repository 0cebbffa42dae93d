"""Verifies the whole database, or one school."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from campus_base.messages import Message, message
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
    lost: dict[str, Message] = {}
    for done, school_id in enumerate(schools):
        if progress is not None:
            progress(done, len(schools))
        chain = ChainCheck(store, school_id, [*_heads_of(store, school_id, known_heads)])
        findings += chain.findings
        lost |= chain.lost
        results, unsealed = results + chain.results, unsealed + chain.results_before
        heads += chain.heads
        days += _check_days(store, verdicts, school_id, findings, lost)
    if progress is not None:
        progress(len(schools), len(schools))
    findings += _lost_archives(store, lost)
    return Checked(len(schools), results, unsealed, days, tuple(findings), heads)


def _heads_of(store: Store, school: str, known_heads: Sequence[KnownHead]) -> Iterator[KnownHead]:
    """Those of reports and persons, and those of receipts."""
    yield from (head for head in known_heads if head.school == school)
    for sequence, head in store.chain.receipts(school).items():
        if sequence:
            yield KnownHead(school, sequence, head.hex(), RECEIPT)


def _check_days(
    store: Store, verdicts: Verdicts, school: str, findings: list[Difference], lost: dict[str, Message]
) -> int:
    """How many days of a school agree. Differences, and archives that could not be read, are added to `findings` and `lost`."""
    days = 0
    try:
        for finding in evidence_findings(store, verdicts, school):
            if finding is not None:
                findings.append(finding)
                return days
            days += 1
        findings += _tally_findings(verdicts, school)
    except ArchiveLost as error:
        lost.setdefault(error.month, error.text)
    return days


def _lost_archives(store: Store, lost: dict[str, Message]) -> list[Difference]:
    """What could not be read while schools were checked, and files of other archives that are not as they were archived."""
    for month in store.archives.removed():
        if month.month not in lost:
            try:
                store.archived.must_be_whole(month)
            except ArchiveLost as error:
                lost[month.month] = error.text
    return [Difference("", lost[month]) for month in sorted(lost, reverse=True)]


def _tally_findings(verdicts: Verdicts, school: str) -> list[Difference]:
    """What a school's verdicts were counted to, against the evidence of its days."""
    month = verdicts.first_wrong_tally(school)
    if month is None:
        return []
    words = message(
        "{school}: what is kept of {month} does not follow from the evidence of its days", school=school, month=month
    )
    return [Difference(school, words)]
