"""How an area stands by the months that have come from its counties: what counts, what is missing and since when. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, tzinfo

from campus_collector.domain.area import (
    AreaMember,
    ReceivedMonth,
    TargetTotals,
    in_force,
    missing_months,
    missing_since,
    summed,
)

MISSING_LISTED = 12
"""So many missing months of a county are named in a list."""


@dataclass(frozen=True, slots=True)
class CountyStanding:
    """A county by all that has come of it; `in_force` is what counts of each month, oldest first; `missing` are months that should be here."""

    label: str
    name: str
    member: AreaMember | None
    received: Sequence[ReceivedMonth]
    in_force: dict[str, ReceivedMonth]
    missing: list[str]
    missing_since: date | None

    @property
    def missing_listed(self) -> list[str]:
        """The first of the missing months: whoever lists them says how many more there are."""
        return self.missing[:MISSING_LISTED]

    @property
    def missing_more(self) -> int:
        """How many are missing beside those."""
        return len(self.missing) - len(self.missing_listed)

    @property
    def newest(self) -> ReceivedMonth | None:
        """What counts of the newest month that is here."""
        return self.in_force[max(self.in_force)] if self.in_force else None

    @property
    def corrections(self) -> int:
        """How many corrections have come."""
        return sum(month.number > 0 for month in self.received)

    def totals(self, month: str) -> TargetTotals:
        """By target; nothing of a month that is not here."""
        held = self.in_force.get(month)
        return held.summary.totals if held is not None else {}

    def is_missing(self, month: str) -> bool:
        return month in self.missing


def standings(
    members: Iterable[AreaMember],
    months: Iterable[ReceivedMonth],
    today: date,
    close_day: int,
    zone: tzinfo = UTC,
) -> list[CountyStanding]:
    """Of every county that is enrolled or has sent something, by label.

    A county is awaited from the month on that came first (an older one that comes later does not change it), or from the month in which it was enrolled; one whose token was revoked is not awaited any more.
    """
    by_label: dict[str, list[ReceivedMonth]] = defaultdict(list)
    for month in months:
        by_label[month.label].append(month)
    enrolled = {member.id: member for member in members}
    for member in enrolled.values():
        if member.level == "county":
            by_label.setdefault(member.id, [])
    return [
        _standing(label, received, enrolled, today, close_day, zone) for label, received in sorted(by_label.items())
    ]


def _standing(
    label: str,
    received: Sequence[ReceivedMonth],
    enrolled: dict[str, AreaMember],
    today: date,
    close_day: int,
    zone: tzinfo,
) -> CountyStanding:
    member = enrolled.get(received[0].sender if received else label)
    held = {month: of_month for (_, month), of_month in sorted(in_force(received).items())}
    first = received[0].month if received else None
    if first is None and member is not None:
        first = f"{member.enrolled_at.astimezone(zone):%Y-%m}"
    missing: list[str] = []
    if first is not None and member is not None and member.revoked_at is None:
        missing = missing_months(held, first, today, close_day)
    # A county cannot call itself as it likes where this level gave it a name. A prefecture's member is not the county.
    name = member.given_name if member is not None and member.level == "county" else ""
    name = name or (held[max(held)].summary.name if held else "")
    since = missing_since(missing[0], close_day) if missing else None
    return CountyStanding(label, name or label, member, received, held, missing, since)


def area_totals(counties: Iterable[CountyStanding], month: str) -> TargetTotals:
    """All counties together, by target; those whose month is not here are not in it."""
    return summed(county.totals(month) for county in counties)


def months_here(counties: Iterable[CountyStanding]) -> list[str]:
    """Every month of which anything is here, oldest first."""
    return sorted({month for county in counties for month in county.in_force})
