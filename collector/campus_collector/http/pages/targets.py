"""The five targets as the overview shows them: a card each with the months before, and towns by targets as a table of shades."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from campus_base.figures import percent
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.http.pages.charts import months_chart, share_chart
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.table import area_ratio_words
from campus_collector.judge.tally import SchoolInTown, areas_in
from campus_collector.judge.verdict import AreaVerdict
from campus_wire.bandwidth import Verdict

MONTHS_SHOWN = 12
SHADES = 5
Areas = Mapping[tuple[str, str], AreaVerdict]
"""By town ("" for all of them) and target."""


@dataclass(frozen=True, slots=True)
class TargetCard:
    """One target: this month, the change since the month before, the line of the months, and what is left to do."""

    name: str
    ratio: str
    change: str
    chart: str
    counts: list[tuple[Badge, int]]
    total: str
    latest: str
    to_go: str
    trend: str
    months: list[tuple[str, str]]
    """The months of the line with their rates."""


@dataclass(frozen=True, slots=True)
class HeatCell:
    """A town's rate of one target; `shade` 0 (none met) to 4 (all), -1 without data."""

    text: str
    shade: int
    spoken: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A town by its targets."""

    town: str
    name: str
    schools: int
    cells: list[HeatCell]


def areas_by_key(schools: Mapping[str, SchoolInTown]) -> Areas:
    return {(area.town, area.target): area for area in areas_in(schools.values())}


def months_until(month: Month, first: Month) -> list[Month]:
    """The months of a line, oldest first: twelve, or fewer where there are no data of before."""
    months = [month]
    while len(months) < MONTHS_SHOWN and months[0].first_day > first.first_day:
        months.insert(0, months[0].before())
    return months


def cards(
    reader: Reader, town: str, by_month: Sequence[tuple[Month, Areas]], newest: Mapping[tuple[str, Verdict], int]
) -> list[TargetCard]:
    """A card for each target in an area ("": all towns); the last month is the one that is shown."""
    return [_card(reader, name, town, by_month, newest) for name in TARGET_NAMES]


def _card(
    reader: Reader,
    name: str,
    town: str,
    by_month: Sequence[tuple[Month, Areas]],
    newest: Mapping[tuple[str, Verdict], int],
) -> TargetCard:
    title = reader.text(TARGET_WORDS[name])
    history = [(month, areas.get((town, name))) for month, areas in by_month]
    area = history[-1][1]
    if area is None:
        return TargetCard(title, "—", "", "", [], reader.words("no_subjects"), "", "", "", [])
    counts = [(verdict, int(getattr(area, verdict))) for verdict in Verdict]
    spoken = reader.words("list_comma").join(
        f"{reader.text(VERDICT_WORDS[verdict])} {count}" for verdict, count in counts
    )
    shares = [(verdict.value, count) for verdict, count in counts if verdict is not Verdict.EXEMPT]
    rates = [_rate(each) for _, each in history]
    months = [
        (str(month), "—" if rate is None else percent(rate)) for (month, _), rate in zip(history, rates, strict=True)
    ]
    left = area.not_met + area.insufficient
    return TargetCard(
        title,
        reader.text(area_ratio_words(area)),
        _change(reader, rates),
        share_chart(shares, f"{title}{reader.words('colon')}{spoken}"),
        [(reader.badge(verdict), count) for verdict, count in counts if count or verdict is not Verdict.EXEMPT],
        reader.words("subjects_count", count=area.met + left),
        _by_newest(reader, name, newest),
        reader.words("to_go", count=left) if left else reader.words("none_to_go"),
        months_chart(rates, _months_title(reader, title, months)) if len(rates) > 1 else "",
        months,
    )


def _months_title(reader: Reader, title: str, months: Sequence[tuple[str, str]]) -> str:
    listed = reader.words("list_comma").join(f"{month} {rate}" for month, rate in months)
    return f"{title}{reader.words('colon')}{listed}"


def _rate(area: AreaVerdict | None) -> float | None:
    return area.compliance_ratio if area is not None and area.has_data else None


def _change(reader: Reader, rates: Sequence[float | None]) -> str:
    """Since the month before, in percentage points; "" where either has no data."""
    if len(rates) < 2 or rates[-1] is None or rates[-2] is None:
        return ""
    points = round((rates[-1] - rates[-2]) * 100, 1)
    if not points:
        return reader.words("no_change")
    return reader.words("better_by" if points > 0 else "worse_by", points=f"{abs(points):.1f}")


def _by_newest(reader: Reader, target: str, newest: Mapping[tuple[str, Verdict], int]) -> str:
    """How the newest result of each subject would be judged alone: a month in progress has no verdict yet."""
    met, not_met, unknown = (
        newest.get((target, verdict), 0) for verdict in (Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT)
    )
    return reader.words("by_latest", met=met, not_met=not_met, open=unknown)


def heat(reader: Reader, schools: Mapping[str, SchoolInTown], towns: Mapping[str, str]) -> list[HeatRow]:
    """A row a town, the worst first; names by town."""
    areas = areas_by_key(schools)
    sizes: dict[str, int] = {}
    for school in schools.values():
        sizes[school.town] = sizes.get(school.town, 0) + 1
    rows = []
    for town in sizes:
        if town:
            cells = [heat_cell(reader, name, areas.get((town, name))) for name in TARGET_NAMES]
            rows.append((_worst(areas, town), HeatRow(town, towns.get(town) or town, sizes[town], cells)))
    return [row for _, row in sorted(rows, key=lambda pair: (pair[0], pair[1].town))]


def _worst(areas: Areas, town: str) -> float:
    """Of all targets together, with data or not: what is met of what is judged."""
    of_town = [area for name in TARGET_NAMES if (area := areas.get((town, name))) is not None]
    judged = sum(area.met + area.not_met + area.insufficient for area in of_town)
    return sum(area.met for area in of_town) / judged if judged else 1.0


def heat_cell(reader: Reader, name: str, area: AreaVerdict | None) -> HeatCell:
    """Of one target in an area; None: nothing is judged there."""
    rate = _rate(area)
    if area is None or rate is None:
        text = "—" if area is None else reader.text(area_ratio_words(area))
        return HeatCell(text, -1, "")
    shade = min(SHADES - 1, int(rate * SHADES)) if rate < 1 else SHADES - 1
    if rate < 1 and shade == SHADES - 1:
        shade -= 1  # the darkest is for towns that are done
    judged = area.met + area.not_met + area.insufficient
    return HeatCell(percent(rate), shade, reader.words("met_of", met=area.met, judged=judged))
