"""What judging a month needs beside its results, as it is archived."""

import zlib

import msgspec

from campus_base.messages import message
from campus_collector.archive.errors import NotArchived
from campus_collector.domain.monthly import ClosedMonth
from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy
from campus_collector.judge.workdays import is_workday
from campus_collector.report.figures import Figures, figures_of
from campus_collector.store.archive.format import Context
from campus_collector.store.store import Store


def closed_figures(closed: ClosedMonth) -> Figures:
    """The figures of a closed month. Raises NotArchived where they cannot be read."""
    try:
        return figures_of(zlib.decompress(closed.figures))
    except (zlib.error, msgspec.MsgspecError, UnicodeDecodeError):
        words = message("{month}: the figures of this closed month were changed", month=closed.month)
        raise NotArchived(words) from None


def context_of(store: Store, policy: Policy, month: Month, closed: ClosedMonth) -> Context:
    """Of a closed month: its schools and subjects, also those that were removed since, the policy, and what was published."""
    schools = store.schools.all(month.start)
    published = msgspec.json.decode(zlib.decompress(closed.published), type=list[tuple[str, str, str, str]])
    return Context(
        month=str(month),
        timezone=month.zone.key,
        first_day=month.first_day.isoformat(),
        last_day=month.last_day.isoformat(),
        workdays=[day.isoformat() for day in month.every_day() if is_workday(day)],
        policy=policy.text,
        policy_version=policy.version,
        schools=sorted(schools, key=lambda school: school.id),
        subjects=store.subjects.of_schools([school.id for school in schools], month.start, month.end),
        published=published,
        timetables={row.school: list(row.periods) for row in store.inventory.timetables(month.end)},
    )
