"""The verdict of a subject's month, with the evidence it rests on; and what an area has achieved. Pure.

No data is never compliance: below the rule's minimum the verdict is `insufficient`, which counts as not met in the official
rate and is shown apart.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from campus_collector.judge.agreement import NOT_COMPARED, Agreement
from campus_collector.judge.policy import Target
from campus_collector.judge.rules import Observation
from campus_wire.bandwidth import Verdict


@dataclass(frozen=True, slots=True)
class Evidence:
    """What was counted. `values` are of judged results: line rates in bits per second, or first-byte seconds."""

    valid_results: int
    passing_results: int
    days: int
    invalid_results: int
    failed_results: int
    skipped_results: int
    lowest_value: float | None
    median_value: float | None

    @property
    def passing_share(self) -> float | None:
        """Passing of valid; None of nothing."""
        return self.passing_results / self.valid_results if self.valid_results else None


@dataclass(frozen=True, slots=True)
class SubjectVerdict:
    """One subject, one target, one month."""

    target: str
    town: str
    school: str
    subject: str
    verdict: Verdict
    evidence: Evidence
    rule: Target | None
    policy_version: str
    diagnosis: str = ""
    agreement: Agreement = NOT_COMPARED


@dataclass(frozen=True, slots=True)
class AreaVerdict:
    """A target in a town, or in the county (town "")."""

    target: str
    town: str
    met: int
    not_met: int
    insufficient: int
    exempt: int

    @property
    def compliance_ratio(self) -> float | None:
        """met / (all - exempt); None when nothing is to be judged."""
        judged = self.met + self.not_met + self.insufficient
        return self.met / judged if judged else None


def evidence_of(observations: Sequence[Observation]) -> Evidence:
    """Count."""
    judged = [one for one in observations if one.passes is not None]
    outcomes = Counter(one.outcome for one in observations if one.passes is None)
    values = [one.value for one in judged if one.value is not None]
    return Evidence(
        valid_results=len(judged),
        passing_results=sum(one.passes is True for one in judged),
        days=len({one.day for one in judged}),
        invalid_results=outcomes["invalid"] + outcomes["ok"],
        failed_results=outcomes["failed"],
        skipped_results=outcomes["skipped"],
        lowest_value=min(values, default=None),
        median_value=median(values) if values else None,
    )


def verdict_from(evidence: Evidence, rule: Target | None) -> Verdict:
    """The rule of design section 3. Without a rule in force nothing can be met."""
    share = evidence.passing_share
    if rule is None or share is None:
        return Verdict.INSUFFICIENT
    if evidence.valid_results < rule.min_valid_results or evidence.days < rule.min_days:
        return Verdict.INSUFFICIENT
    # Compared as counts: 0.8 has no exact binary form, and exactly 80 % must pass.
    enough = evidence.passing_results >= rule.passing_share * evidence.valid_results - 1e-9
    return Verdict.MET if enough else Verdict.NOT_MET


def areas_of(verdicts: Iterable[SubjectVerdict]) -> list[AreaVerdict]:
    """Every target in the county and in each town, in a stable order."""
    counts: dict[tuple[str, str], Counter[Verdict]] = {}
    for one in verdicts:
        for town in {"", one.town}:
            counts.setdefault((one.target, town), Counter())[one.verdict] += 1
    return [
        AreaVerdict(
            target,
            town,
            met=count[Verdict.MET],
            not_met=count[Verdict.NOT_MET],
            insufficient=count[Verdict.INSUFFICIENT],
            exempt=count[Verdict.EXEMPT],
        )
        for (target, town), count in sorted(counts.items())
    ]
