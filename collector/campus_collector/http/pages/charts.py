"""The charts of the pages as SVG: legible in black and white, and read out as text. Their colours are the stylesheet's. Pure.

Scales of rates end at 1.5 times the required rate; the solid line is the required rate, the dotted one what the tolerance allows. What
reaches the dotted line passes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from html import escape
from typing import Literal

from campus_collector.http.pages.reader import MARKS

WIDTH, BAR_HEIGHT, GAP = 240, 13, 4
SCALE = 1.5


def rate_chart(
    rates_bits_per_second: list[tuple[str, float | None]],
    required_bits_per_second: float,
    tolerance_ratio: float,
    title: str,
) -> str:
    """One bar a direction, label at its left end; `title` says the same in words. A rate beyond the scale ends in an arrow."""
    height = len(rates_bits_per_second) * (BAR_HEIGHT + GAP) + GAP
    end = required_bits_per_second * SCALE
    required_x, allowed_x = WIDTH / SCALE, WIDTH / SCALE * tolerance_ratio
    parts = [
        f'<svg class="rate" viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
        f'<rect x="0" y="0" width="{WIDTH}" height="{height}" class="ground"/>'
    ]
    for number, (label, rate) in enumerate(rates_bits_per_second):
        y = GAP + number * (BAR_HEIGHT + GAP)
        if rate is not None:
            passes = rate >= required_bits_per_second * tolerance_ratio
            width = max(1.5, min(1.0, rate / end) * WIDTH)
            parts.append(
                f'<rect x="0" y="{y}" width="{width:.1f}" height="{BAR_HEIGHT}" class="{"good" if passes else "bad"}"/>'
            )
            if rate > end:
                middle, tip = y + BAR_HEIGHT / 2, WIDTH - 2
                parts.append(
                    f'<path d="M{tip - 7} {y + 2} L{tip} {middle} L{tip - 7} {y + BAR_HEIGHT - 2}" class="beyond"/>'
                )
        parts.append(f'<text x="4" y="{y + BAR_HEIGHT - 3}" class="label">{escape(label)}</text>')
    parts.append(f'<line x1="{allowed_x:.1f}" x2="{allowed_x:.1f}" y1="0" y2="{height}" class="allowed"/>')
    parts.append(f'<line x1="{required_x:.1f}" x2="{required_x:.1f}" y1="0" y2="{height}" class="required"/></svg>')
    return "".join(parts)


def share_chart(counts: list[tuple[str, int]], title: str) -> str:
    """Shares of a whole as one stacked bar; the classes carry pattern as well as tone."""
    total = sum(count for _, count in counts)
    x = 0.0
    parts = [
        f'<svg class="share" viewBox="0 0 {WIDTH} 14" preserveAspectRatio="none" role="img"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
        '<defs><pattern id="stripes" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        '<rect width="2" height="5" class="stripe"/></pattern></defs>'
        f'<rect x="0" y="0" width="{WIDTH}" height="14" class="ground"/>'
    ]
    for name, count in counts:
        width = WIDTH * count / total if total else 0.0
        if width:
            parts.append(f'<rect x="{x:.2f}" y="0" width="{width:.2f}" height="14" class="{escape(name)}"/>')
        x += width
    return "".join(parts) + "</svg>"


@dataclass(frozen=True, slots=True)
class RatePoint:
    """One test, or the middle one of a day: both ways in bit/s, None where it was not measured. `path` leads to it, `title` says it."""

    at: datetime
    down: float | None
    up: float | None
    path: str
    title: str


TREND_WIDTH, TREND_HEIGHT, TREND_LEFT, TREND_BOTTOM = 860, 240, 52, 26


def trend_chart(
    points: Sequence[RatePoint],
    span: tuple[datetime, datetime],
    required_bits_per_second: float,
    tolerance_ratio: float,
    title: str,
) -> str:
    """Rates both ways over time against the required one: discs are down, hollow squares up. What is beyond the scale (1.5 times the
    required rate) stands at its upper edge."""
    top = required_bits_per_second * SCALE
    length = (span[1] - span[0]).total_seconds()

    def x(at: datetime) -> float:
        return TREND_LEFT + (TREND_WIDTH - TREND_LEFT - 8) * (at - span[0]).total_seconds() / length

    def y(rate: float) -> float:
        return 8 + (TREND_HEIGHT - 8 - TREND_BOTTOM) * (1 - min(1.0, rate / top))

    parts = [_svg("trend", TREND_WIDTH, TREND_HEIGHT, title, "group")]
    right = TREND_WIDTH - 8
    for share in (0.0, 0.5, 1.0, SCALE):
        at = y(required_bits_per_second * share)
        parts.append(f'<line x1="{TREND_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        rate = f"{required_bits_per_second * share / 1e6:.0f}"
        parts.append(f'<text x="{TREND_LEFT - 6}" y="{at + 4:.1f}" class="label" text-anchor="end">{rate}</text>')
    for name, share in (("required", 1.0), ("allowed", tolerance_ratio)):
        at = y(required_bits_per_second * share)
        parts.append(f'<line x1="{TREND_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" class="{name}"/>')
    parts += [
        f'<text x="{x(at):.1f}" y="{TREND_HEIGHT - 8}" class="label" text-anchor="middle">{escape(words)}</text>'
        for at, words in _ticks(span)
    ]
    least = required_bits_per_second * tolerance_ratio
    for point in points:
        marks = []
        if point.down is not None:
            tone = "good" if point.down >= least else "bad"
            marks.append(f'<circle cx="{x(point.at):.1f}" cy="{y(point.down):.1f}" r="3.4" class="{tone}"/>')
        if point.up is not None:
            tone = "good" if point.up >= least else "bad"
            marks.append(
                f'<rect x="{x(point.at) - 3:.1f}" y="{y(point.up) - 3:.1f}" width="6" height="6" class="hollow {tone}"/>'
            )
        if marks:
            parts.append(f'<a href="{escape(point.path)}"><title>{escape(point.title)}</title>{"".join(marks)}</a>')
    return "".join(parts) + "</svg>"


def _ticks(span: tuple[datetime, datetime]) -> list[tuple[datetime, str]]:
    """Days of a month, or months of a longer span."""
    days = (span[1] - span[0]).days
    if days <= 62:
        step = timedelta(days=5)
        first = span[0]
        return [(first + step * number, f"{first + step * number:%m-%d}") for number in range(max(1, days // 5))]
    ticks, at = [], span[0]
    while at < span[1]:
        ticks.append((at, f"{at:%Y-%m}"))
        at = (at.replace(day=1) + timedelta(days=32)).replace(day=1)
    return ticks


MONTHS_WIDTH, MONTHS_HEIGHT = 240, 54


def months_chart(values: Sequence[float | None], title: str, most: float = 1.0) -> str:
    """A line over months, the newest at the right; `values` 0 to `most`, None leaves a gap. The newest has a mark."""
    parts = [_svg("months", MONTHS_WIDTH, MONTHS_HEIGHT, title)]
    parts.append(f'<rect x="0" y="0" width="{MONTHS_WIDTH}" height="{MONTHS_HEIGHT}" class="ground"/>')
    runs: list[list[tuple[float, float]]] = [[]]
    for number, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        across = 6 + (MONTHS_WIDTH - 12) * (number / (len(values) - 1) if len(values) > 1 else 1.0)
        runs[-1].append((across, 6 + (MONTHS_HEIGHT - 12) * (1 - min(1.0, value / most if most else 0.0))))
    for run in runs:
        if len(run) == 1:
            parts.append(f'<circle cx="{run[0][0]:.1f}" cy="{run[0][1]:.1f}" r="2" class="point"/>')
        elif run:
            corners = " ".join(f"{across:.1f},{down:.1f}" for across, down in run)
            parts.append(f'<polyline points="{corners}" class="line"/>')
    newest = next((run[-1] for run in reversed(runs) if run), None)
    if newest is not None:
        parts.append(f'<circle cx="{newest[0]:.1f}" cy="{newest[1]:.1f}" r="3.4" class="point"/>')
    return "".join(parts) + "</svg>"


CELL = 20
_MARKS = {"none": ""} | {verdict.value: mark for verdict, mark in MARKS.items()}


def day_strip(days: Sequence[tuple[str, str]], title: str) -> str:
    """A cell for each day: its label and how it is judged ("met", "not_met", "insufficient", "exempt", "none"), by tone and by mark."""
    parts = [_svg("days", CELL * max(1, len(days)), CELL + 14, title)]
    for number, (label, judged) in enumerate(days):
        left = number * CELL
        parts.append(
            f'<g><title>{escape(label)}</title><rect x="{left + 1}" y="1" width="{CELL - 2}" height="{CELL - 2}" class="cell {escape(judged)}"/>'
            f'<text x="{left + CELL / 2}" y="{CELL - 5}" class="mark" text-anchor="middle">{_MARKS[judged]}</text></g>'
        )
        if number % 5 == 0 or len(days) <= 7:
            parts.append(
                f'<text x="{left + CELL / 2}" y="{CELL + 11}" class="label" text-anchor="middle">{escape(label[-2:])}</text>'
            )
    return "".join(parts) + "</svg>"


def _svg(name: str, width: int, height: int, title: str, role: Literal["img", "group"] = "img") -> str:
    """The beginning of a picture that a screen reader reads out as its title; a "group" has links in it, an "img" has not."""
    return (
        f'<svg class="{name}" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="{role}"'
        f' aria-label="{escape(title)}"><title>{escape(title)}</title>'
    )


QUARTERS_OF_A_DAY = 96
QUARTER_WIDTH, STRIP_HEIGHT = 4, 24
STRIP_HEIGHTS = {"up": 10, "down": STRIP_HEIGHT - 2}
"""A state is told by the height of its bar too, so that it is seen without colour; what is not known has no bar."""


def state_strip(runs: Sequence[tuple[int, int, str, str]], title: str) -> str:
    """The states of one day: (first quarter of an hour, the one after the last, "up" or "down", in words) of each run."""
    width = QUARTERS_OF_A_DAY * QUARTER_WIDTH
    parts = [_svg("states", width, STRIP_HEIGHT + 14, title)]
    parts.append(f'<rect x="0" y="0" width="{width}" height="{STRIP_HEIGHT}" class="ground"/>')
    for first, after, state, words in runs:
        height = STRIP_HEIGHTS[state]
        parts.append(
            f'<rect x="{first * QUARTER_WIDTH}" y="{STRIP_HEIGHT - height}" width="{(after - first) * QUARTER_WIDTH}"'
            f' height="{height}" class="{"good" if state == "up" else "bad"}"><title>{escape(words)}</title></rect>'
        )
    for hour, anchor in ((0, "start"), (6, "middle"), (12, "middle"), (18, "middle"), (24, "end")):
        across = hour * 4 * QUARTER_WIDTH
        parts.append(f'<line x1="{across}" x2="{across}" y1="0" y2="{STRIP_HEIGHT}" class="grid"/>')
        parts.append(
            f'<text x="{across}" y="{STRIP_HEIGHT + 11}" class="label" text-anchor="{anchor}">{hour}:00</text>'
        )
    return "".join(parts) + "</svg>"


MINUTE_WIDTH, MINUTE_LEFT, MINUTE_HEIGHT = 5, 46, 20
MINUTE_HEIGHTS = {"good": 7, "bad": MINUTE_HEIGHT - 2}


@dataclass(frozen=True, slots=True)
class MinuteHour:
    """An hour of a day by its minutes: `runs` are (first minute, the one after the last, "good", "bad" or "unknown", in words); `lessons` are
    the minutes (first, the one after the last) that lie in lessons."""

    hour: int
    runs: Sequence[tuple[int, int, str, str]]
    lessons: Sequence[tuple[int, int]]


def minute_strips(hours: Sequence[MinuteHour], title: str) -> str:
    """A row for each hour, so that a minute can be seen on a telephone. A minute's quality is told by the height of its bar, of what is not
    known there is a frame only; a line below marks lessons."""
    step, width = MINUTE_HEIGHT + 12, MINUTE_LEFT + 60 * MINUTE_WIDTH + 2
    parts = [_svg("minutes", width, step * max(1, len(hours)) + 14, title)]
    for number, hour in enumerate(hours):
        top = number * step
        bottom = top + MINUTE_HEIGHT
        parts.append(f'<text x="0" y="{bottom - 5}" class="label">{hour.hour:02d}:00</text>')
        parts.append(
            f'<rect x="{MINUTE_LEFT}" y="{top}" width="{60 * MINUTE_WIDTH}" height="{MINUTE_HEIGHT}" class="ground"/>'
        )
        for first, after, quality, words in hour.runs:
            height = MINUTE_HEIGHTS.get(quality, MINUTE_HEIGHT - 8)
            parts.append(
                f'<rect x="{MINUTE_LEFT + first * MINUTE_WIDTH}" y="{bottom - height}" width="{(after - first) * MINUTE_WIDTH}"'
                f' height="{height}" class="{escape(quality)}"><title>{escape(words)}</title></rect>'
            )
        for first, after in hour.lessons:
            left, right = MINUTE_LEFT + first * MINUTE_WIDTH, MINUTE_LEFT + after * MINUTE_WIDTH
            parts.append(
                f'<line x1="{left}" x2="{right}" y1="{bottom + 4}" y2="{bottom + 4}" class="lesson"/>'
                f'<path d="M{left + 0.5} {bottom + 1}v6M{right - 0.5} {bottom + 1}v6" class="lesson end"/>'
            )
    foot = step * max(1, len(hours)) + 8
    for minute in (0, 15, 30, 45):
        across = MINUTE_LEFT + minute * MINUTE_WIDTH
        parts.append(f'<text x="{across}" y="{foot}" class="label">:{minute:02d}</text>')
    return "".join(parts) + "</svg>"


DELAY_HEIGHT = 170


def delay_chart(
    points: Sequence[tuple[datetime, float | None, float | None]],
    span: tuple[datetime, datetime],
    limits_seconds: Sequence[float],
    title: str,
) -> str:
    """Round trips in ms over time: (when, idle, under load) in seconds; discs are idle, crosses under load. A dotted line is a limit."""
    values = [value for _, *pair in points for value in pair if value is not None]
    top = max([*values, *limits_seconds, 0.001]) * 1.1
    length = (span[1] - span[0]).total_seconds()
    right = TREND_WIDTH - 8

    def x(at: datetime) -> float:
        return TREND_LEFT + (right - TREND_LEFT) * (at - span[0]).total_seconds() / length

    def y(seconds: float) -> float:
        return 8 + (DELAY_HEIGHT - 8 - TREND_BOTTOM) * (1 - seconds / top)

    parts = [_svg("trend delays", TREND_WIDTH, DELAY_HEIGHT, title)]
    for share in (0.0, 0.5, 1.0):
        at = y(top * share)
        parts.append(f'<line x1="{TREND_LEFT}" x2="{right}" y1="{at:.1f}" y2="{at:.1f}" class="grid"/>')
        parts.append(
            f'<text x="{TREND_LEFT - 6}" y="{at + 4:.1f}" class="label" text-anchor="end">{top * share * 1000:.3g}</text>'
        )
    for limit in limits_seconds:
        parts.append(f'<line x1="{TREND_LEFT}" x2="{right}" y1="{y(limit):.1f}" y2="{y(limit):.1f}" class="allowed"/>')
    parts += [
        f'<text x="{x(at):.1f}" y="{DELAY_HEIGHT - 8}" class="label" text-anchor="middle">{escape(words)}</text>'
        for at, words in _ticks(span)
    ]
    discs = "".join(f"M{x(at):.0f} {y(idle):.1f}h0" for at, idle, _ in points if idle is not None)
    crosses = "".join(
        f"M{x(at) - 3:.0f} {y(loaded) - 3:.1f}l6 6m0-6l-6 6" for at, _, loaded in points if loaded is not None
    )
    parts.append(f'<path d="{discs}" class="idle"/><path d="{crosses}" class="loaded"/></svg>')
    return "".join(parts)
