"""All numbers of a monthly report, in one set that every form and language is made of. Kept as JSON when the month is closed. Pure."""

from collections.abc import Iterable
from hashlib import sha256

import msgspec
from msgspec import UNSET, UnsetType

from campus_collector.domain.official import Official
from campus_wire.bandwidth import Verdict


class Count(msgspec.Struct, frozen=True):
    """How many subjects of a target have which verdict."""

    met: int = 0
    not_met: int = 0
    insufficient: int = 0
    exempt: int = 0

    @property
    def judged(self) -> int:
        """All that count: what is insufficient counts as not met."""
        return self.met + self.not_met + self.insufficient

    @property
    def unmet(self) -> int:
        """Judged, and not met or insufficient."""
        return self.not_met + self.insufficient

    @property
    def ratio(self) -> float | None:
        """Met / (all - exempt); None when nothing is to be judged."""
        return self.met / self.judged if self.judged else None

    @property
    def has_data(self) -> bool:
        """Does any subject have enough results for a verdict? Without, the ratio of 0 says nothing."""
        return self.met + self.not_met > 0

    @property
    def coverage(self) -> float | None:
        """The share that has enough valid results for a verdict; None when nothing is to be judged."""
        return (self.met + self.not_met) / self.judged if self.judged else None

    @property
    def known_ratio(self) -> float | None:
        """The ratio where something was measured; None when it is not known."""
        return self.ratio if self.has_data else None


def count_of(verdicts: Iterable[Verdict]) -> Count:
    listed = list(verdicts)
    return Count(
        *(listed.count(verdict) for verdict in (Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT, Verdict.EXEMPT))
    )


class TargetFigures(msgspec.Struct, frozen=True):
    """A target in the whole area; ratios of the month before and of the year before, None where nothing was judged."""

    target: str
    count: Count
    last_month: float | None
    last_year: float | None
    required_bits_per_second: float | None = None


class TownFigures(msgspec.Struct, frozen=True):
    """A town; `score` is the mean of its ratios of the targets that the towns are compared on, `rank` begins with 1, equal scores share one.

    Both are None for a town that is not ranked: too few of its subjects have enough data.
    """

    id: str
    name: str
    schools: int
    counts: dict[str, Count]
    score: float | None
    rank: int | None
    last_score: float | None = None
    """Of the month before, on the same targets."""


class SchoolFigures(msgspec.Struct, frozen=True):
    """A school; `valid_results` of all its subjects together."""

    id: str
    name: str
    town: str
    town_name: str
    town_seat: bool
    counts: dict[str, Count]
    valid_results: int


class Failing(msgspec.Struct, frozen=True):
    """A subject that does not meet its target: the likeliest cause and who has to act.

    What was measured (bits per second) is the middle of all valid tests.
    """

    target: str
    school: str
    school_name: str
    town: str
    town_name: str
    subject: str
    name: str
    verdict: Verdict
    measured_bits_per_second: float | None
    required_bits_per_second: float | None
    valid_results: int
    passing_results: int
    cause: str
    unit: str
    passing_share: float | UnsetType = UNSET
    """Which share of the valid results has to pass: the figure that decides, with `passing_results` and `valid_results`."""
    fell_short_bits_per_second: float | UnsetType = UNSET
    """The middle of the tests that fell short, where the target is not met: what stands beside the verdict."""
    since: str | UnsetType = UNSET
    """The day on which the ledger's open problem was registered."""


class RoomFigures(msgspec.Struct, frozen=True):
    """The recording room of a school that must have one; `availability` is the share of polls in school hours with some room up."""

    school: str
    school_name: str
    town: str
    town_name: str
    verdict: Verdict
    polls: int
    availability: float | None
    cause: str


class PlatformFigures(msgspec.Struct, frozen=True):
    """A platform as its schools reach it; seconds to the first byte in the middle of all schools' medians."""

    service: str
    name: str
    count: Count
    requests: int
    success_ratio: float | None
    first_byte_seconds: float | None


class LedgerFigures(msgspec.Struct, frozen=True):
    """The ledger in the month, and as it stood at its end: opening + opened - struck off - ended otherwise = open.

    What a report closed by an earlier version does not have is unset, and left out when it is encoded: its hash stays.
    """

    opened: int = 0
    struck_off: int = 0
    contradicted: int = 0
    open: int = 0
    overdue: int = 0
    by_unit: dict[str, int] = {}
    opening: int | UnsetType = UNSET
    ended_otherwise: int | UnsetType = UNSET
    looked_until: str | UnsetType = UNSET
    """The last day that the ledger had looked at, where that was before the end of what the report covers."""


class LedgerLine(msgspec.Struct, frozen=True):
    """A problem that is overdue, or whose claim the measurements contradicted."""

    number: int
    school_name: str
    town: str
    town_name: str
    target: str
    name: str
    cause: str
    unit: str
    opened_on: str
    due_on: str
    overdue: bool
    contradicted: bool
    school: str = ""


class DataFigures(msgspec.Struct, frozen=True):
    """What the verdicts rest on: results by outcome, why others could not be judged, and schools without any valid result."""

    valid: int
    passing: int
    invalid: int
    failed: int
    skipped: int
    reasons: dict[str, int]
    silent_schools: list[str]


class AgreementFigures(msgspec.Struct, frozen=True):
    """The quick engine against iperf3: directions compared, those with the same verdict, median ratio of rates."""

    segment: str
    compared: int
    agreeing: int
    rate_ratio: float | None


class TrendPoint(msgspec.Struct, frozen=True):
    """A month of the past: counts by target; None where there are no data."""

    month: str
    counts: dict[str, Count]


class Forecast(msgspec.Struct, frozen=True):
    """When a target will be met everywhere, if it goes on so: between two months, with 95 % confidence; or why nothing can be said."""

    target: str
    status: str
    months: int
    earliest: str | None = None
    latest: str | None = None


class Correction(msgspec.Struct, frozen=True):
    """A verdict of a closed month that results which came later have changed."""

    month: str
    target: str
    school: str
    school_name: str
    subject: str
    name: str
    was: Verdict
    now: Verdict


class Head(msgspec.Struct, frozen=True):
    """The head of a school's chain of results: whoever holds this page can prove what was stored before it was printed."""

    school: str
    results: int
    head: str


class TargetChange(msgspec.Struct, frozen=True):
    """Subjects whose verdict changed between met and not met (or insufficient) since the month before; the schools with most of them, most first."""

    target: str
    repaired: int
    worse: int
    repaired_schools: list[tuple[str, int]] = []
    worse_schools: list[tuple[str, int]] = []


class CarrierLine(msgspec.Struct, frozen=True):
    """A school's access line as the inventory names it; rates in bits per second, measured in the slower direction.

    `kept` says whether the measured rate keeps the promise, within the tolerance; None where one of them is not known. `since` is the first
    day of the first month in a row in which it did not, or the day on which the ledger's open problem of the line was registered.
    """

    school: str
    school_name: str
    town: str
    town_name: str
    carrier: str
    contract: str
    promised_bits_per_second: int | None
    measured_bits_per_second: float | None
    kept: bool | None
    since: str = ""


class ServerFigures(msgspec.Struct, frozen=True):
    """A server that uplinks were tested against in the month, as the results name it ("": they do not), with its name and place where the
    configuration has them; how many schools' tests, and how many tests."""

    host: str
    name: str
    place: str
    schools: int
    tests: int


LAYOUT = 3
"""Which arrangement of the document the figures are closed with: reports of another one stay as they were issued."""


class LessonFigures(msgspec.Struct, frozen=True):
    """A school's minutes of lessons, and its worst lesson: `worst_bad` of `worst_observed` minutes, its day YYYY-MM-DD and time HH:MM–HH:MM; ""
    when no minute was bad."""

    school: str
    school_name: str
    observed: int
    good: int
    worst_day: str = ""
    worst_time: str = ""
    worst_bad: int = 0
    worst_observed: int = 0
    worst_minutes: str | UnsetType = UNSET
    """Of the lessons that the report names: a letter for each minute, `g` good, `b` bad, `u` not observed, `-` not reported."""


class UseFigures(msgspec.Struct, frozen=True):
    """How many timetabled lessons of a school's recording rooms were recorded or streamed, by what recorders told: no target is judged by it.

    `timetabled` counts a lesson for each room whose recorders told anything in the month; in `unknown` of them none did.
    """

    school: str
    school_name: str
    town_name: str
    rooms: int
    timetabled: int
    recorded: int
    streamed: int
    unused: int
    unknown: int


class Figures(msgspec.Struct, frozen=True):
    """Everything; `scope` is "" for the county, else `town:ID` or `school:ID`. `issued_on` and `first_day` are YYYY-MM-DD."""

    month: str
    county: str
    scope: str
    scope_name: str
    issued_on: str
    closed: bool
    complete: bool
    simulated: bool
    policy_version: str
    tolerance_ratio: float
    rules_changed: list[str]
    schools_total: int
    targets: list[TargetFigures]
    towns: list[TownFigures]
    schools: list[SchoolFigures]
    failing: list[Failing]
    rooms: list[RoomFigures]
    platforms: list[PlatformFigures]
    ledger: LedgerFigures
    ledger_lines: list[LedgerLine]
    data: DataFigures
    agreement: list[AgreementFigures]
    trend: list[TrendPoint]
    forecasts: list[Forecast]
    corrections: list[Correction]
    heads: list[Head] = []
    compared_on: list[str] | UnsetType = UNSET
    """The targets that the towns are compared on."""
    provisional_calendar: bool | UnsetType = UNSET
    """Were holidays of the month not announced yet when it was worked out? Workdays are then Monday to Friday."""
    rules: dict[str, tuple[str, str]] = {}
    """How each target is judged, in words: English, Chinese. Kept with the figures, because policies change."""
    program_version: str = ""
    as_of: str | msgspec.UnsetType = msgspec.UNSET
    """Everything that had come until then (YYYY-MM-DD HH:MM, the collector's time) is in the figures. Absent, and not written as
    nothing, in months closed by 0.2.0: their hash stays what it was."""
    working: bool | msgspec.UnsetType = msgspec.UNSET
    """True while results or days of the ledger were not all worked out yet."""
    layout: int | UnsetType = UNSET
    """The `LAYOUT` of the program that made these figures. It and what follows are absent in months that version 0.2 closed."""
    changes: list[TargetChange] | UnsetType = UNSET
    lines: list[CarrierLine] | UnsetType = UNSET
    """Of every school of the inventory that names a carrier, a contract or a promised rate."""
    area_trends: dict[str, dict[str, list[float | None]]] | UnsetType = UNSET
    """The ratios of each month of `trend` by area (`town:ID`, `school:ID`) and target; None of a month without data."""
    official: Official | UnsetType = UNSET
    lessons: list[LessonFigures] | UnsetType = UNSET
    """Of each school, in a month whose live lessons are judged by their minutes."""
    room_use: list[UseFigures] | UnsetType = UNSET
    """Of each school whose recorders told of their use."""
    servers: list[ServerFigures] | UnsetType = UNSET
    """The most used first."""

    @property
    def is_empty(self) -> bool:
        return all(target.count.judged + target.count.exempt == 0 for target in self.targets)

    def target(self, name: str) -> TargetFigures | None:
        return next((target for target in self.targets if target.target == name), None)


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Figures)


def encoded_figures(figures: Figures) -> bytes:
    """As they are kept: the same figures are the same bytes."""
    return _encoder.encode(figures)


def figures_of(content: bytes) -> Figures:
    """From what was kept. Raises msgspec.ValidationError."""
    return _decoder.decode(content)


def canonical(figures: Figures) -> Figures:
    """As they will be when they are read again: whole numbers where rates stand become rates, keys have one order."""
    return figures_of(encoded_figures(figures))


def content_hash(figures: Figures) -> str:
    """SHA-256 of the figures: printed in the report, and asked for again years later."""
    return sha256(encoded_figures(figures)).hexdigest()


def excerpt(whole: Figures, *, town: str | None = None, school: str | None = None) -> Figures:
    """The same figures for one town or one school. Raises KeyError for one that is not in them."""
    schools = [each for each in whole.schools if school in (None, each.id) and town in (None, each.town)]
    towns = [each for each in whole.towns if town in (None, each.id)] if town is not None else []
    if not schools and not towns:
        raise KeyError(school or town)
    school_ids = {school.id for school in schools}
    targets = []
    for target in whole.targets:
        counts = [each.counts[target.target] for each in schools if target.target in each.counts]
        targets.append(msgspec.structs.replace(target, count=total(counts), last_month=None, last_year=None))
    name = schools[0].name if school is not None else towns[0].name
    return msgspec.structs.replace(
        whole,
        scope=f"school:{school}" if school is not None else f"town:{town}",
        scope_name=name,
        schools_total=len(schools),
        targets=targets,
        towns=towns,
        schools=schools,
        failing=[verdict for verdict in whole.failing if verdict.school in school_ids],
        rooms=[room for room in whole.rooms if room.school in school_ids],
        platforms=[],
        ledger=LedgerFigures(),
        ledger_lines=[ledger_line for ledger_line in whole.ledger_lines if ledger_line.school in school_ids],
        forecasts=[],
        corrections=[correction for correction in whole.corrections if correction.school in school_ids],
        heads=[head for head in whole.heads if head.school in school_ids],
        trend=[] if whole.area_trends is UNSET else whole.trend,
        changes=UNSET,
        servers=UNSET,
        lessons=UNSET
        if whole.lessons is UNSET
        else [of_school for of_school in whole.lessons if of_school.school in school_ids],
        room_use=UNSET
        if whole.room_use is UNSET
        else [of_school for of_school in whole.room_use if of_school.school in school_ids],
        lines=UNSET if whole.lines is UNSET else [line for line in whole.lines if line.school in school_ids],
        area_trends=_trend_of(whole, f"school:{school}" if school is not None else f"town:{town}"),
    )


def _trend_of(whole: Figures, scope: str) -> dict[str, dict[str, list[float | None]]] | UnsetType:
    """The trend of one area only."""
    if whole.area_trends is UNSET:
        return UNSET
    return {scope: whole.area_trends.get(scope, {})}


def total(counts: Iterable[Count]) -> Count:
    listed = list(counts)
    return Count(
        *(sum(getattr(count, name) for count in listed) for name in ("met", "not_met", "insufficient", "exempt"))
    )
