"""How a subject did over a month, a term or a year: which results are drawn, and what they come to by day or by month. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from statistics import median

from starlette.requests import Request

from campus_collector.http.query import choices
from campus_collector.http.responses import bad_value
from campus_collector.judge.month import Month
from campus_wire.bandwidth import Verdict, line_rate_of, verdict_of
from campus_wire.records import ThroughputRecord, ThroughputResult, outcome_of

SPANS = ("month", "term", "year")
MOST_POINTS = 200
"""More tests than these are not drawn one by one: the middle one of each day is, or of several days."""
TERM_BEGINS = (9, 2)
"""A term begins on the first of September, or of February."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a page looks back on: from the first month to the end of the last."""

    name: str
    first: Month
    last: Month

    @property
    def start(self) -> datetime:
        return self.first.start

    @property
    def end(self) -> datetime:
        return self.last.end

    @property
    def local(self) -> tuple[datetime, datetime]:
        """The same moments in local time, for a chart."""
        return self.start.astimezone(self.last.zone), self.end.astimezone(self.last.zone)


def requested_span(request: Request, month: Month) -> Span:
    """`?span=`: the month itself when there is none. Raises HttpProblem 400."""
    name = request.query_params.get("span") or "month"
    if name not in SPANS:
        raise bad_value("span", name, choices(SPANS))
    return span_to(name, month)


def span_to(name: str, month: Month) -> Span:
    """That ends with a month: the month, the term since its beginning, or twelve months."""
    first = month
    if name == "term":
        while first.number not in TERM_BEGINS:
            first = first.before()
    elif name == "year":
        for _ in range(11):
            first = first.before()
    return Span(name, first, month)


@dataclass(frozen=True, slots=True)
class Test:
    """A sound throughput test: line rates in bit/s, round trips in seconds; None where it was not measured."""

    at: datetime
    result: ThroughputResult
    down: float | None
    up: float | None
    idle: float | None
    loaded: float | None
    smaller: float
    """Of both line rates: what decides."""


def sound_tests(results: Sequence[object], month: Month) -> list[Test]:
    """Those results that say how fast the line is, oldest first; times are local."""
    tests = []
    for result in results:
        if not isinstance(result, ThroughputResult) or outcome_of(result) != "ok" or result.record is None:
            continue
        record = result.record
        down, up = rates_of(record)
        rates = [rate for rate in (down, up) if rate is not None]
        if not rates:
            continue
        idle, loaded = delays_of(record)
        tests.append(Test(result.started_at.astimezone(month.zone), result, down, up, idle, loaded, min(rates)))
    return sorted(tests, key=lambda test: (test.at, test.result.id))


def rates_of(record: ThroughputRecord) -> tuple[float | None, float | None]:
    """The line rates down and up, in bit/s."""
    down, up = (
        None if direction is None else line_rate_of(direction, record.encapsulation)
        for direction in (record.down, record.up)
    )
    return down, up


def delays_of(record: ThroughputRecord) -> tuple[float | None, float | None]:
    """The median round trip while nothing runs, and the 95 % one under load, in seconds."""
    idle = record.idle.rtt_median_seconds if record.idle else None
    return idle, record.working.rtt_p95_seconds if record.working else None


def drawn(tests: Sequence[Test]) -> tuple[list[Test], int]:
    """The tests to draw, and of how many days each is the middle one by its smaller line rate; 0: all are drawn."""
    if len(tests) <= MOST_POINTS:
        return list(tests), 0
    days = {test.at.date().toordinal() for test in tests}
    step = next(step for step in count(1) if len({day // step for day in days}) <= MOST_POINTS)
    grouped: dict[int, list[Test]] = {}
    for test in tests:
        grouped.setdefault(test.at.date().toordinal() // step, []).append(test)
    return [_middle(group) for _, group in sorted(grouped.items())], step


def _middle(tests: Sequence[Test]) -> Test:
    """Of an even number the lower of both in the middle."""
    return sorted(tests, key=lambda test: test.smaller)[(len(tests) - 1) // 2]


@dataclass(frozen=True, slots=True)
class Bucket:
    """A day, or a month, of tests: how many reached the target (0 where none is given), the lowest and the middle rates (bit/s), the middle round trips (seconds).

    `middle` is the test in the middle, `label` the day or month.
    """

    label: str
    tests: int
    reached: int
    lowest: float
    down: float | None
    up: float | None
    idle: float | None
    loaded: float | None
    middle: Test


def buckets(tests: Sequence[Test], span: Span, required: float | None, tolerance_ratio: float) -> list[Bucket]:
    """By day within a month, by month within a longer span; the newest first."""
    by_day = span.name == "month"
    grouped: dict[tuple[int, int, int], list[Test]] = {}
    for test in tests:
        at = test.at
        grouped.setdefault((at.year, at.month, at.day if by_day else 0), []).append(test)
    return [
        Bucket(
            f"{month:02d}-{day:02d}" if by_day else f"{year}-{month:02d}",
            len(group),
            sum(verdict_of(test.result, required, tolerance_ratio) is Verdict.MET for test in group) if required else 0,
            min(test.smaller for test in group),
            _median([test.down for test in group]),
            _median([test.up for test in group]),
            _median([test.idle for test in group]),
            _median([test.loaded for test in group]),
            _middle(group),
        )
        for (year, month, day), group in sorted(grouped.items(), reverse=True)
    ]


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return median(known) if known else None


@dataclass(frozen=True, slots=True)
class Run:
    """Neighbouring quarters of an hour in which a thing was in one state; `after` is the quarter after the last."""

    first: int
    after: int
    up: bool


def runs_of_day(polls: Sequence[tuple[datetime, bool | None]]) -> list[Run]:
    """The states of one local day by quarter of an hour: down when any poll of it found it so; without a poll no run."""
    quarters: dict[int, bool] = {}
    for at, up in polls:
        if up is not None:
            quarter = at.hour * 4 + at.minute // 15
            quarters[quarter] = quarters.get(quarter, True) and up
    runs: list[Run] = []
    for quarter, up in sorted(quarters.items()):
        if runs and runs[-1].after == quarter and runs[-1].up == up:
            runs[-1] = Run(runs[-1].first, quarter + 1, up)
        else:
            runs.append(Run(quarter, quarter + 1, up))
    return runs
