"""Is this a workday in China? Public holidays and make-up workdays as the State Council announces them, year by year. Pure."""

from datetime import date
from functools import lru_cache


def last_announced_day() -> date:
    """The last day whose holidays and make-up workdays are known: the end of the last year that the tables have."""
    from chinese_calendar import constants  # its tables are large

    return date(max(day.year for day in constants.holidays), 12, 31)


def is_provisional(day: date) -> bool:
    """Is this day's calendar not announced yet, so that Monday to Friday are taken for workdays?"""
    return day > last_announced_day()


@lru_cache(maxsize=4096)
def is_workday(day: date) -> bool:
    """By the announced calendar; Monday to Friday for a year that is not announced yet."""
    import chinese_calendar  # its tables are large

    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5
