"""From the store, the judge and the ledger to the figures of a month."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median

from msgspec import UNSET, UnsetType

from campus_base.language import Text
from campus_collector.domain.records import School
from campus_collector.judge.day import day_of
from campus_collector.judge.derivation import rule_words
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.service import Verdicts, agreement_in
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.judge.workdays import is_provisional
from campus_collector.ledger.named_causes import standings_in, with_one_cause_in
from campus_collector.ledger.service import Ledger
from campus_collector.ledger.standing import Balance, Standing, balance_of, day_of_event
from campus_collector.report.figures import (
    AgreementFigures,
    Correction,
    Count,
    DataFigures,
    Failing,
    Figures,
    Forecast,
    Head,
    LedgerFigures,
    LedgerLine,
    PlatformFigures,
    RoomFigures,
    SchoolFigures,
    TargetFigures,
    TownFigures,
    TrendPoint,
    canonical,
    count_of,
)
from campus_collector.report.forecast import forecast
from campus_collector.store.interface import Store
from campus_wire.bandwidth import Verdict
from campus_wire.version import VERSION

TREND_MONTHS = 12
UNMET = (Verdict.NOT_MET, Verdict.INSUFFICIENT)
BANDWIDTH = ("classroom_bandwidth", "uplink_bandwidth")
Step = Callable[[int, int], None]
"""Told how many of how many pieces are done."""
Names = Mapping[tuple[str, str], str]
"""What a subject is called, by (school, subject)."""
Closed = Mapping[str, Figures]
"""The figures of months that were closed, by YYYY-MM."""
Published = Mapping[tuple[str, str, str], Verdict]
"""What was published of a closed month, by (target, school, subject)."""


@dataclass(frozen=True, slots=True)
class Sources:
    """What the figures of a month are made from."""

    store: Store
    verdicts: Verdicts
    ledger: Ledger
    county: str


def gather(
    sources: Sources,
    month: Month,
    now: datetime,
    closed: Closed,
    published: Mapping[str, Published],
    *,
    closing: bool = False,
    step: Step | None = None,
) -> tuple[Figures, list[SubjectVerdict]]:
    """The figures of a month, and the verdicts they were counted from. Months that were closed count as they were published.

    Raises StoreUnavailable.
    """
    months = [month]
    while len(months) < TREND_MONTHS + 1:
        months.append(months[-1].before())
    done = 0

    def told() -> None:
        nonlocal done
        done += 1
        if step is not None:
            step(done, len(months) + 1)

    status = sources.verdicts.catch_up() if closing else sources.verdicts.look()
    working = not status.complete or sources.ledger.is_behind(min(month.last_day, sources.ledger.yesterday()))
    as_of = now if status.complete else status.as_of
    standings = standings_in(sources.store, sources.verdicts, month)
    verdicts = with_one_cause_in(sources.store, sources.verdicts, month, sources.verdicts.subjects(month), standings)
    told()
    schools = {one.id: one for one in sources.store.schools(month.start)}
    names = {(one.school, one.id): one.name for one in sources.store.subjects(None, month.start, month.end)}
    counts = {str(month): _counts(verdicts)}
    before: Mapping[str, Mapping[str, Count]] = {}
    for past in months[1:]:
        if str(past) in closed:
            kept = closed[str(past)]
            counts[str(past)] = {one.target: one.count for one in kept.targets}
            of_towns: Mapping[str, Mapping[str, Count]] = {one.id: one.counts for one in kept.towns}
        else:
            judged = sources.verdicts.subjects(past)
            counts[str(past)] = _counts(judged) if any(one.evidence.valid_results for one in judged) else {}
            of_towns = _by_town(judged) if counts[str(past)] else {}
        if past == months[1]:
            before = of_towns
        told()
    trend = [TrendPoint(str(one), counts[str(one)]) for one in reversed(months[:TREND_MONTHS])]
    policy = sources.verdicts.policy
    by_town = _by_town(verdicts)
    targets, ranked = compared_on({town: by_town.get(town, {}) for town in {one.town for one in schools.values()}})
    towns = _towns(schools, by_town, before, targets, ranked)
    lines, ledger = _ledger(sources, month, standings, schools, names)
    figures = Figures(
        month=str(month),
        county=sources.county,
        scope="",
        scope_name=sources.county,
        issued_on=now.astimezone(month.zone).date().isoformat(),
        closed=closing,
        complete=now >= month.end,
        simulated=[one.imported_by for one in sources.store.inventory.imports(1)] == ["simulate"],
        policy_version=policy.version,
        tolerance_ratio=policy.tolerance_ratio,
        rules_changed=[one.name for one in policy.targets if month.first_day < one.effective_from <= month.last_day],
        schools_total=len(schools),
        targets=[
            TargetFigures(
                name,
                counts[str(month)].get(name, Count()),
                _ratio(counts[str(months[1])], name),
                _ratio(counts[str(months[12])], name),
                rule.required_bits_per_second if (rule := policy.in_force(name, month.first_day)) else None,
            )
            for name in TARGET_NAMES
        ],
        towns=towns,
        schools=_schools(schools, verdicts),
        failing=_failing(verdicts, schools, names),
        rooms=_rooms(verdicts, schools),
        platforms=_platforms(verdicts, names),
        ledger=ledger,
        ledger_lines=lines,
        data=_data(verdicts, schools),
        agreement=[
            AgreementFigures(
                segment, found.compared, found.agreeing, median(found.rate_ratios) if found.rate_ratios else None
            )
            for segment, found in agreement_in(verdicts).items()
        ],
        trend=trend,
        forecasts=_forecasts(month, trend),
        corrections=_corrections(sources, month, closed, published, names, schools),
        heads=_heads(sources, schools),
        rules={
            name: _both(rule_words(rule, rule.required_bits_per_second if rule else None, policy.tolerance_ratio))
            for name in TARGET_NAMES
            for rule in [policy.in_force(name, month.first_day)]
        },
        program_version=VERSION,
        as_of=as_of.astimezone(month.zone).strftime("%Y-%m-%d %H:%M") if as_of else UNSET,
        working=True if working else UNSET,
        compared_on=targets,
        provisional_calendar=True if is_provisional(month.last_day) else UNSET,
    )
    told()
    return canonical(figures), verdicts


def first_month(sources: Sources) -> Month | None:
    """The month of the first result; None of none."""
    first = sources.verdicts.judging.first_day()
    return None if first is None else sources.verdicts.judging.month_on(first)


def published_of(verdicts: Sequence[SubjectVerdict]) -> dict[tuple[str, str, str], Verdict]:
    """What a closed month is remembered by."""
    return {(one.target, one.school, one.subject): one.verdict for one in verdicts}


def _counts(verdicts: Sequence[SubjectVerdict]) -> dict[str, Count]:
    by_target: dict[str, list[Verdict]] = defaultdict(list)
    for one in verdicts:
        by_target[one.target].append(one.verdict)
    return {target: count_of(found) for target, found in by_target.items()}


def _ratio(counts: Mapping[str, Count], target: str) -> float | None:
    return counts[target].known_ratio if target in counts else None


def _by_town(verdicts: Sequence[SubjectVerdict]) -> dict[str, dict[str, Count]]:
    found: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for one in verdicts:
        found[one.town].append(one)
    return {town: _counts(own) for town, own in found.items()}


ENOUGH = 0.5
"""A town is ranked when so large a share of its subjects has enough data, in each target that towns are compared on."""


def compared_on(towns: Mapping[str, Mapping[str, Count]]) -> tuple[list[str], set[str]]:
    """The targets that towns are compared on, the same for all, and the towns that have enough data to be compared. Pure.

    A target that some town with data has no subject of is left out for every town. A town that lacks data in one that is compared is not
    ranked: it would else be spared the target, or be called 0 %.
    """
    speaking = [own for own in towns.values() if any(count.has_data for count in own.values())]
    common: list[str] = [
        name
        for name in TARGET_NAMES
        if any(own[name].has_data for own in speaking if name in own)
        and all(name in own and own[name].judged for own in speaking)
    ]
    ranked = {
        town for town, own in towns.items() if common and all(name in own and _enough(own[name]) for name in common)
    }
    return (common, ranked) if ranked else ([], set())


def _enough(count: Count) -> bool:
    return count.has_data and count.met + count.not_met >= ENOUGH * count.judged


def _score(counts: Mapping[str, Count], targets: Sequence[str]) -> float | None:
    """The mean of these targets' ratios: every target weighs the same, however many subjects it has. None when one is unknown."""
    ratios = [counts[name].known_ratio if name in counts else None for name in targets]
    known = [one for one in ratios if one is not None]
    return fmean(known) if known and len(known) == len(ratios) else None


def _towns(
    schools: Mapping[str, School],
    by_town: Mapping[str, dict[str, Count]],
    before: Mapping[str, Mapping[str, Count]],
    targets: Sequence[str],
    ranked: set[str],
) -> list[TownFigures]:
    """Ranked ones first; `before` are the counts of the month before, by town."""
    known = {one.town: one.town_name or one.town for one in schools.values()}
    scores = {town: _official(by_town[town], targets) if town in ranked else None for town in known}
    ordered = sorted(scores.items(), key=lambda one: (-(one[1] if one[1] is not None else -1), one[0]))
    found = []
    for town, score in ordered:
        better = sum(
            1 for other in scores.values() if other is not None and score is not None and other > score + 1e-12
        )
        found.append(
            TownFigures(
                town,
                known[town],
                sum(one.town == town for one in schools.values()),
                dict(by_town.get(town, {})),
                score,
                None if score is None else better + 1,
                _score(before.get(town, {}), targets),
            )
        )
    return found


def _official(counts: Mapping[str, Count], targets: Sequence[str]) -> float:
    """As `_score`, of a town that is compared: what lacks data counts as not met."""
    return fmean(counts[name].ratio or 0.0 for name in targets)


def _schools(schools: Mapping[str, School], verdicts: Sequence[SubjectVerdict]) -> list[SchoolFigures]:
    own: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for one in verdicts:
        own[one.school].append(one)
    return [
        SchoolFigures(
            one.id,
            one.name,
            one.town,
            one.town_name or one.town,
            one.town_seat,
            _counts(own[one.id]),
            _results_of(own[one.id]),
        )
        for one in sorted(schools.values(), key=lambda one: (one.town, one.id))
    ]


def _results_of(verdicts: Sequence[SubjectVerdict]) -> int:
    """Valid results, each counted once: an uplink's tests serve two targets."""
    return sum(one.evidence.valid_results for one in verdicts if one.target != "live_class")


def _failing(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School], names: Names) -> list[Failing]:
    found = []
    for one in verdicts:
        if one.verdict not in UNMET or one.target == "platform_access":
            continue
        school = schools[one.school]
        bandwidth = one.target in BANDWIDTH
        found.append(
            Failing(
                one.target,
                one.school,
                school.name,
                school.town,
                school.town_name or school.town,
                one.subject,
                names.get((one.school, one.subject), one.subject),
                one.verdict,
                one.evidence.median_value if bandwidth else None,
                one.rule.required_bits_per_second if one.rule and bandwidth else None,
                one.evidence.valid_results,
                one.evidence.passing_results,
                one.diagnosis,
                one.unit,
                one.rule.passing_share if one.rule else UNSET,
                _fell_short(one) if bandwidth else UNSET,
            )
        )
    return found


def _fell_short(one: SubjectVerdict) -> float | UnsetType:
    return one.failing_median if one.verdict is Verdict.NOT_MET and one.failing_median is not None else UNSET


def _rooms(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School]) -> list[RoomFigures]:
    return [
        RoomFigures(
            one.school,
            schools[one.school].name,
            one.town,
            schools[one.school].town_name or one.town,
            one.verdict,
            one.evidence.valid_results,
            one.evidence.passing_share,
            one.diagnosis,
        )
        for one in verdicts
        if one.target == "recording_room"
    ]


def _platforms(verdicts: Sequence[SubjectVerdict], names: Names) -> list[PlatformFigures]:
    by_service: dict[str, list[SubjectVerdict]] = defaultdict(list)
    for one in verdicts:
        if one.target == "platform_access":
            by_service[one.subject].append(one)
    found = []
    for service, own in sorted(by_service.items()):
        requests = sum(one.evidence.valid_results for one in own)
        seconds = [one.evidence.median_value for one in own if one.evidence.median_value is not None]
        found.append(
            PlatformFigures(
                service,
                next((names[one.school, service] for one in own if (one.school, service) in names), service),
                count_of(one.verdict for one in own),
                requests,
                sum(one.evidence.passing_results for one in own) / requests if requests else None,
                median(seconds) if seconds else None,
            )
        )
    return found


def _data(verdicts: Sequence[SubjectVerdict], schools: Mapping[str, School]) -> DataFigures:
    counted = [one for one in verdicts if one.target != "live_class"]  # its tests are the uplink's
    reasons: Counter[str] = Counter()
    for one in counted:
        reasons.update(one.not_judged)
    speaking = {one.school for one in verdicts if one.evidence.valid_results}
    return DataFigures(
        valid=sum(one.evidence.valid_results for one in counted),
        passing=sum(one.evidence.passing_results for one in counted),
        invalid=sum(one.evidence.invalid_results for one in counted),
        failed=sum(one.evidence.failed_results for one in counted),
        skipped=sum(one.evidence.skipped_results for one in counted),
        reasons=dict(reasons.most_common()),
        silent_schools=[one.name for one in schools.values() if one.id not in speaking],
    )


def _ledger(
    sources: Sources,
    month: Month,
    standings: Sequence[Standing],
    schools: Mapping[str, School],
    names: Names,
) -> tuple[list[LedgerLine], LedgerFigures]:
    """The ledger as it stood on the last evening of the month, worked out from its trail."""
    last, table = month.last_day, sources.store.ledger
    sum_, contradicted = Balance(), 0
    lines, by_unit = [], Counter[str]()
    for one in standings:
        problem, events = one.problem, table.events(one.problem.id)
        sum_ += balance_of(events, month.first_day, last, month.zone)
        against = any(
            event.what == "claim_contradicted" and month.first_day <= day_of_event(event, month.zone) <= last
            for event in events
        )
        contradicted += against
        by_unit.update([one.unit] if one.is_open else [])
        late = one.is_open and one.due_on < last
        if (late or against) and problem.school in schools:
            lines.append(_ledger_line(one, schools[problem.school], names, late, against))
    overdue = sum(one.overdue for one in lines)
    looked = table.looked_until()
    complete = min(last, datetime.now(month.zone).date() - timedelta(days=1))
    return lines, LedgerFigures(
        sum_.opened,
        sum_.struck_off,
        contradicted,
        sum_.at_the_end,
        overdue,
        dict(sorted(by_unit.items())),
        sum_.before,
        sum_.ended_otherwise,
        UNSET if looked is not None and day_of(looked) >= complete else day_of(looked).isoformat() if looked else "",
    )


def _ledger_line(one: Standing, school: School, names: Names, late: bool, against: bool) -> LedgerLine:
    problem = one.problem
    return LedgerLine(
        problem.id,
        school.name,
        school.town,
        school.town_name or school.town,
        problem.target,
        names.get((problem.school, problem.subject), "") if problem.subject else "",
        one.cause,
        one.unit,
        problem.opened_on.isoformat(),
        one.due_on.isoformat(),
        late,
        against,
        problem.school,
    )


def _forecasts(month: Month, trend: Sequence[TrendPoint]) -> list[Forecast]:
    return [forecast(name, month, [_ratio(one.counts, name) for one in trend]) for name in TARGET_NAMES]


def _corrections(
    sources: Sources,
    month: Month,
    closed: Closed,
    published: Mapping[str, Published],
    names: Names,
    schools: Mapping[str, School],
) -> list[Correction]:
    """Closed months of the last year whose verdicts are others now, unless a report since then has said so."""
    found = []
    for past in sorted(closed):
        if past >= str(month) or past not in published:
            continue
        known = dict(published[past])
        for later in (closed[one] for one in sorted(closed) if past < one < str(month)):
            for told in later.corrections:
                if told.month == past:
                    known[told.target, told.school, told.subject] = told.now
        year, number = (int(part) for part in past.split("-"))
        for one in sources.verdicts.subjects(Month(year, number, month.zone)):
            was = known.get((one.target, one.school, one.subject))
            if was is not None and was is not one.verdict:
                school = schools.get(one.school)
                found.append(
                    Correction(
                        past,
                        one.target,
                        one.school,
                        school.name if school else one.school,
                        one.subject,
                        names.get((one.school, one.subject), one.subject),
                        was,
                        one.verdict,
                    )
                )
    return found


def _both(words: Text) -> tuple[str, str]:
    return words.en, words.zh


def _heads(sources: Sources, schools: Mapping[str, School]) -> list[Head]:
    found = []
    for school in sorted(schools):
        seals = sources.store.chain.seals(school)
        if seals:
            found.append(Head(school, seals[-1].last_sequence, seals[-1].head.hex()))
    return found
