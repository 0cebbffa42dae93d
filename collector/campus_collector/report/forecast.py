"""When will everything be met, if it goes on so? A straight line through the months, and how unsure it is. Pure.

Ordinary least squares of the share that is not met over the months; where the line reaches 0 lies, with 95 % confidence, between the
zeros of the lines with the slope's confidence limits through the middle of the months. Nothing is foretold from fewer than six months, nor
when the slope's limits do not both lead downwards: then the share may as well stay as it is.
"""

from collections.abc import Sequence
from math import ceil, sqrt
from statistics import fmean

from campus_collector.judge.month import Month
from campus_collector.report.figures import Forecast

LEAST_MONTHS = 6
FARTHEST_MONTHS = 60
"""Beyond five years a number of months would be more exact than the data."""
T_975 = {
    1: 12.706,
    2: 4.303,
    3: 3.182,
    4: 2.776,
    5: 2.571,
    6: 2.447,
    7: 2.365,
    8: 2.306,
    9: 2.262,
    10: 2.228,
    11: 2.201,
}
"""Student's t, 97.5 % point, by degrees of freedom."""


def forecast(target: str, month: Month, ratios: Sequence[float | None]) -> Forecast:
    """From the met ratios of the last months, oldest first, the newest being `month`'s; None are months without data."""
    points = [(position, 1 - ratio) for position, ratio in enumerate(ratios) if ratio is not None]
    if points and points[-1][0] == len(ratios) - 1 and points[-1][1] <= 0:
        return Forecast(target, "reached", len(points))
    if len(points) < LEAST_MONTHS or points[-1][0] != len(ratios) - 1:
        return Forecast(target, "too_few_months", len(points))
    mean_x, mean_y = fmean(x for x, _ in points), fmean(y for _, y in points)
    spread = sum((x - mean_x) ** 2 for x, _ in points)
    slope = sum((x - mean_x) * (y - mean_y) for x, y in points) / spread
    residue = sum((y - mean_y - slope * (x - mean_x)) ** 2 for x, y in points)
    freedom = len(points) - 2
    margin = T_975[min(freedom, max(T_975))] * sqrt(residue / freedom / spread)
    if slope + margin >= 0:
        return Forecast(target, "not_falling", len(points))
    now = len(ratios) - 1
    zeros = [mean_x - mean_y / limit - now for limit in (slope - margin, slope + margin)]
    first, last = (max(1, ceil(zero - 1e-9)) for zero in zeros)
    if first > FARTHEST_MONTHS:
        return Forecast(target, "too_far", len(points))
    latest = str(_later(month, last)) if last <= FARTHEST_MONTHS else None
    return Forecast(target, "given", len(points), str(_later(month, first)), latest)


def _later(month: Month, months: int) -> Month:
    whole = month.year * 12 + month.number - 1 + months
    return Month(whole // 12, whole % 12 + 1, month.zone)
