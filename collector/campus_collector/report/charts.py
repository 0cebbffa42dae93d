"""Charts as SVG of our own: legible in black and white, because reports are copied. Pure.

Lines differ by dash and by mark, bars by pattern; every line is named at its end. Shares 0-1 from bottom to top.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from campus_base.figures import percent
from campus_base.text import printable
from campus_collector.report.document import Series

WIDTH, HEIGHT = 640, 260
LEFT, TOP, BOTTOM = 44, 14, 30
LEAST_RIGHT = 128
"""Pixels for the names at the right; longer names get more."""
DASHES = ("", "7 3", "2 3", "9 3 2 3", "1 4")
INK = "#1a1a1a"
FONT = 'font-family="Noto Sans CJK SC, Microsoft YaHei, SimHei, sans-serif"'


@dataclass(frozen=True, slots=True)
class _Axes:
    """Where a label's place and a share are drawn; the vertical axis ends at the share `top`. The picture's height is in pixels."""

    labels: int
    top: float
    right: float
    height: int = HEIGHT

    def x(self, position: int) -> float:
        """The distance from the left, in pixels."""
        width = WIDTH - LEFT - self.right
        return LEFT + (width * position / (self.labels - 1) if self.labels > 1 else width / 2)

    def y(self, share: float) -> float:
        """The distance from the top, in pixels."""
        return TOP + (self.height - TOP - BOTTOM) * (1 - share / self.top)


def lines(
    labels: Sequence[str],
    series: Sequence[Series],
    title: str,
    until_zero: tuple[int, int | None] | None = None,
    top: float = 1.0,
    height: int = HEIGHT,
) -> str:
    """A line for each series over the labels; gaps stay gaps. The axis ends at the share `top`. `height` is in pixels.

    `until_zero` are the places of the labels where the only series is foretold to reach 0, at the earliest and at the latest (None: not to be
    said): what lies between is hatched.
    """
    axes = _Axes(len(labels), top, _right_margin(series), height)
    parts = [_open(WIDTH, height, title), _grid(axes)]
    step = max(1, -(-len(labels) // 12))
    for position in range(0, len(labels), step):
        parts.append(_text(axes.x(position), height - 10, labels[position], "middle"))
    if until_zero is not None:
        parts.append(_cone(axes, series[0], until_zero))
    for number, part in enumerate(series):
        parts += _line(axes, number, part)
    parts += _line_names(axes, series)
    return "".join(parts) + "</svg>"


def _line(axes: _Axes, number: int, series: Series) -> Iterator[str]:
    """A polyline for each run without gaps, and a mark at each point."""
    dashes = DASHES[number % len(DASHES)]
    dash = f' stroke-dasharray="{dashes}"' if dashes else ""
    runs: list[list[str]] = [[]]
    marks = []
    for position, value in enumerate(series.values):
        if value is None:
            runs.append([])
        else:
            runs[-1].append(f"{axes.x(position):.1f},{axes.y(value):.1f}")
            marks.append(_mark(number, axes.x(position), axes.y(value)))
    for run in runs:
        if len(run) > 1:
            yield f'<polyline points="{" ".join(run)}" fill="none" stroke="{INK}" stroke-width="1.6"{dash}/>'
    yield from marks


def _line_names(axes: _Axes, series: Sequence[Series]) -> Iterator[str]:
    """At the right of each line's last point, moved down where they would overlap."""
    last = [next((value for value in reversed(part.values) if value is not None), None) for part in series]
    ends = [(axes.y(value), number, value) for number, value in enumerate(last) if value is not None]
    lowest = TOP - 8.0
    for y, number, value in sorted(ends):
        lowest = max(y, lowest + 15)
        yield _mark(number, WIDTH - axes.right + 12, lowest)
        yield _text(WIDTH - axes.right + 20, lowest + 4, f"{series[number].name} {percent(value)}", "start")


def _right_margin(series: Sequence[Series]) -> float:
    """Pixels for the longest name with its share: a Chinese character is as wide as the letters are high, another about 0.6 of it."""
    widths = (sum(11.0 if ord(sign) > 0x2E80 else 6.6 for sign in f"{part.name} 100.0%") for part in series)
    return max(LEAST_RIGHT, 24 + max(widths, default=0.0))


def bars(labels: Sequence[str], series: Series, title: str) -> str:
    """A bar for each label, longest names at the left, the share at the bar's end."""
    row = 20
    left = 24 + 12 * max((len(label) for label in labels), default=4)
    left = min(left, 260)
    height = TOP + row * len(labels) + 8
    width = WIDTH - left - 70
    parts = [
        _open(WIDTH, height, title),
        '<defs><pattern id="hatch" width="5" height="5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="5" height="5" fill="#ffffff"/><rect width="2" height="5" fill="{INK}"/></pattern></defs>',
    ]
    for position, (label, value) in enumerate(zip(labels, series.values, strict=True)):
        top = TOP + position * row
        parts.append(_text(left - 8, top + 13, label if len(label) <= 20 else label[:19] + "…", "end"))
        if value is None:
            parts.append(_text(left + 4, top + 13, "—", "start"))
            continue
        fill = "#8c8c8c" if value >= 1 else "url(#hatch)"
        length = max(1.0, width * value)
        parts.append(
            f'<rect x="{left}" y="{top + 3}" width="{length:.1f}" height="{row - 7}" fill="{fill}" stroke="{INK}" stroke-width="0.8"/>'
        )
        parts.append(_text(left + length + 6, top + 13, percent(value), "start"))
    return "".join(parts) + "</svg>"


def strips(rows: Sequence[tuple[str, str]], title: str) -> str:
    """A row for each lesson: its name, and a bar for each minute by its letter (`LessonFigures.worst_minutes`). Bad is high and dark, good is
    low, what was not observed is a frame, what was not reported is empty."""
    row, bar = 38, 18
    most = max((len(minutes) for _, minutes in rows), default=1)
    step = min(9.0, (WIDTH - 16) / max(1, most))
    height = TOP + row * len(rows)
    parts = [_open(WIDTH, height, title)]
    for number, (name, minutes) in enumerate(rows):
        top = TOP + number * row
        parts.append(_text(8, top, name, "start"))
        bottom = top + 6 + bar
        for place, letter in enumerate(minutes):
            tall, fill = _MINUTES.get(letter, (0, ""))
            if tall:
                parts.append(
                    f'<rect x="{8 + place * step:.1f}" y="{bottom - tall}" width="{step - 1:.1f}" height="{tall}" fill="{fill}"'
                    f' stroke="{INK}" stroke-width="0.5"/>'
                )
        end = 8 + len(minutes) * step
        parts.append(
            f'<line x1="8" x2="{end:.1f}" y1="{bottom + 2}" y2="{bottom + 2}" stroke="{INK}" stroke-width="1"/>'
        )
    return "".join(parts) + "</svg>"


_MINUTES = {"g": (5, "#c8c8c8"), "b": (18, INK), "u": (11, "#ffffff")}
"""Height in pixels and colour of a minute's bar."""


def _cone(axes: _Axes, series: Series, zeros: tuple[int, int | None]) -> str:
    """From the newest value to where it may reach 0. Without a latest month it stays open at the right edge."""
    position, value = [(position, value) for position, value in enumerate(series.values) if value is not None][-1]
    earliest, latest = zeros
    x, y, last = axes.x, axes.y, axes.labels - 1
    far = f"{x(last):.1f},{y(value):.1f} {x(last):.1f},{y(0):.1f}" if latest is None else f"{x(latest):.1f},{y(0):.1f}"
    return (
        f'<defs><pattern id="cone" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
        f'<rect width="1" height="6" fill="{INK}"/></pattern></defs>'
        f'<polygon points="{x(position):.1f},{y(value):.1f} {far} {x(earliest):.1f},{y(0):.1f}" fill="url(#cone)"'
        f' fill-opacity="0.45" stroke="{INK}" stroke-width="0.8" stroke-dasharray="3 3"/>'
    )


def _grid(axes: _Axes) -> str:
    parts = []
    for fifth in range(6):
        at = axes.y(fifth / 5 * axes.top)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - axes.right:.1f}" y1="{at:.1f}" y2="{at:.1f}" stroke="#c8c8c8" stroke-width="0.7"/>'
        )
        parts.append(_text(LEFT - 6, at + 4, f"{fifth * 20 * axes.top:g}%", "end"))
    return "".join(parts)


def _mark(number: int, x: float, y: float) -> str:
    """Disc, square, triangle, ring, diamond."""
    kind = number % 5
    if kind == 0:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="{INK}"/>'
    if kind == 1:
        return f'<rect x="{x - 3:.1f}" y="{y - 3:.1f}" width="6" height="6" fill="#ffffff" stroke="{INK}" stroke-width="1.3"/>'
    if kind == 2:
        return f'<path d="M{x:.1f} {y - 4:.1f}L{x + 4:.1f} {y + 3:.1f}L{x - 4:.1f} {y + 3:.1f}Z" fill="{INK}"/>'
    if kind == 3:
        return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" fill="#ffffff" stroke="{INK}" stroke-width="1.3"/>'
    return f'<path d="M{x:.1f} {y - 4:.1f}L{x + 4:.1f} {y:.1f}L{x:.1f} {y + 4:.1f}L{x - 4:.1f} {y:.1f}Z" fill="{INK}"/>'


def _open(width: float, height: float, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img"'
        f' aria-label="{escape(printable(title))}"><title>{escape(printable(title))}</title>'
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>'
    )


def _text(x: float, y: float, words: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-size="11" {FONT} fill="{INK}" text-anchor="{anchor}">{escape(printable(words))}</text>'
