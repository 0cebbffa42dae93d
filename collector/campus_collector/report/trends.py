"""The twelve months as tables and charts: of the county with where it leads, and of one town or school. Pure."""

from collections.abc import Sequence

from msgspec import UNSET

from campus_base.language import Language
from campus_collector.report import charts
from campus_collector.report.document import Block, Chart, Paragraph, Series
from campus_collector.report.figures import Figures, LessonFigures
from campus_collector.report.groups import worst_of
from campus_collector.report.tables import ReportTables
from campus_collector.report.words import TARGETS, say

Ratios = dict[str, tuple[float | None, ...]]
"""Of each month, by target."""
LOW = 115
"""The height in pixels of an excerpt's chart."""


def county_trend(figures: Figures, language: Language, tables: ReportTables) -> list[Block]:
    """The table of months, the chart, and how the classrooms' share goes on."""
    months, ratios = _county(figures)
    if len(months) < 2:
        return [Paragraph(say("no_trend", language))]
    return [
        tables.trend(months, ratios),
        _chart(months, ratios, language),
        *_burn_down(figures, months, ratios.get("classroom_bandwidth"), language),
    ]


def area_trend(figures: Figures, language: Language) -> list[Block]:
    """The chart of an excerpt's town or school; without two months that have data: a sentence."""
    by_target = {} if figures.area_trends is UNSET else figures.area_trends.get(figures.scope, {})
    months = [point.month for point in figures.trend]
    ratios = {name: tuple(values) for name, values in by_target.items() if len(values) == len(months)}
    first = min((_first(values) for values in ratios.values()), default=len(months))
    if len(months) - first < 2:
        return [Paragraph(say("no_trend", language), note=True)]
    return [_chart(months[first:], {name: values[first:] for name, values in ratios.items()}, language, LOW)]


def lesson_strips(lessons: Sequence[LessonFigures], language: Language) -> list[Block]:
    """The minutes of the worst lessons, a row for each; nothing where their minutes are not kept. The workbook has their table."""
    rows = [
        (f"{each.school_name} {each.worst_day[5:]} {each.worst_time}", each.worst_minutes)
        for each in worst_of(lessons)
        if each.worst_minutes is not UNSET
    ]
    title = say("chart_lessons", language)
    return [Chart(title, "strips", (), (), charts.strips(rows, title))] if rows else []


def _first(values: Sequence[float | None]) -> int:
    return next((place for place, value in enumerate(values) if value is not None), len(values))


def _county(figures: Figures) -> tuple[list[str], Ratios]:
    """The months from the first with data on, and the ratios of the targets that any of them has."""
    points = figures.trend
    first = next((place for place, point in enumerate(points) if point.counts), len(points))
    points = points[first:]
    if sum(bool(point.counts) for point in points) < 2:
        return [], {}
    names = [target.target for target in figures.targets if any(target.target in point.counts for point in points)]
    ratios = {
        name: tuple(point.counts[name].known_ratio if name in point.counts else None for point in points)
        for name in names
    }
    return [point.month for point in points], ratios


def _chart(months: Sequence[str], ratios: Ratios, language: Language, height: int = charts.HEIGHT) -> Chart:
    labels, title = tuple(_short(month) for month in months), say("chart_trend", language)
    series = tuple(Series(TARGETS[name].in_(language), values) for name, values in ratios.items())
    return Chart(title, "lines", labels, series, charts.lines(labels, series, title, height=height))


def _burn_down(
    figures: Figures, months: Sequence[str], ratios: tuple[float | None, ...] | None, language: Language
) -> list[Block]:
    if ratios is None:
        return []
    title, zeros = say("chart_burn", language), None
    labels = tuple(_short(month) for month in months)
    nearest = next((forecast for forecast in figures.forecasts if forecast.target == "classroom_bandwidth"), None)
    if nearest is not None and nearest.status == "given" and nearest.earliest is not None:
        newest = figures.month
        first = len(labels) - 1 + _months_between(newest, nearest.earliest)
        last = None if nearest.latest is None else len(labels) - 1 + _months_between(newest, nearest.latest)
        end = first + 6 if last is None else last
        labels += tuple(_short(_later(newest, step)) for step in range(1, end - len(labels) + 2))
        zeros = (first, last)
        title = say("chart_forecast", language)
    left = tuple(None if ratio is None else 1 - ratio for ratio in ratios)
    series = (Series(TARGETS["classroom_bandwidth"].in_(language), left),)
    most = max((share for share in left if share is not None), default=1.0)
    top = next(share for share in (0.05, 0.1, 0.25, 0.5, 1.0) if share >= most)
    return [Chart(title, "lines", labels, series, charts.lines(labels, series, title, zeros, top))]


def _months_between(first: str, last: str) -> int:
    years, months = int(last[:4]) - int(first[:4]), int(last[5:]) - int(first[5:])
    return years * 12 + months


def _later(month: str, step: int) -> str:
    whole = int(month[:4]) * 12 + int(month[5:]) - 1 + step
    return f"{whole // 12:04d}-{whole % 12 + 1:02d}"


def _short(month: str) -> str:
    return f"{month[2:4]}-{month[5:]}"
