"""The derivation of a month's verdict from its results, step by step, so that a reader can repeat it by hand. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from campus_base.figures import megabits, milliseconds, percent, percent_as_written, rounded
from campus_base.language import Language
from campus_base.messages import Message, bilingual, joined, message, pmessage, verbatim
from campus_base.terminal import escape_cell
from campus_base.wire_words import FAILURE_WORDS, SKIP_WORDS, VALIDITY_WORDS, VERDICT_WORDS
from campus_collector.judge.causes import Cause
from campus_collector.judge.day import DayEvidence
from campus_collector.judge.evidence import MonthEvidence
from campus_collector.judge.exemptions import exempt_days
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.lesson_minutes import BROKEN, MinuteCounts
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_WORDS, MinuteLimits, Policy, Target
from campus_collector.judge.rules import Observation, has_trusted_time, observe
from campus_collector.judge.verdict import JudgedSubject, SubjectVerdict
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind
from campus_wire.records import (
    AnyResult,
    DirectionRecord,
    InterruptionResult,
    RoomResult,
    ServiceRecord,
    ServiceResult,
    ThroughputResult,
)


@dataclass(frozen=True, slots=True)
class DerivedResult:
    """One result: when, which, what it says in figures, and what the rule makes of it (None: not judged, `why` says the reason)."""

    at: datetime
    id: str
    figures: Message
    passes: bool | None
    why: Message
    doubt: Message | None = None
    """Why it may be wrong all the same, where the record shows it."""
    command: str = ""
    """The id of the command that caused it: a person chose its moment. "" for the schedule's."""


@dataclass(frozen=True, slots=True)
class DerivedDay:
    """One day: its counts, and whether it is left out."""

    day: date
    evidence: DayEvidence
    exempt: bool


@dataclass(frozen=True, slots=True)
class Derivation:
    about: JudgedSubject
    month: Month
    rule: Target | None
    tolerance_ratio: float
    verdict: SubjectVerdict
    lines: tuple[DerivedResult, ...]
    days: tuple[DerivedDay, ...]
    servers: tuple[str, ...] = ()
    """The test servers of an uplink's tests, as their results name them."""


def derive(
    about: JudgedSubject,
    month: Month,
    policy: Policy,
    results: Sequence[AnyResult],
    days: Mapping[date, DayEvidence],
    verdict: SubjectVerdict,
) -> Derivation:
    rule = policy.in_force(about.target, month.first_day)
    lines = derived_results(about, month, policy, results)
    free, _ = exempt_days(policy, about.target, about.school, about.subject, month)
    return Derivation(
        about,
        month,
        rule,
        policy.tolerance_ratio,
        verdict,
        tuple(lines),
        tuple(DerivedDay(day, evidence, day in free) for day, evidence in sorted(days.items())),
        servers_in(results),
    )


def servers_in(results: Iterable[AnyResult]) -> tuple[str, ...]:
    """The test servers of throughput tests, each once, in the order of the results."""
    tests = (result.record for result in results if isinstance(result, ThroughputResult))
    return tuple(dict.fromkeys(record.server for record in tests if record is not None and record.server))


def derived_results(
    about: JudgedSubject, month: Month, policy: Policy, results: Sequence[AnyResult]
) -> list[DerivedResult]:
    """What the rule of a month makes of each of some results of it, in order of time."""
    rule = policy.in_force(about.target, month.first_day)
    by_id = {result.id: result for result in results if not isinstance(result, InterruptionResult)}
    observations = observe(results, rule, policy, month, about.required_bits_per_second, about.lessons) if rule else []
    judged = {observation.id for observation in observations}
    limits = Limits.of(rule, about.required_bits_per_second, policy.tolerance_ratio)
    lines = [_line(by_id[observation.id], observation, limits) for observation in observations]
    outside = message("outside school hours, or planned maintenance: does not count")
    lines += [
        DerivedResult(result.started_at, result.id, _figures(result, limits), None, outside)
        for result in by_id.values()
        if result.id not in judged
    ]
    return sorted(lines, key=lambda line: (line.at, line.id))


@dataclass(frozen=True, slots=True)
class Limits:
    """What the figures of a result are compared with, so that none is written as if it were on the other side."""

    rates: tuple[float, ...] = ()
    first_byte: tuple[float, ...] = ()
    rtt: tuple[float, ...] = ()
    working_rtt: tuple[float, ...] = ()
    minutes: MinuteLimits | None = None

    @classmethod
    def of(cls, rule: Target | None, required_bits_per_second: float | None, tolerance_ratio: float) -> "Limits":
        if rule is None:
            return cls()
        required, delays = required_bits_per_second, rule.delays
        return cls(
            () if required is None else (required * tolerance_ratio, required),
            () if rule.max_first_byte_seconds is None else (rule.max_first_byte_seconds,),
            () if delays is None else (delays.max_rtt_seconds,),
            () if delays is None else (delays.max_working_rtt_seconds,),
            rule.minutes,
        )


def _line(result: AnyResult, observation: Observation, limits: Limits) -> DerivedResult:
    doubt = doubt_about(result, observation.passes)
    minutes = observation.minutes
    return DerivedResult(
        result.started_at,
        result.id,
        _figures(result, limits) if minutes is None else _minutes(minutes),
        observation.passes,
        _why(result, observation.passes),
        doubt,
        result.command,
    )


def doubt_about(result: AnyResult, passes: bool | None) -> Message | None:
    """Why a result that an agent of version 0.2 made may be wrong, where the record shows it; None where nothing does.

    Such results are kept and judged as they came: a person decides whether to exempt their days, or to wait for new ones.
    """
    if (
        result.failure is not None
        and result.failure.kind is FailureKind.WORKER_DIED
        and result.failure.detail.startswith(SECCOMP_DEATH)
    ):
        return message(
            "agents of version 0.2.0 ended every test of their own engine so under their service's filter:"
            " says nothing of the line"
        )
    record = result.record if isinstance(result, ThroughputResult) else None
    if record is None or passes is not False:
        return None
    if record.cross_traffic_bits_per_second is None and not any(
        direction is not None and direction.cross_traffic_bits_per_second is not None
        for direction in (record.down, record.up)
    ):
        return message("other traffic could not be seen during this test: it may have taken part of the line")
    if record.cpu_ratio is not None and record.cpu_ratio >= BUSY_CPU_RATIO_OF_DOUBT:
        busy = percent(record.cpu_ratio, decimals=0)
        return message(
            "the gateway's CPU was {busy} busy: version 0.2 did not see a test that waited for the CPU", busy=busy
        )
    return None


def _why(result: AnyResult, passes: bool | None) -> Message:
    if passes is True:
        return message("passes")
    if result.skipped is not None:
        words = SKIP_WORDS[result.skipped]
        return message("not made: {words}", words=words)
    if not has_trusted_time(result):
        return message("not valid: the clock was not trusted, nobody knows when it was")
    if result.failure is not None:
        words = FAILURE_WORDS[result.failure.kind]
        judged = passes is False
        return message(
            "{state}: {words}", state=(message("fails") if judged else message("failed, not judged")), words=words
        )
    if passes is False:
        return message("fails")
    words = VALIDITY_WORDS[result.validity]
    if str(result.validity) == "ok":
        return message("not judged: it proves neither")
    return message("not valid: {words}", words=words)


def _figures(result: AnyResult, limits: Limits) -> Message:
    """The numbers the rule looks at, with how they were worked out."""
    if isinstance(result, ThroughputResult) and result.record is not None:
        path = result.record.encapsulation
        rates = []
        for name, direction in (("↓", result.record.down), ("↑", result.record.up)):
            if direction is not None:
                rates.append(f"{name} {_rate(direction, path.wire_bytes, path.mss_bytes, limits.rates)}")
        parts = [message("{rates} Mbit/s", rates="  ".join(rates))] if rates else []
        idle, working = result.record.idle, result.record.working
        if idle is not None and idle.rtt_median_seconds is not None:
            loaded = working.rtt_p95_seconds if working is not None else None
            more = f"/{milliseconds(loaded, *limits.working_rtt)}" if loaded is not None else ""
            delays = f"{milliseconds(idle.rtt_median_seconds, *limits.rtt)}{more}"
            parts.append(message("RTT {delays} ms", delays=delays))
        return joined(parts, verbatim("{left}  {right}")) if parts else verbatim("—")
    if isinstance(result, ServiceResult) and result.record is not None:
        return _answer(result.record, limits.first_byte)
    if isinstance(result, RoomResult) and result.record is not None:
        down = ", ".join(result.record.down) or "—"
        return message(
            "up: {state}; down: {down}", state=(message("yes") if result.record.up else message("no")), down=down
        )
    return verbatim("—")


BROKEN_WORDS: dict[str, Message] = {
    "loss": pmessage("broken limit", "loss"),
    "rtt": message("round trips"),
    "jitter": message("jitter"),
    "gap": message("gap"),
}


def _minutes(counts: MinuteCounts) -> Message:
    """What a result of the lesson stream contributes: its minutes in lessons."""
    bad = counts.observed - counts.good
    broken = _broken({name: counts.symptoms[f"minute:{name}"] for name in BROKEN})
    return message(
        "minutes of lessons: {good} good, {bad} bad{broken}, {unknown} not observed",
        good=counts.good,
        bad=bad,
        broken=broken,
        unknown=counts.unknown,
    )


def _broken(counts: Mapping[str, int]) -> Message:
    """Which limits were broken how often, in brackets; nothing when none was."""
    parts = [
        message("{limit} {count}", limit=BROKEN_WORDS[name], count=counts[name]) for name in BROKEN if counts.get(name)
    ]
    if not parts:
        return verbatim("")
    return pmessage("in brackets", " ({text})", text=joined(parts, pmessage("clauses", "{left}, {right}")))


def _answer(record: ServiceRecord, first_byte_limits: tuple[float, ...]) -> Message:
    """What a platform said: the time, the status, where it leads to, and by which family of addresses."""
    seconds = record.first_byte_seconds
    shown = (
        verbatim("—") if seconds is None else message("{shown} s", shown=rounded(seconds, 3, at_most=first_byte_limits))
    )
    parts = [message("first byte {shown}", shown=shown)]
    if record.http_status is not None:
        parts.append(message("status {http_status}", http_status=record.http_status))
    if record.leads_to is not None:
        parts.append(message("leads to {leads_to}", leads_to=record.leads_to))
    if record.address_family is not None:
        family = "IPv6" if record.address_family == "ipv6" else "IPv4"
        parts.append(verbatim(family))
    return joined(parts, pmessage("clauses", "{left}, {right}"))


def _rate(direction: DirectionRecord, wire_bytes: int, mss_bytes: int, limits: tuple[float, ...]) -> str:
    """Payload rate, factor and line rate; an arrow stands where a line rate that was measured itself is not their product."""
    bound = "≥" if direction.lower_bound else ""
    goodput, measured = direction.goodput_bits_per_second, direction.line_rate_bits_per_second
    product = goodput * wire_bytes / mss_bytes
    line = product if measured is None else measured
    equals = "=" if f"{product / 1e6:.2f}" == f"{line / 1e6:.2f}" else "→"
    return f"{bound}{goodput / 1e6:.2f}×{wire_bytes}/{mss_bytes}{equals}{megabits(line, *limits, decimals=2)}"


SECCOMP_DEATH = "exit -31"
"""SIGSYS ends a worker that makes a system call its service may not make."""
BUSY_CPU_RATIO_OF_DOUBT = 0.5
"""Well below the guard: the mean of a test hides moments in which it waited."""
DOUBTFUL = message("doubtful: ")
ON_REQUEST = message("tested on request: a person chose the moment")


def rule_words(rule: Target | None, required_bits_per_second: float | None, tolerance_ratio: float) -> Message:
    """The rule of a target in plain words."""
    if rule is None:
        return message("no entry of the policy was in force: nothing can be met")
    if required_bits_per_second is not None and rule.required_bits_per_second is not None:
        least = required_bits_per_second * tolerance_ratio / 1e6
        asked = required_bits_per_second / 1e6
        passes = message(
            "a result passes when the line rate of both directions is at least {asked:g} ×"
            " {tolerance_ratio:g} = {least:g} Mbit/s",
            asked=asked,
            tolerance_ratio=tolerance_ratio,
            least=least,
        )
    elif rule.max_first_byte_seconds is not None:
        seconds = rule.max_first_byte_seconds
        passes = message(
            "a request in school hours passes when it succeeds with the first byte within {seconds:g} s",
            seconds=seconds,
        )
    elif rule.delays is not None:
        limits = rule.delays
        passes = message(
            "a test of the uplink, made outside lessons, passes when the idle RTT is at most"
            " {max_rtt_seconds:g} ms, under load {max_working_rtt_seconds:g} ms, jitter"
            " {max_jitter_seconds:g} ms, loss {max_loss_ratio}",
            max_rtt_seconds=limits.max_rtt_seconds * 1000,
            max_working_rtt_seconds=limits.max_working_rtt_seconds * 1000,
            max_jitter_seconds=limits.max_jitter_seconds * 1000,
            max_loss_ratio=percent_as_written(limits.max_loss_ratio),
        )
    elif rule.minutes is not None:
        return _lesson_rule_words(rule, rule.minutes)
    else:
        passes = message("a poll in school hours passes when some room of the school has all its required devices up")
    return message(
        "{passes}; the month is met when at least {passing_share} of at least {min_valid_results} valid"
        " results on at least {min_days} days pass",
        passes=passes,
        passing_share=percent_as_written(rule.passing_share),
        min_valid_results=rule.min_valid_results,
        min_days=rule.min_days,
    )


def _lesson_rule_words(rule: Target, limits: MinuteLimits) -> Message:
    return message(
        "a minute of a lesson (by the school's timetable; where there is none, of school hours) is good when at most"
        " {max_loss} of its packets are lost, 95 % of its round trips take at most {max_rtt:g} ms, jitter is at most"
        " {max_jitter:g} ms and no answer is waited for as long as {max_gap:g} s; a minute of which less than"
        " {min_observed:g} s were observed says nothing; the month is met when at least {passing_share} of at least"
        " {min_minutes} observed minutes on at least {min_days} days are good",
        max_loss=percent_as_written(limits.max_loss_ratio),
        max_rtt=limits.max_rtt_p95_seconds * 1000,
        max_jitter=limits.max_jitter_seconds * 1000,
        max_gap=limits.max_gap_seconds,
        min_observed=limits.min_observed_seconds,
        passing_share=percent_as_written(rule.passing_share),
        min_minutes=rule.min_valid_results,
        min_days=rule.min_days,
    )


def deciding_words(passing: int, valid: int, rule: Target | None) -> Message:
    """The figure that decides a verdict, with its rule."""
    if rule is None:
        return message("passed {passing} of {valid} tests", passing=passing, valid=valid)
    needed = percent_as_written(rule.passing_share, space=" ")
    text = message("passed {passing} of {valid} tests; {needed} needed")
    if rule.minutes is not None:
        text = message("{passing} of {valid} minutes of lessons were good; {needed} needed")
    return text.with_(
        passing=passing,
        valid=valid,
        needed=bilingual(needed, needed.replace(" ", "")),
    )


def conclusion(verdict: SubjectVerdict, *, with_interval: bool = True) -> list[Message]:
    """How the counts lead to the verdict, sentence by sentence; `with_interval`: also how sure the share is.

    Minutes of lessons have no interval: neighbours are alike, so that each says less than an independent test.
    """
    evidence, rule = verdict.evidence, verdict.rule
    by_minutes = rule is not None and rule.minutes is not None
    sentences = [_counted_minutes(verdict) if by_minutes else _counted(evidence)]
    if verdict.exempt_days:
        sentences.append(
            message(
                "{exempt_days} exempt day(s) are left out: {exempt_reason}",
                exempt_days=verdict.exempt_days,
                exempt_reason=verdict.exempt_reason,
            )
        )
    if verdict.verdict is Verdict.EXEMPT:
        sentences.append(message("exempt: {exempt_reason}", exempt_reason=verdict.exempt_reason))
    elif rule is not None and verdict.verdict is Verdict.INSUFFICIENT:
        sentences.append(_what_lacks(evidence, rule))
    elif rule is not None and evidence.passing_share is not None:
        sign = "≥" if verdict.verdict is Verdict.MET else "<"
        share, needed = percent(evidence.passing_share, rule.passing_share), percent_as_written(rule.passing_share)
        sentences.append(message("share {share} {sign} {needed}", share=share, sign=sign, needed=needed))
    if with_interval and not by_minutes and evidence.interval is not None:
        low, high = evidence.interval
        sentences.append(
            message(
                "with so many results the true share lies between {low} and {high} (95 %, Wilson)",
                low=percent(low),
                high=percent(high),
            )
        )
    words = VERDICT_WORDS[verdict.verdict]
    sentences.append(message("verdict: {words}", words=words))
    return sentences


def _counted(evidence: MonthEvidence) -> Message:
    return message(
        "{passing_results} of {valid_results} valid results on {days} days pass ({invalid_results}"
        " invalid, {failed_results} failed, {skipped_results} skipped)",
        passing_results=evidence.passing_results,
        valid_results=evidence.valid_results,
        days=evidence.days,
        invalid_results=evidence.invalid_results,
        failed_results=evidence.failed_results,
        skipped_results=evidence.skipped_results,
    )


def _counted_minutes(verdict: SubjectVerdict) -> Message:
    evidence = verdict.evidence
    # of what says nothing some may be results of the stream (an untrusted clock) and no minutes
    results = sum(number for symptom, number in verdict.not_judged.items() if symptom.startswith("invalid:"))
    return message(
        "{observed} minutes of lessons observed on {days} days: {good} good, {bad} bad{broken}; {unknown} not observed",
        observed=evidence.valid_results,
        days=evidence.days,
        good=evidence.passing_results,
        bad=evidence.valid_results - evidence.passing_results,
        broken=_broken(verdict.broken_limits),
        unknown=evidence.invalid_results - results,
    )


def _what_lacks(evidence: MonthEvidence, rule: Target) -> Message:
    if rule.minutes is not None:
        return message(
            "needed: {min_minutes} observed minutes on {min_days} days; too few: insufficient, which counts as not met",
            min_minutes=rule.min_valid_results,
            min_days=rule.min_days,
        )
    return message(
        "needed: {min_valid_results} valid results on {min_days} days; too few: insufficient, which counts as not met",
        min_valid_results=rule.min_valid_results,
        min_days=rule.min_days,
    )


def cause_words(cause: Cause) -> Message:
    """One cause in a sentence with its evidence, who has to act and how."""
    explanation = EXPLANATIONS[cause.code]
    unit = UNIT_WORDS[explanation.unit]
    return message(
        "{what} ({evidence}) -> {unit}: {advice}",
        what=explanation.what,
        evidence=cause.evidence,
        unit=unit,
        advice=explanation.advice,
    )


def _cause_lines(cause: Cause, language: Language) -> Iterator[str]:
    yield f"  {percent(cause.weight, decimals=0)}  {cause_words(cause).in_(language)}"
    technical = EXPLANATIONS[cause.code].technical
    if technical is not None:
        yield "      " + message("For IT staff: {technical}", technical=technical).in_(language)


def as_text(derivation: Derivation, language: Language) -> str:
    verdict, results, days = derivation.verdict, derivation.lines, derivation.days
    lines = [*_heading(derivation, language), ""]
    lines += [each for line in results for each in _line_words(line, derivation.month.zone, language)]
    lines += [] if results else [message("  no result").in_(language)]
    lines += ["", *(_day_words(day, language) for day in days), ""]
    lines += [f"  {sentence.in_(language)}" for sentence in conclusion(verdict)]
    if verdict.causes:
        lines.append(message("likely causes:").in_(language))
        lines += [line for each in verdict.causes for line in _cause_lines(each, language)]
    return "\n".join(map(escape_cell, lines))


def _heading(derivation: Derivation, language: Language) -> list[str]:
    about, rule = derivation.about, derivation.rule
    source = message("rule ({source}, in force from {since}, policy {version}): ").in_(
        language,
        source=rule.source if rule else "—",
        since=rule.effective_from if rule else "—",
        version=derivation.verdict.policy_version,
    )
    words = rule_words(rule, about.required_bits_per_second, derivation.tolerance_ratio).in_(language)
    target = TARGET_WORDS[about.target].in_(language)
    return [f"{target}  {about.school}/{about.subject}  {derivation.month}", source + words]


def _line_words(line: DerivedResult, zone: ZoneInfo, language: Language) -> Iterator[str]:
    at, mark = line.at.astimezone(zone).strftime("%m-%d %H:%M:%S"), {True: "✓", False: "✗", None: "·"}[line.passes]
    yield f"  {at}  {mark}  {line.figures.in_(language)}  {line.why.in_(language)}  [{line.id}]"
    if line.doubt is not None:
        yield f"      {DOUBTFUL.in_(language)}{line.doubt.in_(language)}"
    if line.command:
        yield f"      {ON_REQUEST.in_(language)} [{line.command}]"


def _day_words(day: DerivedDay, language: Language) -> str:
    left_out = message("  exempt: left out").in_(language) if day.exempt else ""
    counted = message("{passing} of {valid} valid pass").in_(
        language, passing=day.evidence.passing, valid=day.evidence.valid
    )
    return f"  {day.day}  {counted}{left_out}"
