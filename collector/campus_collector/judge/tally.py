"""What a school's verdicts of a month add up to, and what areas have achieved, worked out from it. Pure."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from campus_collector.judge.agreement import Agreement, total
from campus_collector.judge.verdict import SEGMENT_OF, AreaVerdict, SubjectVerdict, Tally, areas_of
from campus_wire.bandwidth import Verdict
from campus_wire.records import Segment


class ShortVerdict(msgspec.Struct, frozen=True, array_like=True, omit_defaults=True, gc=False):
    """A subject's verdict of a month, without what it rests on."""

    verdict: Verdict
    valid_results: int = 0
    compared: int = 0
    agreeing: int = 0
    rate_ratios: tuple[float, ...] = ()
    cause: str = ""
    """Why it is not met, or insufficient."""


ShortVerdicts = dict[str, dict[str, ShortVerdict]]
"""Those of a school, by target and subject."""


class SchoolTally(msgspec.Struct, frozen=True, array_like=True):
    """A school's subjects by target and verdict; `agreements` where anything was compared."""

    counts: dict[str, dict[Verdict, int]]
    agreements: dict[Segment, Agreement]
    valid_results: int

    def count(self, verdict: Verdict) -> int:
        """How many subjects have it, each once for every target."""
        return sum(of_target.get(verdict, 0) for of_target in self.counts.values())


NO_VERDICTS = SchoolTally({}, {}, 0)


@dataclass(frozen=True, slots=True)
class SchoolInTown:
    """A school's tally, and the town that it is counted in."""

    town: str
    tally: SchoolTally


def short_verdicts(verdicts: Iterable[SubjectVerdict]) -> ShortVerdicts:
    """Of one school's verdicts of a month."""
    short: ShortVerdicts = {}
    for verdict in verdicts:
        agreement = verdict.agreement
        short.setdefault(verdict.target, {})[verdict.subject] = ShortVerdict(
            verdict.verdict,
            verdict.evidence.valid_results,
            agreement.compared,
            agreement.agreeing,
            agreement.rate_ratios,
            verdict.diagnosis,
        )
    return short


def school_tally(verdicts: ShortVerdicts) -> SchoolTally:
    counts = {
        target: dict(Counter(verdict.verdict for verdict in of_target.values()))
        for target, of_target in verdicts.items()
    }
    agreements: dict[Segment, Agreement] = {}
    for target, segment in SEGMENT_OF.items():
        of_segment = total(
            Agreement(verdict.compared, verdict.agreeing, verdict.rate_ratios)
            for verdict in verdicts.get(target, {}).values()
            if verdict.compared
        )
        if of_segment.compared:
            agreements[segment] = of_segment
    valid = sum(verdict.valid_results for of_target in verdicts.values() for verdict in of_target.values())
    return SchoolTally(counts, agreements, valid)


def tally_in(town: str, tally: SchoolTally) -> Tally:
    """A school's tally as that of its town; several can be added up."""
    return Counter(
        {
            (target, town, verdict): number
            for target, of_target in tally.counts.items()
            for verdict, number in of_target.items()
        }
    )


def areas_in(schools: Iterable[SchoolInTown]) -> list[AreaVerdict]:
    """Every target in the county ("") and in each town."""
    tally: Tally = Counter()
    for school in schools:
        for target, of_target in school.tally.counts.items():
            for verdict, number in of_target.items():
                tally[target, school.town, verdict] += number
    return areas_of(tally)


def agreement_in(tallies: Iterable[SchoolTally]) -> dict[Segment, Agreement]:
    """Quick tests against references, by segment, all schools together."""
    parts: dict[Segment, list[Agreement]] = {segment: [] for segment in SEGMENT_OF.values()}
    for tally in tallies:
        for segment, agreement in tally.agreements.items():
            parts[segment].append(agreement)
    return {segment: total(agreements) for segment, agreements in parts.items()}
