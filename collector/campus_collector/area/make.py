"""From closed months to the bundles that go up: as they were closed, and one correction for each later report that names changed verdicts. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from msgspec.structs import replace

from campus_collector.area.bundle import (
    SCHEMA_VERSION,
    ChangedVerdict,
    IssuedHash,
    MonthBundle,
    SchoolHead,
    SchoolMonth,
    SubjectOfMonth,
    TownMonth,
)
from campus_collector.domain.area import SchoolDetail, TargetTotals, VerdictTotals
from campus_collector.report.figures import Correction, Figures
from campus_wire.bandwidth import Verdict

Published = Mapping[tuple[str, str, str], Verdict]
"""By target, school and subject."""


@dataclass(frozen=True, slots=True)
class ClosedState:
    """A month as it was closed, with the documents that were issued of it, and the heads of the month closed before."""

    figures: Figures
    published: Published
    report_hash: str
    closed_at: datetime
    program_version: str
    documents: Sequence[tuple[str, str, str]]
    heads_before: Sequence[SchoolHead]
    archive: str = ""


@dataclass(frozen=True, slots=True)
class BundleSender:
    """Who makes the bundles: the county's id at the level above, its name, and what it lets be seen of a school."""

    county: str
    name: str
    detail: SchoolDetail


@dataclass(frozen=True, slots=True)
class MonthChange:
    """What a later report says of a month: in the report of which month, and every verdict that changed."""

    reported_in: str
    corrections: Sequence[Correction] = field(default_factory=tuple)


def changes_of(month: str, later: Iterable[Figures]) -> list[MonthChange]:
    """The corrections of a month in reports that were closed after it: the nth that names any is correction number n."""
    changes = []
    for figures in later:
        corrections = [correction for correction in figures.corrections if correction.month == month]
        if corrections:
            changes.append(MonthChange(figures.month, corrections))
    return changes


def month_bundle(
    sender: BundleSender, state: ClosedState, changes: Sequence[MonthChange], previous: str, now: datetime
) -> MonthBundle:
    """The month with these changes, the last of which this bundle is sent for; without any: as it was closed."""
    figures = state.figures
    published = corrected(state.published, changes)
    last = changes[-1] if changes else MonthChange("")
    bundle = MonthBundle(
        schema_version=SCHEMA_VERSION,
        county=sender.county,
        county_name=sender.name,
        month=figures.month,
        number=len(changes),
        made_at=_moment(now),
        closed_at=_moment(state.closed_at),
        previous=previous,
        report_hash=state.report_hash,
        documents=[IssuedHash(*document) for document in sorted(state.documents)],
        archive=state.archive,
        policy_version=figures.policy_version,
        program_version=state.program_version,
        tolerance_ratio=figures.tolerance_ratio,
        required_bits_per_second=_required(figures),
        simulated=figures.simulated,
        detail=sender.detail,
        schools_total=figures.schools_total,
        totals=dict(_totals(published.items())),
        towns=_towns(figures, published),
        problems_open=figures.ledger.open,
        problems_overdue=figures.ledger.overdue,
        reported_in=last.reported_in,
        changed=[_changed(correction, sender.detail) for correction in last.corrections],
    )
    return _with_schools(bundle, state, published)


def _with_schools(bundle: MonthBundle, state: ClosedState, published: Published) -> MonthBundle:
    """As much of the schools as the county lets be seen."""
    if bundle.detail == "none":
        return bundle
    verdicts = [SubjectOfMonth(*key, verdict) for key, verdict in sorted(published.items())]
    return replace(
        bundle,
        schools=_schools(state.figures, published),
        verdicts=verdicts if bundle.detail == "verdicts" else [],
        heads_before=list(state.heads_before),
        heads=heads_of(state.figures),
    )


def _required(figures: Figures) -> dict[str, float]:
    """The rates that are asked for, by target."""
    rates = {target.target: target.required_bits_per_second for target in figures.targets}
    return {target: rate for target, rate in rates.items() if rate is not None}


def corrected(published: Published, changes: Iterable[MonthChange]) -> dict[tuple[str, str, str], Verdict]:
    """What was published, with what later reports say."""
    known = dict(published)
    for change in changes:
        for correction in change.corrections:
            known[correction.target, correction.school, correction.subject] = correction.now
    return known


def heads_of(figures: Figures) -> list[SchoolHead]:
    """As the month's report prints them."""
    return [SchoolHead(head.school, head.results, head.head) for head in figures.heads]


def _totals(verdicts: Iterable[tuple[tuple[str, str, str], Verdict]]) -> TargetTotals:
    counted: dict[str, dict[Verdict, int]] = defaultdict(lambda: defaultdict(int))
    for (target, _, _), verdict in verdicts:
        counted[target][verdict] += 1
    return {
        target: VerdictTotals(
            count[Verdict.MET], count[Verdict.NOT_MET], count[Verdict.INSUFFICIENT], count[Verdict.EXEMPT]
        )
        for target, count in sorted(counted.items())
    }


def _towns(figures: Figures, published: Published) -> list[TownMonth]:
    """Schools that the report does not list any more count for the town ""."""
    town_of = {school.id: school.town for school in figures.schools}
    by_town: dict[str, list[tuple[tuple[str, str, str], Verdict]]] = defaultdict(list)
    for key, verdict in published.items():
        by_town[town_of.get(key[1], "")].append((key, verdict))
    names = {town.id: town.name for town in figures.towns}
    sizes: dict[str, int] = defaultdict(int)
    for school in figures.schools:
        sizes[school.town] += 1
    return [
        TownMonth(town, names.get(town, town), sizes[town], _totals(by_town.get(town, [])))
        for town in sorted({*by_town, *sizes})
    ]


def _schools(figures: Figures, published: Published) -> list[SchoolMonth]:
    by_school: dict[str, list[tuple[tuple[str, str, str], Verdict]]] = defaultdict(list)
    for key, verdict in published.items():
        by_school[key[1]].append((key, verdict))
    known = {school.id: school for school in figures.schools}
    return [
        SchoolMonth(
            school,
            known[school].name if school in known else school,
            known[school].town if school in known else "",
            _totals(by_school.get(school, [])),
        )
        for school in sorted({*by_school, *known})
    ]


def _changed(correction: Correction, detail: SchoolDetail) -> ChangedVerdict:
    school = correction.school if detail != "none" else ""
    subject = correction.subject if detail == "verdicts" else ""
    return ChangedVerdict(correction.target, school, subject, correction.was, correction.now)


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="seconds")
