"""The choice of a month on a page: a form that works without script, and links to the months before and after. The rest of the query stays."""

from dataclasses import dataclass

from campus_collector.domain.days import day_of
from campus_collector.http.pages.paging import kept_query, query_with
from campus_collector.http.pages.render import Page
from campus_collector.judge.month import Month, month_of_day

MOST_MONTHS = 60


@dataclass(frozen=True, slots=True)
class MonthPicker:
    """`before` and `after` are queries, "" where there is no such month; `kept` is sent along by the form."""

    months: list[tuple[str, bool]]
    """Newest first, and which is shown."""
    before: str
    after: str
    kept: list[tuple[str, str]]


def month_picker(page: Page, shown: Month) -> MonthPicker:
    """From the first month that has evidence to this one; and the month that is shown, whichever it is. Raises StoreUnavailable."""
    first_day, this_month = page.service.store.evidence.first_day(), page.service.verdicts.this_month()
    first = month_of_day(day_of(first_day), this_month.zone) if first_day is not None else this_month
    listed, month = {str(shown)}, this_month
    while month.first_day >= first.first_day and len(listed) < MOST_MONTHS:
        listed.add(str(month))
        month = month.before()
    months = sorted(listed, reverse=True)
    place = months.index(str(shown))

    def query(number: int) -> str:
        return query_with(page.request, drop=("page",), month=months[number]) if 0 <= number < len(months) else ""

    return MonthPicker(
        [(name, name == str(shown)) for name in months],
        query(place + 1),
        query(place - 1),
        kept_query(page.request, {"month", "page"}),
    )
