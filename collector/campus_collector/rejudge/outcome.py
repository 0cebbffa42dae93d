"""What all parts together say: the same whatever the order in which they were judged. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.verdict import AreaVerdict, Tally, areas_of
from campus_collector.rejudge.part import ChangedSubject, Counts, PartOutcome, Unequal
from campus_collector.rejudge.plan import Plan, RuleDifference

_PLACE: dict[str, int] = {target: place for place, target in enumerate(TARGET_NAMES)}


@dataclass(frozen=True, slots=True)
class AreaDifference:
    """A target in an area by both policies: the county (town ""), a town, or one school of it."""

    month: str
    town: str
    town_name: str
    archived: AreaVerdict
    other: AreaVerdict
    school: str = ""
    school_name: str = ""

    @property
    def target(self) -> str:
        return self.archived.target

    @property
    def differs(self) -> bool:
        return self.archived != self.other


@dataclass(frozen=True, slots=True)
class ChangedIn:
    """A subject whose verdict differs, with its month and place."""

    month: str
    town: str
    town_name: str
    school_name: str
    subject: ChangedSubject


@dataclass(frozen=True, slots=True)
class Rejudged:
    """Everything that is shown. `first_unequal` is None where the archive's policy gave exactly the published verdicts."""

    plan: Plan
    policy_version: str
    results: int
    compared: int
    unequal: int
    first_unequal: Unequal | None
    towns: tuple[AreaDifference, ...]
    """The county and each town."""
    schools: tuple[AreaDifference, ...]
    """Only those that differ."""
    changed: tuple[ChangedIn, ...]


def joined(plan: Plan, policy_version: str, outcomes: Iterable[PartOutcome]) -> Rejudged:
    """Of all parts."""
    ordered = sorted(outcomes, key=lambda outcome: (outcome.month, outcome.town))
    unequal = [*plan.unknown, *(each.first_unequal for each in ordered if each.first_unequal is not None)]
    return Rejudged(
        plan,
        policy_version,
        results=sum(outcome.results for outcome in ordered),
        compared=sum(outcome.compared for outcome in ordered) + len(plan.unknown),
        unequal=sum(outcome.unequal for outcome in ordered) + len(plan.unknown),
        first_unequal=min(unequal, key=lambda each: (each.month, each.target, each.school, each.subject), default=None),
        towns=tuple(area for month in plan.months for area in _towns(month, ordered)),
        schools=tuple(area for outcome in ordered for area in _schools(outcome)),
        changed=tuple(
            ChangedIn(outcome.month, outcome.town, outcome.town_name, names[changed.school], changed)
            for outcome in ordered
            for names in ({school.school: school.name for school in outcome.schools},)
            for changed in outcome.changed
        ),
    )


def _towns(month: str, outcomes: Sequence[PartOutcome]) -> list[AreaDifference]:
    of_month = [outcome for outcome in outcomes if outcome.month == month]
    names = {outcome.town: outcome.town_name for outcome in of_month}
    archived = [(outcome.town, school.archived) for outcome in of_month for school in outcome.schools]
    other = [(outcome.town, school.other) for outcome in of_month for school in outcome.schools]
    areas = [
        AreaDifference(month, before.town, names.get(before.town, ""), before, after)
        for before, after in _pairs(archived, other)
    ]
    return sorted(areas, key=lambda area: (area.town != "", area.town, _PLACE[area.target]))


def _schools(outcome: PartOutcome) -> list[AreaDifference]:
    return [
        AreaDifference(outcome.month, outcome.town, outcome.town_name, before, after, school.school, school.name)
        for school in outcome.schools
        for before, after in _pairs([("", school.archived)], [("", school.other)])
        if before != after
    ]


def _pairs(
    archived: Iterable[tuple[str, Counts]], other: Iterable[tuple[str, Counts]]
) -> Iterator[tuple[AreaVerdict, AreaVerdict]]:
    """The areas of both, which are the same: each subject has a verdict by either policy."""
    return zip(areas_of(_tally(archived)), areas_of(_tally(other)), strict=True)


def _tally(counted: Iterable[tuple[str, Counts]]) -> Tally:
    tally: Tally = Counter()
    for town, counts in counted:
        for target, of_target in counts.items():
            for verdict, number in of_target.items():
                tally[target, town, verdict] += number
    return tally


def as_answer(rejudged: Rejudged) -> dict[str, Any]:
    """What `--json` prints. Ratios are 0-1, null where nothing is to be judged."""
    plan, first = rejudged.plan, rejudged.first_unequal
    return {
        "county": plan.county,
        "months": list(plan.months),
        "missing_months": list(plan.missing),
        "policy_version": rejudged.policy_version,
        "archived_policies": {policy.month: policy.version for policy in plan.policies},
        "results": rejudged.results,
        "check": {
            "compared": rejudged.compared,
            "different": rejudged.unequal,
            "first": None if first is None else msgspec.to_builtins(first),
        },
        "rules": [_rule(rule) for rule in plan.differences],
        "targets": [_area(area) for area in rejudged.towns],
        "schools": [_area(area) | {"school": area.school} for area in rejudged.schools],
        "subjects": [
            {"month": each.month, "town": each.town} | msgspec.to_builtins(each.subject) for each in rejudged.changed
        ],
    }


def _rule(rule: RuleDifference) -> dict[str, Any]:
    values = {"month": rule.month, "target": rule.target, "name": rule.name, "archived": rule.archived}
    return {name: msgspec.to_builtins(value) for name, value in (values | {"other": rule.other}).items()}


def _area(area: AreaDifference) -> dict[str, Any]:
    values: dict[str, Any] = {"month": area.month, "target": area.target, "town": area.town}
    for name, verdict in (("archived", area.archived), ("other", area.other)):
        counts = {"met": verdict.met, "not_met": verdict.not_met}
        counts |= {"insufficient": verdict.insufficient, "exempt": verdict.exempt}
        values[name] = counts | {"compliance_ratio": verdict.compliance_ratio}
    return values
