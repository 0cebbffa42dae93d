"""The evidence of one verdict on one sheet of paper, for an inspector: rule, counts, the lowest results, checksum, signatures."""

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from campus_base.figures import percent_as_written
from campus_collector.domain.chain import Checkpoint
from campus_collector.domain.days import day_of
from campus_collector.domain.schools import School, Subject
from campus_collector.http.pages.day_states import counted, day_states, strips
from campus_collector.http.pages.paths import result_path
from campus_collector.http.pages.present import PresentModel, RateRow
from campus_collector.http.pages.problem_rows import Contact, ProblemRows, contact_of
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.subject import subject_name
from campus_collector.http.pages.test_servers import server_words
from campus_collector.http.pages.words import duration_words, rate_words
from campus_collector.http.service import Service
from campus_collector.judge.derivation import Derivation, conclusion, rule_words
from campus_collector.judge.explanations import EXPLANATIONS
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.rules import rule_of
from campus_collector.ledger.table import Names
from campus_wire.records import ThroughputResult

LISTED_RESULTS = 6
"""As many as one sheet has room for beside everything else."""


@dataclass(frozen=True, slots=True)
class ListedResult:
    """A result on the sheet: its figures in words, and its id."""

    when: str
    id: str
    path: str
    rates: list[RateRow]
    figures: str
    passes: bool | None


@dataclass(frozen=True, slots=True)
class EvidenceSheet:
    """What one sheet shows; `address` is where it is found."""

    title: str
    target: str
    school: School
    town: str
    subject: str
    subject_path: str
    test_server: str
    """Of an uplink."""
    month: str
    verdict: Badge
    rule: str
    source: str
    in_force_from: str
    policy_version: str
    tolerance: str
    strips: list[str]
    counted: str
    conclusion: list[str]
    cause: str
    responsible: str
    figures: list[tuple[str, str]]
    results: list[ListedResult]
    contact: Contact
    checkpoint: Checkpoint | None
    checkpoint_day: str
    address: str
    printed_at: str
    county: str


def evidence_sheet(
    service: Service, reader: Reader, school: School, subject: Subject, derivation: Derivation, address: str
) -> EvidenceSheet:
    """From a derivation: everything on it was judged anew from the results."""
    about, month, verdict = derivation.about, derivation.month, derivation.verdict
    policy, rule = service.verdicts.policy, derivation.rule
    states = day_states(subject, about.target, month, policy, {day.day: day.evidence for day in derivation.days})
    target = reader.text(TARGET_WORDS[about.target])
    contact = contact_of(service.inventory.school(school.id))
    names = Names({}, {}, {})
    problems = ProblemRows(reader, school, contact, names, service.today())
    required, checkpoint = about.required_bits_per_second, service.store.chain.last_checkpoint(school.id)
    return EvidenceSheet(
        title=reader.words("sheet_title"),
        target=target,
        school=school,
        town=school.town_name or school.town,
        subject=subject_name(reader, subject),
        subject_path=f"{subject.kind}/{subject.id}",
        test_server=server_words(reader, derivation.servers, service.config.test_servers)
        if subject.kind == "uplink"
        else "",
        month=reader.words("sheet_month", month=str(month), year=month.year, number=month.number),
        verdict=reader.badge(verdict.verdict),
        rule=reader.text(rule_words(rule, required, derivation.tolerance_ratio)),
        source=rule.source if rule is not None and rule.source else "—",
        in_force_from=rule.effective_from.isoformat() if rule is not None else "—",
        policy_version=verdict.policy_version,
        tolerance=percent_as_written(1 - derivation.tolerance_ratio),
        strips=strips(reader, states, f"{target} {month}", month.days),
        counted=counted(reader, states),
        conclusion=[reader.text(sentence) for sentence in conclusion(verdict, with_interval=False)],
        cause=reader.text(EXPLANATIONS[verdict.diagnosis].what),
        responsible=problems.responsible(verdict.unit, verdict.responsible) if verdict.diagnosis else "",
        figures=_figures(reader, derivation),
        results=_listed(service, reader, school, subject, derivation),
        contact=contact,
        checkpoint=checkpoint,
        checkpoint_day=day_of(checkpoint.day).isoformat() if checkpoint is not None else "",
        address=address,
        printed_at=datetime.now(UTC).astimezone(month.zone).strftime("%Y-%m-%d %H:%M"),
        county=service.config.county,
    )


def _required(derivation: Derivation) -> float | None:
    """The rate that the target asks for; None for a target of another kind."""
    rule = derivation.rule
    asks_for_rate = rule is not None and rule.required_bits_per_second is not None
    return derivation.about.required_bits_per_second if asks_for_rate else None


def _figures(reader: Reader, derivation: Derivation) -> list[tuple[str, str]]:
    """The counts and the middle and lowest values of the month, each with its unit."""
    evidence, rule = derivation.verdict.evidence, derivation.rule
    if rule is not None and rule.minutes is not None:
        return _minutes(reader, derivation)
    figures = [
        (reader.words("sheet_valid"), str(evidence.valid_results)),
        (reader.words("sheet_passing"), str(evidence.passing_results)),
        (reader.words("sheet_days"), str(evidence.days)),
        (
            reader.words("sheet_uncounted"),
            str(evidence.invalid_results + evidence.failed_results + evidence.skipped_results),
        ),
    ]
    required = _required(derivation)
    if rule is None or evidence.median_value is None or evidence.lowest_value is None:
        return figures
    if required is not None:
        limits = (required * derivation.tolerance_ratio, required)
        figures.append((reader.words("sheet_median_rate"), reader.text(rate_words(evidence.median_value, *limits))))
        figures.append((reader.words("sheet_lowest_rate"), reader.text(rate_words(evidence.lowest_value, *limits))))
    else:
        key = "sheet_median_first_byte" if rule.max_first_byte_seconds is not None else "sheet_median_rtt"
        figures.append((reader.words(key), reader.text(duration_words(evidence.median_value))))
    return figures


def _minutes(reader: Reader, derivation: Derivation) -> list[tuple[str, str]]:
    """The same of a month that is judged by minutes of lessons."""
    evidence, worst = derivation.verdict.evidence, derivation.verdict.worst_lesson
    figures = [
        (reader.words("sheet_minutes"), str(evidence.valid_results)),
        (reader.words("sheet_good_minutes"), str(evidence.passing_results)),
        (reader.words("sheet_days_of_minutes"), str(evidence.days)),
        (reader.words("sheet_unknown_minutes"), str(evidence.invalid_results)),
    ]
    if evidence.median_value is not None:
        figures.append((reader.words("sheet_median_minute"), reader.text(duration_words(evidence.median_value))))
    if worst is not None:
        values = {"day": worst.day.isoformat(), "span": worst.lesson.span}
        words = reader.words("worst_lesson_is", bad=worst.lesson.bad, observed=worst.lesson.observed, **values)
        figures.append((reader.words("worst_lesson"), words))
    return figures


def _listed(
    service: Service, reader: Reader, school: School, subject: Subject, derivation: Derivation
) -> list[ListedResult]:
    """The results that count with the lowest rates; of a target without a rate those that fail, the newest first."""
    required = _required(derivation)
    if required is not None:
        return _lowest(service, reader, school, subject, derivation, required)
    failing = [line for line in derivation.lines if line.passes is False]
    newest = sorted(failing, key=lambda line: line.at, reverse=True)[:LISTED_RESULTS]
    zone = derivation.month.zone
    return [
        ListedResult(_local(line.at, zone), line.id, "", [], reader.text(line.figures), line.passes) for line in newest
    ]


def _lowest(
    service: Service, reader: Reader, school: School, subject: Subject, derivation: Derivation, required: float
) -> list[ListedResult]:
    month, rule = derivation.month, rule_of(derivation.about.target, derivation.rule)
    passes = {line.id: line.passes for line in derivation.lines if line.passes is not None}
    read = service.verdicts.reader_of(school.id)
    results = [each for each in read(subject.id, rule.result_kind, month.start, month.end) if each.id in passes]
    results.sort(key=lambda result: (rule.value(result) or 0.0, result.started_at))
    present = PresentModel(reader, derivation.tolerance_ratio)
    return [
        ListedResult(
            _local(result.started_at, month.zone),
            result.id,
            result_path(school.id, result),
            present.rate_rows(result.record if isinstance(result, ThroughputResult) else None, required),
            "",
            passes[result.id],
        )
        for result in results[:LISTED_RESULTS]
    ]


def _local(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).strftime("%m-%d %H:%M")
