"""Which parts are judged: the months of an archive, what is missing, and how the other policy differs from theirs."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from zoneinfo import ZoneInfo

from campus_base.messages import Message, message
from campus_collector.archive.check import policy_note
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import TARGET_NAMES, Delays, HoursOfDay, MinuteLimits, Policy, Target
from campus_collector.rejudge.part import Part, Unequal, context_of, policies_of
from campus_collector.store.archive.errors import ArchiveDamaged
from campus_collector.store.archive.format import MANIFEST, Context, hash_of
from campus_collector.store.archive.read import ArchivedMonth, archived_months

_UTC = ZoneInfo("UTC")
MOST_MONTHS = 240


@dataclass(frozen=True, slots=True)
class RuleDifference:
    """A value of the policy that differs: of a target in force in a month, or of all targets (target ""). None: no such rule is in force."""

    month: str
    target: str
    name: str
    archived: object
    other: object


@dataclass(frozen=True, slots=True)
class ArchivedPolicy:
    """The policy that a month was judged by, and the program that archived it."""

    month: str
    version: str
    program: str
    note: Message | None = None
    """That the month was closed by another one."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done. `unknown` are published verdicts of schools that the archive does not list."""

    county: str
    months: tuple[str, ...]
    missing: tuple[str, ...]
    policies: tuple[ArchivedPolicy, ...]
    differences: tuple[RuleDifference, ...]
    parts: tuple[Part, ...]
    unknown: tuple[Unequal, ...]


def months_in(text: str) -> list[str]:
    """The months of `A..B`, or of one month. Raises ValueError."""
    first, dots, last = text.partition("..")
    month, end = (parse_month(each.strip(), _UTC) for each in (first, last if dots else first))
    if end.first_day < month.first_day:
        raise ValueError(f"{end} is before {month}")
    months = []
    while month.first_day <= end.first_day:
        months.append(str(month))
        month = month.next()
    if len(months) > MOST_MONTHS:
        raise ValueError(f"{len(months)} months are more than {MOST_MONTHS}")
    return months


def plan(directory: Path, months: Sequence[str], policy: str) -> Plan:
    """Read what is small: manifests and contexts. Raises ArchiveDamaged."""
    there = {archive.month: archive for archive in archived_months(directory)}
    policies, differences, parts, unknown = [], [], [], []
    county = ""
    for name in months:
        if (archive := there.get(name)) is None:
            continue
        context = _context(archive)
        month = parse_month(name, ZoneInfo(context.timezone))
        policies.append(
            ArchivedPolicy(
                name, context.policy_version, archive.manifest.program_version, policy_note(archive.manifest)
            )
        )
        both = policies_of(context, policy)
        differences += differences_of(month, both[0], both[-1])
        folder = str(archive.folder.absolute())
        parts += [Part(folder, name, town, policy) for town in sorted({school.town for school in context.schools})]
        unknown += _unknown(name, context)
        county = archive.manifest.county
    return Plan(
        county,
        tuple(name for name in months if name in there),
        tuple(name for name in months if name not in there),
        tuple(policies),
        tuple(differences),
        tuple(parts),
        tuple(unknown),
    )


def differences_of(month: Month, archived: Policy, other: Policy) -> list[RuleDifference]:
    """What judges a month otherwise: values that verdicts depend on, each by its key in the policy."""
    differences = [
        RuleDifference(str(month), target, name, before, after)
        for target in TARGET_NAMES
        for name, before, after in _of_rules(
            archived.in_force(target, month.first_day), other.in_force(target, month.first_day)
        )
    ]
    if archived.tolerance_ratio != other.tolerance_ratio:
        differences.append(
            RuleDifference(str(month), "", "tolerance_ratio", archived.tolerance_ratio, other.tolerance_ratio)
        )
    for name in ("school_hours", "exemptions", "maintenance"):
        before, after = (_in_month(policy, name, month) for policy in (archived, other))
        if before != after:
            differences.append(RuleDifference(str(month), "", name, *map(_shown, (before, after))))
    return differences


def _in_month(policy: Policy, name: str, month: Month) -> tuple[object, ...]:
    """Hours; of exemptions and planned work those that touch the month."""
    if name == "exemptions":
        return tuple(each for each in policy.exemptions if _touches(each.first, each.last, month))
    if name == "maintenance":
        return tuple(each for each in policy.maintenance if _touches(each.start.date(), each.end.date(), month))
    return policy.school_hours


def _touches(first: date, last: date, month: Month) -> bool:
    return first <= month.last_day and last >= month.first_day


def _shown(values: tuple[object, ...]) -> object:
    """Hours as they are written; of the rest how many there are."""
    hours = [f"{value.start:%H:%M}-{value.end:%H:%M}" for value in values if isinstance(value, HoursOfDay)]
    return " ".join(hours) if hours else len(values)


def _of_rules(archived: Target | None, other: Target | None) -> list[tuple[str, object, object]]:
    if archived is None or other is None:
        if archived is other:
            return []
        before, after = (rule.effective_from.isoformat() if rule else None for rule in (archived, other))
        return [("effective_from", before, after)]
    differences: list[tuple[str, object, object]] = []
    for name in (field.name for field in fields(Target)):
        before, after = getattr(archived, name), getattr(other, name)
        if name in ("name", "source", "effective_from") or before == after:
            continue
        if name in ("delays", "minutes"):
            differences += _of_limits(before, after)
        else:
            differences.append((name, before, after))
    return differences


def _of_limits(
    before: Delays | MinuteLimits | None, after: Delays | MinuteLimits | None
) -> list[tuple[str, object, object]]:
    """Limit by limit; None of a rule that has none."""
    some = before if before is not None else after
    names = [limit.name for limit in fields(some)] if some is not None else []
    values = [(name, getattr(before, name, None), getattr(after, name, None)) for name in names]
    return [(name, old, new) for name, old, new in values if old != new]


def _context(archive: ArchivedMonth) -> Context:
    manifest = archive.manifest
    if hash_of(manifest) != manifest.sha256:
        raise ArchiveDamaged(archive.folder / MANIFEST, message("does not carry its hash: it was changed"))
    if manifest.month != archive.month:
        words = message("is of {month}, in the folder of another month", month=manifest.month)
        raise ArchiveDamaged(archive.folder / MANIFEST, words)
    return context_of(archive)


def _unknown(month: str, context: Context) -> list[Unequal]:
    known = {school.id for school in context.schools}
    return [
        Unequal(month, target, school, subject, verdict, "")
        for target, school, subject, verdict in sorted(context.published)
        if school not in known
    ]
