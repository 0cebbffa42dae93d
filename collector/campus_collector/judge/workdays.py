"""Is this a workday in China? Public holidays and make-up workdays as the State Council announces them, year by year. Pure."""

from datetime import date
from functools import lru_cache


@lru_cache(maxsize=4096)
def is_workday(day: date) -> bool:
    """By the announced calendar; Monday to Friday for a year that is not announced yet."""
    import chinese_calendar  # its tables are large

    try:
        return bool(chinese_calendar.is_workday(day))
    except NotImplementedError:
        return day.weekday() < 5
