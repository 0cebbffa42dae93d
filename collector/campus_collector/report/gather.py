"""From the store, the judge and the ledger to the figures of a month."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import count
from statistics import fmean, median

import msgspec
from msgspec import UNSET, UnsetType

from campus_collector.domain.days import day_of
from campus_collector.domain.official import Official
from campus_collector.domain.schools import School
from campus_collector.judge.derivation import rule_words
from campus_collector.judge.month import Month, month_of_day, parse_month
from campus_collector.judge.policy import TARGET_NAMES, Policy
from campus_collector.judge.service import Progress, Verdicts
from campus_collector.judge.tally import SchoolTally, ShortVerdicts
from campus_collector.judge.verdict import UNMET, SubjectVerdict, agreement_by_segment
from campus_collector.judge.workdays import is_provisional
from campus_collector.ledger.named_cause import statuses_in, with_named_causes
from campus_collector.ledger.service import Ledger
from campus_collector.ledger.status import Balance, ProblemStatus, balance_of, day_of_event
from campus_collector.report.figures import (
    LAYOUT,
    AgreementFigures,
    CarrierLine,
    Correction,
    Count,
    DataFigures,
    Failing,
    Figures,
    Forecast,
    Head,
    LedgerFigures,
    LedgerLine,
    LessonFigures,
    PlatformFigures,
    RoomFigures,
    SchoolFigures,
    TargetFigures,
    TownFigures,
    TrendPoint,
    UseFigures,
    canonical,
    count_of,
)
from campus_collector.report.forecast import forecast
from campus_collector.report.groups import worst_of
from campus_collector.report.history import Areas, area_trends, carrier_lines, changes_since
from campus_collector.report.test_servers import servers_of_month
from campus_collector.store.store import Store
from campus_wire.bandwidth import Verdict
from campus_wire.version import VERSION

TREND_MONTHS = 12
BANDWIDTH = ("classroom_bandwidth", "uplink_bandwidth")
Names = Mapping[tuple[str, str], str]
"""What a subject is called, by (school, subject)."""
Closed = Mapping[str, Figures]
"""The figures of months that were closed, by YYYY-MM."""
Published = Mapping[tuple[str, str, str], Verdict]
"""What was published of a closed month, by (target, school, subject)."""


@dataclass(frozen=True, slots=True)
class Sources:
    store: Store
    verdicts: Verdicts
    ledger: Ledger
    county: str
    official: Official


@dataclass(frozen=True, slots=True)
class _MonthData:
    """What is read of the month itself; schools by id."""

    month: Month
    verdicts: list[SubjectVerdict]
    statuses: list[ProblemStatus]
    schools: dict[str, School]
    names: Names
    as_of: datetime | None
    working: bool


@dataclass(frozen=True, slots=True)
class _Counts:
    """Subjects by verdict: of the month and of those before it, by target; of the month before it, also by town and by subject."""

    by_month: dict[str, Mapping[str, Count]]
    towns_before: Mapping[str, Mapping[str, Count]]
    areas: Mapping[str, Areas]
    """By month, then by town and school."""
    before: Published

    def trend(self, months: Sequence[Month]) -> list[TrendPoint]:
        """Of these months, newest first; the oldest comes first."""
        return [TrendPoint(str(month), dict(self.by_month[str(month)])) for month in reversed(months)]


def gather(
    sources: Sources,
    month: Month,
    now: datetime,
    closed: Closed,
    published: Mapping[str, Published],
    *,
    closing: bool = False,
    progress: Progress | None = None,
) -> tuple[Figures, list[SubjectVerdict]]:
    """The figures of a month, and the verdicts they were counted from. Months that were closed count as they were published.

    Raises StoreUnavailable.
    """
    months = [month]
    while len(months) < TREND_MONTHS + 1:
        months.append(months[-1].before())
    steps = count(1)

    def advance() -> None:
        if progress is not None:
            progress(next(steps), len(months) + 1)

    data = _read_month(sources, month, now, closing=closing)
    advance()
    counts = _counts_of(sources, data, months, closed, published, advance)
    trend = counts.trend(months[:TREND_MONTHS])
    issued_on = now.astimezone(month.zone).date().isoformat()
    figures = msgspec.structs.replace(
        _results(sources, data, counts, months),
        room_use=_room_use(sources, data, now),
        issued_on=issued_on,
        closed=closing,
        complete=now >= month.end,
        trend=trend,
        forecasts=_forecasts(month, trend),
        corrections=_corrections(sources, month, closed, published, data.names, data.schools),
        layout=LAYOUT,
        official=sources.official.of_month(month.year, month.number, issued_on),
        lines=_lines(sources, data, closed.get(str(months[1]))),
        changes=changes_since(counts.before, data.verdicts, data.schools) if counts.before else UNSET,
        servers=servers_of_month(
            sources.store, sorted(data.schools), month.start, month.end, sources.official.test_servers
        ),
        area_trends=area_trends([counts.areas.get(point.month, {}) for point in trend], list(counts.areas[str(month)])),
    )
    advance()
    return canonical(figures), data.verdicts


def _read_month(sources: Sources, month: Month, now: datetime, *, closing: bool) -> _MonthData:
    store, verdicts = sources.store, sources.verdicts
    status = verdicts.catch_up() if closing else verdicts.catch_up_for_reader()
    working = not status.complete or sources.ledger.is_behind(min(month.last_day, sources.ledger.yesterday()))
    statuses = statuses_in(store, verdicts, month)
    return _MonthData(
        month,
        with_named_causes(store, verdicts, month, verdicts.subjects(month), statuses),
        statuses,
        {school.id: school for school in store.schools.all(month.start)},
        {(subject.school, subject.id): subject.name for subject in store.subjects.all(None, month.start, month.end)},
        now if status.complete else status.as_of,
        working,
    )


def _counts_of(
    sources: Sources,
    data: _MonthData,
    months: Sequence[Month],
    closed: Closed,
    published: Mapping[str, Published],
    advance: Callable[[], None],
) -> _Counts:
    """Of the month and those before it; of a month without results: nothing."""
    by_month: dict[str, Mapping[str, Count]] = {str(data.month): _counts(data.verdicts)}
    areas: dict[str, Areas] = {str(data.month): _by_area(data.verdicts)}
    towns: dict[Month, Mapping[str, Mapping[str, Count]]] = {}
    before: Published = published.get(str(months[1]), {})
    for month in months[1:]:
        if str(month) in closed:
            figures = closed[str(month)]
            by_month[str(month)] = {target.target: target.count for target in figures.targets}
            towns[month] = {town.id: town.counts for town in figures.towns}
            areas[str(month)] = _areas_of(figures)
        else:
            schools = sources.verdicts.history([month])[month]
            measured = schools if any(school.tally.valid_results for school in schools.values()) else {}
            by_month[str(month)] = _counted(school.tally for school in measured.values())
            towns[month] = {
                town: _counted(school.tally for school in measured.values() if school.town == town)
                for town in {school.town for school in measured.values()}
            }
            areas[str(month)] = {
                **{f"school:{school}": _counted([each.tally]) for school, each in measured.items()},
                **{f"town:{town}": counts for town, counts in towns[month].items()},
            }
            if month == months[1]:
                before = _published_before(sources.verdicts.short_verdicts(month)) if measured else {}
        advance()
    return _Counts(by_month, towns[months[1]], areas, before)


def _by_area(verdicts: Sequence[SubjectVerdict]) -> Areas:
    by_school: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for verdict in verdicts:
        by_school[verdict.school].append(verdict)
    of_schools = {f"school:{school}": _counts(of_school) for school, of_school in by_school.items()}
    return of_schools | {f"town:{town}": counts for town, counts in _by_town(verdicts).items()}


def _areas_of(figures: Figures) -> Areas:
    of_schools = {f"school:{school.id}": school.counts for school in figures.schools}
    return of_schools | {f"town:{town.id}": town.counts for town in figures.towns}


def _lines(sources: Sources, data: _MonthData, before: Figures | None) -> list[CarrierLine]:
    opened = {
        status.problem.school: status.problem.opened_on.isoformat()
        for status in data.statuses
        if status.is_open and status.problem.target == "uplink_bandwidth"
    }
    return carrier_lines(
        [row for row in sources.store.inventory.current().schools or () if row.id in data.schools],
        data.verdicts,
        sources.verdicts.policy.tolerance_ratio,
        data.month.first_day.isoformat(),
        opened,
        before.lines if before is not None and before.lines is not UNSET else [],
    )


def _results(sources: Sources, data: _MonthData, counts: _Counts, months: Sequence[Month]) -> Figures:
    """The figures of the month itself: when they were made, the months before, and corrections are not filled in."""
    month, verdicts, schools, names = data.month, data.verdicts, data.schools, data.names
    policy = sources.verdicts.policy
    by_town = _by_town(verdicts)
    compared, ranked = compared_on({school.town: by_town.get(school.town, {}) for school in schools.values()})
    lines, ledger = _ledger(sources, data)
    return Figures(
        month=str(month),
        county=sources.county,
        scope="",
        scope_name=sources.county,
        issued_on="",
        closed=False,
        complete=False,
        simulated=[imported.imported_by for imported in sources.store.inventory.imports(1)] == ["simulate"],
        policy_version=policy.version,
        tolerance_ratio=policy.tolerance_ratio,
        rules_changed=_rules_changed(policy, month),
        schools_total=len(schools),
        targets=_targets(policy, counts, months),
        towns=_towns(schools, by_town, counts.towns_before, compared, ranked),
        schools=_schools(schools, verdicts),
        failing=_failing(verdicts, schools, names, _opened(data.statuses)),
        rooms=_rooms(verdicts, schools),
        platforms=_platforms(verdicts, names),
        ledger=ledger,
        ledger_lines=lines,
        data=_data(verdicts, schools),
        agreement=_agreement(verdicts),
        trend=[],
        forecasts=[],
        corrections=[],
        heads=_heads(sources, schools),
        rules=_rules(policy, month),
        program_version=VERSION,
        as_of=data.as_of.astimezone(month.zone).strftime("%Y-%m-%d %H:%M") if data.as_of else UNSET,
        working=True if data.working else UNSET,
        compared_on=compared,
        provisional_calendar=True if is_provisional(month.last_day) else UNSET,
        lessons=_with_minutes(sources.verdicts, _lessons(verdicts, schools)),
    )


def _targets(policy: Policy, counts: _Counts, months: Sequence[Month]) -> list[TargetFigures]:
    """Beside the month: the one before it, and that of a year ago."""
    now, before, year_ago = (counts.by_month[str(months[age])] for age in (0, 1, 12))
    return [
        TargetFigures(
            name,
            now.get(name, Count()),
            _ratio(before, name),
            _ratio(year_ago, name),
            rule.required_bits_per_second if (rule := policy.in_force(name, months[0].first_day)) else None,
        )
        for name in TARGET_NAMES
    ]


def _agreement(verdicts: Sequence[SubjectVerdict]) -> list[AgreementFigures]:
    return [
        AgreementFigures(segment, each.compared, each.agreeing, median(each.rate_ratios) if each.rate_ratios else None)
        for segment, each in agreement_by_segment(verdicts).items()
    ]


def _lessons(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School]) -> list[LessonFigures] | UnsetType:
    """Of the schools that are judged by minutes of lessons; absent where no school is."""
    lessons = []
    for verdict in verdicts:
        if verdict.rule is None or verdict.rule.minutes is None:
            continue
        school, worst, evidence = schools.get(verdict.school), verdict.worst_lesson, verdict.evidence
        name = school.name if school is not None else verdict.school
        figures = LessonFigures(verdict.school, name, evidence.valid_results, evidence.passing_results)
        if worst is not None:
            figures = msgspec.structs.replace(
                figures,
                worst_day=worst.day.isoformat(),
                worst_time=worst.lesson.span,
                worst_bad=worst.lesson.bad,
                worst_observed=worst.lesson.observed,
            )
        lessons.append(figures)
    return lessons or UNSET


def _with_minutes(verdicts: Verdicts, lessons: list[LessonFigures] | UnsetType) -> list[LessonFigures] | UnsetType:
    """The worst lessons, those that the report names, with their minutes."""
    if lessons is UNSET:
        return UNSET
    named = {each.school for each in worst_of(lessons)}
    return [_minute_by_minute(verdicts, each) if each.school in named else each for each in lessons]


def _minute_by_minute(verdicts: Verdicts, lesson: LessonFigures) -> LessonFigures:
    start, end = (60 * int(edge[:2]) + int(edge[3:]) for edge in lesson.worst_time.split("–"))
    minutes = verdicts.minutes_of(lesson.school, date.fromisoformat(lesson.worst_day), start, end)
    letters = "".join("-" if quality is None else quality[0] for quality in minutes)
    return msgspec.structs.replace(lesson, worst_minutes=letters)


def _room_use(sources: Sources, data: _MonthData, now: datetime) -> list[UseFigures] | UnsetType:
    """Of the schools whose recorders told of their use; absent where none did."""
    figures = []
    devices: dict[str, list[str]] = {}
    for school_id, device in sources.store.results.devices():
        devices.setdefault(school_id, []).append(device)
    for school in data.schools.values():
        if school.id not in devices:
            continue
        month = data.month
        use = sources.verdicts.lesson_use(school.id, devices[school.id], month.first_day, month.last_day, now)
        if use.rooms:
            counts = (use.rooms, use.timetabled, use.recorded, use.streamed, use.unused, use.unknown)
            figures.append(UseFigures(school.id, school.name, school.town_name, *counts))
    return figures or UNSET


def _rules_changed(policy: Policy, month: Month) -> list[str]:
    return [target.name for target in policy.targets if month.first_day < target.effective_from <= month.last_day]


def _rules(policy: Policy, month: Month) -> dict[str, tuple[str, str]]:
    """How each target is judged, in words: English, Chinese."""
    rules: dict[str, tuple[str, str]] = {}
    for name in TARGET_NAMES:
        rule = policy.in_force(name, month.first_day)
        words = rule_words(rule, rule.required_bits_per_second if rule else None, policy.tolerance_ratio)
        rules[name] = (words.en, words.zh)
    return rules


def first_month(sources: Sources) -> Month | None:
    """The month of the first result; None of none."""
    first = sources.verdicts.first_trusted_day()
    return None if first is None else month_of_day(first, sources.verdicts.zone)


def published_of(verdicts: Sequence[SubjectVerdict]) -> dict[tuple[str, str, str], Verdict]:
    """What a closed month is remembered by."""
    return {(verdict.target, verdict.school, verdict.subject): verdict.verdict for verdict in verdicts}


def _published_before(short: Mapping[str, ShortVerdicts]) -> Published:
    """The same from what is kept of a month."""
    return {
        (target, school, subject): verdict.verdict
        for school, targets in short.items()
        for target, subjects in targets.items()
        for subject, verdict in subjects.items()
    }


def _counts(verdicts: Sequence[SubjectVerdict]) -> dict[str, Count]:
    by_target: dict[str, list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        by_target[verdict.target].append(verdict.verdict)
    return {target: count_of(verdicts_of) for target, verdicts_of in by_target.items()}


def _counted(tallies: Iterable[SchoolTally]) -> dict[str, Count]:
    """By target."""
    counts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for tally in tallies:
        for target, of_target in tally.counts.items():
            counts[target].update(of_target)
    return {target: count_of(of_target.elements()) for target, of_target in counts.items()}


def _ratio(counts: Mapping[str, Count], target: str) -> float | None:
    return counts[target].known_ratio if target in counts else None


def _by_town(verdicts: Sequence[SubjectVerdict]) -> dict[str, dict[str, Count]]:
    by_town: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for verdict in verdicts:
        by_town[verdict.town].append(verdict)
    return {town: _counts(of_town) for town, of_town in by_town.items()}


ENOUGH = 0.5
"""A town is ranked when so large a share of its subjects has enough data, in each target that towns are compared on."""


def compared_on(towns: Mapping[str, Mapping[str, Count]]) -> tuple[list[str], set[str]]:
    """The targets that towns are compared on, the same for all, and the towns that have enough data to be compared. Pure.

    A target that some town with data has no subject of is left out for every town. A town that lacks data in one that is compared is not
    ranked: it would else be spared the target, or be called 0 %.
    """
    measured = [counts for counts in towns.values() if any(count.has_data for count in counts.values())]
    common: list[str] = [
        name
        for name in TARGET_NAMES
        if any(counts[name].has_data for counts in measured if name in counts)
        and all(name in counts and counts[name].judged for counts in measured)
    ]
    ranked = {
        town
        for town, counts in towns.items()
        if common and all(name in counts and _enough(counts[name]) for name in common)
    }
    return (common, ranked) if ranked else ([], set())


def _enough(count: Count) -> bool:
    return count.has_data and count.met + count.not_met >= ENOUGH * count.judged


def _score(counts: Mapping[str, Count], targets: Sequence[str]) -> float | None:
    """The mean of these targets' ratios: every target weighs the same, however many subjects it has. None when one is unknown."""
    ratios = [counts[name].known_ratio if name in counts else None for name in targets]
    known = [ratio for ratio in ratios if ratio is not None]
    return fmean(known) if known and len(known) == len(ratios) else None


def _towns(
    schools: Mapping[str, School],
    by_town: Mapping[str, dict[str, Count]],
    before: Mapping[str, Mapping[str, Count]],
    targets: Sequence[str],
    ranked: set[str],
) -> list[TownFigures]:
    """Ranked ones first; `before` are the counts of the month before, by town."""
    names = {school.town: school.town_name or school.town for school in schools.values()}
    scores = {town: _official(by_town[town], targets) if town in ranked else None for town in names}
    ordered = sorted(scores.items(), key=lambda pair: (-(pair[1] if pair[1] is not None else -1), pair[0]))
    towns = []
    for town, score in ordered:
        better = sum(
            1 for other in scores.values() if other is not None and score is not None and other > score + 1e-12
        )
        towns.append(
            TownFigures(
                town,
                names[town],
                sum(school.town == town for school in schools.values()),
                dict(by_town.get(town, {})),
                score,
                None if score is None else better + 1,
                _score(before.get(town, {}), targets),
            )
        )
    return towns


def _official(counts: Mapping[str, Count], targets: Sequence[str]) -> float:
    """As `_score`, of a town that is compared: what lacks data counts as not met."""
    return fmean(counts[name].ratio or 0.0 for name in targets)


def _schools(schools: Mapping[str, School], verdicts: Sequence[SubjectVerdict]) -> list[SchoolFigures]:
    by_school: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for verdict in verdicts:
        by_school[verdict.school].append(verdict)
    return [
        SchoolFigures(
            school.id,
            school.name,
            school.town,
            school.town_name or school.town,
            school.town_seat,
            _counts(by_school[school.id]),
            _results_of(by_school[school.id]),
        )
        for school in sorted(schools.values(), key=lambda school: (school.town, school.id))
    ]


def _results_of(verdicts: Sequence[SubjectVerdict]) -> int:
    """Valid results, each counted once: an uplink's tests serve two targets."""
    return sum(verdict.evidence.valid_results for verdict in verdicts if verdict.target != "live_class")


def _opened(statuses: Sequence[ProblemStatus]) -> dict[int, str]:
    """The day on which each open problem was registered, by its number."""
    return {status.problem.id: status.problem.opened_on.isoformat() for status in statuses if status.is_open}


def _failing(
    verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School], names: Names, opened: Mapping[int, str]
) -> list[Failing]:
    failing = []
    for verdict in verdicts:
        if verdict.verdict not in UNMET or verdict.target == "platform_access":
            continue
        school = schools[verdict.school]
        bandwidth = verdict.target in BANDWIDTH
        failing.append(
            Failing(
                verdict.target,
                verdict.school,
                school.name,
                school.town,
                school.town_name or school.town,
                verdict.subject,
                names.get((verdict.school, verdict.subject), verdict.subject),
                verdict.verdict,
                verdict.evidence.median_value if bandwidth else None,
                verdict.rule.required_bits_per_second if verdict.rule and bandwidth else None,
                verdict.evidence.valid_results,
                verdict.evidence.passing_results,
                verdict.diagnosis,
                verdict.unit,
                verdict.rule.passing_share if verdict.rule else UNSET,
                _fell_short(verdict) if bandwidth else UNSET,
                opened.get(verdict.problem, UNSET) if verdict.problem is not None else UNSET,
            )
        )
    return failing


def _fell_short(verdict: SubjectVerdict) -> float | UnsetType:
    return (
        verdict.failing_median if verdict.verdict is Verdict.NOT_MET and verdict.failing_median is not None else UNSET
    )


def _rooms(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School]) -> list[RoomFigures]:
    return [
        RoomFigures(
            verdict.school,
            schools[verdict.school].name,
            verdict.town,
            schools[verdict.school].town_name or verdict.town,
            verdict.verdict,
            verdict.evidence.valid_results,
            verdict.evidence.passing_share,
            verdict.diagnosis,
        )
        for verdict in verdicts
        if verdict.target == "recording_room"
    ]


def _platforms(verdicts: Sequence[SubjectVerdict], names: Names) -> list[PlatformFigures]:
    by_service: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for verdict in verdicts:
        if verdict.target == "platform_access":
            by_service[verdict.subject].append(verdict)
    platforms = []
    for service, of_service in sorted(by_service.items()):
        requests = sum(verdict.evidence.valid_results for verdict in of_service)
        seconds = [verdict.evidence.median_value for verdict in of_service if verdict.evidence.median_value is not None]
        platforms.append(
            PlatformFigures(
                service,
                next(
                    (names[verdict.school, service] for verdict in of_service if (verdict.school, service) in names),
                    service,
                ),
                count_of(verdict.verdict for verdict in of_service),
                requests,
                sum(verdict.evidence.passing_results for verdict in of_service) / requests if requests else None,
                median(seconds) if seconds else None,
            )
        )
    return platforms


def _data(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School]) -> DataFigures:
    counted = [verdict for verdict in verdicts if verdict.target != "live_class"]  # its tests are the uplink's
    reasons: Counter[str] = Counter()
    for verdict in counted:
        reasons.update(verdict.not_judged)
    measured = {verdict.school for verdict in verdicts if verdict.evidence.valid_results}
    return DataFigures(
        valid=sum(verdict.evidence.valid_results for verdict in counted),
        passing=sum(verdict.evidence.passing_results for verdict in counted),
        invalid=sum(verdict.evidence.invalid_results for verdict in counted),
        failed=sum(verdict.evidence.failed_results for verdict in counted),
        skipped=sum(verdict.evidence.skipped_results for verdict in counted),
        reasons=dict(reasons.most_common()),
        silent_schools=[school.name for school in schools.values() if school.id not in measured],
    )


def _ledger(sources: Sources, data: _MonthData) -> tuple[list[LedgerLine], LedgerFigures]:
    """The ledger at the end of the month, worked out from its history."""
    month, schools, table = data.month, data.schools, sources.store.ledger
    last = month.last_day
    balance, contradicted = Balance(), 0
    lines, by_unit = [], Counter[str]()
    for status in data.statuses:
        problem, events = status.problem, table.events(status.problem.id)
        balance += balance_of(events, month.first_day, last, month.zone)
        against = any(
            event.what == "claim_contradicted" and month.first_day <= day_of_event(event, month.zone) <= last
            for event in events
        )
        contradicted += against
        by_unit.update([status.unit] if status.is_open else [])
        late = status.is_open and status.due_on < last
        if (late or against) and problem.school in schools:
            lines.append(_ledger_line(status, schools[problem.school], data.names, late, against))
    overdue = sum(line.overdue for line in lines)
    evaluated = table.high_water_mark()
    complete = min(last, datetime.now(month.zone).date() - timedelta(days=1))
    return lines, LedgerFigures(
        balance.opened,
        balance.struck_off,
        contradicted,
        balance.at_the_end,
        overdue,
        dict(sorted(by_unit.items())),
        balance.before,
        balance.ended_otherwise,
        UNSET
        if evaluated is not None and day_of(evaluated) >= complete
        else day_of(evaluated).isoformat()
        if evaluated
        else "",
    )


def _ledger_line(status: ProblemStatus, school: School, names: Names, late: bool, against: bool) -> LedgerLine:
    problem = status.problem
    return LedgerLine(
        problem.id,
        school.name,
        school.town,
        school.town_name or school.town,
        problem.target,
        names.get((problem.school, problem.subject), "") if problem.subject else "",
        status.cause,
        status.unit,
        problem.opened_on.isoformat(),
        status.due_on.isoformat(),
        late,
        against,
        problem.school,
    )


def _forecasts(month: Month, trend: Sequence[TrendPoint]) -> list[Forecast]:
    return [forecast(name, month, [_ratio(point.counts, name) for point in trend]) for name in TARGET_NAMES]


def _corrections(
    sources: Sources,
    month: Month,
    closed: Closed,
    published: Mapping[str, Published],
    names: Names,
    schools: Mapping[str, School],
) -> list[Correction]:
    """Closed months of the last year whose verdicts are others now, unless a report since then has said so."""
    corrections = []
    for past in sorted(closed):
        if past >= str(month) or past not in published:
            continue
        known = dict(published[past])
        for later in (closed[name] for name in sorted(closed) if past < name < str(month)):
            for correction in later.corrections:
                if correction.month == past:
                    known[correction.target, correction.school, correction.subject] = correction.now
        past_month = parse_month(past, month.zone)
        verdicts = sources.verdicts.short_verdicts(past_month)
        towns = {school.id: school.town for school in sources.store.schools.all(past_month.start)}
        for target, school_id, subject in sorted(known, key=lambda key: (key[0], towns.get(key[1], ""), *key[1:])):
            verdict = verdicts.get(school_id, {}).get(target, {}).get(subject)
            was = known[target, school_id, subject]
            if verdict is not None and verdict.verdict is not was:
                school = schools.get(school_id)
                corrections.append(
                    Correction(
                        past,
                        target,
                        school_id,
                        school.name if school else school_id,
                        subject,
                        names.get((school_id, subject), subject),
                        was,
                        verdict.verdict,
                    )
                )
    return corrections


def _heads(sources: Sources, schools: Mapping[str, School]) -> list[Head]:
    heads = []
    for school in sorted(schools):
        checkpoints = sources.store.chain.checkpoints(school)
        if checkpoints:
            heads.append(Head(school, checkpoints[-1].last_sequence, checkpoints[-1].head.hex()))
    return heads
