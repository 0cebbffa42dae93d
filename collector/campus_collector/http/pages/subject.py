"""What the page of one subject shows: its verdict and whom it concerns, how it did over time, and its newest results."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date

from campus_collector.domain.schools import School, Subject
from campus_collector.http.pages.charts import RatePoint, delay_chart, trend_chart
from campus_collector.http.pages.day_states import counted, day_states, strips
from campus_collector.http.pages.history import Bucket, Span, Test, buckets, drawn, sound_tests
from campus_collector.http.pages.paths import raw_results_path, result_path, subject_path
from campus_collector.http.pages.present import Present, PresentModel, RateRow
from campus_collector.http.pages.problem_rows import Contact, ProblemRow, ProblemRows, contact_of, contract_rate
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.test_servers import server_words
from campus_collector.http.pages.words import duration_words, rate_words
from campus_collector.http.school_view import SchoolView, SubjectView, school_view
from campus_collector.http.service import Service
from campus_collector.judge.derivation import DerivedResult, cause_words, derived_results, servers_in
from campus_collector.judge.month import Month, month_of
from campus_collector.judge.policy import TARGET_WORDS, required_rate
from campus_collector.judge.rules import RULES, TARGET_OF, TARGETS_OF
from campus_collector.judge.verdict import JudgedSubject, SubjectVerdict
from campus_collector.ledger.status import ProblemStatus
from campus_collector.ledger.table import Names
from campus_wire.records import AnyResult, InspectionResult, ThroughputResult

MOST_TESTS = 5000
"""Of a span; a classroom has some 1000 in a year."""
SHOWN_RESULTS = 12
SHOWN_INSPECTIONS = 10


@dataclass(frozen=True, slots=True)
class VerdictBlock:
    """How one target judges the month, and who has to act. `since` is when the ledger opened its problem."""

    target: str
    name: str
    badge: Badge
    causes: list[str]
    responsible: str
    problem: int | None
    since: date | None
    days: int
    strips: list[str]
    counted: str


@dataclass(frozen=True, slots=True)
class Picture:
    """A chart with its figures: headings and rows of a table; the first cell of a row may lead to a path."""

    svg: str
    note: str
    headings: list[str]
    rows: list[tuple[str, str, list[str]]]
    """(first cell, its path, the others)"""


@dataclass(frozen=True, slots=True)
class ResultRow:
    """A result. `mark` "met", "not_met" or "" where it does not count; `why` says it."""

    when: str
    path: str
    rates: list[RateRow]
    delays: str
    figures: str
    mark: Badge
    why: str


@dataclass(frozen=True, slots=True)
class SubjectPage:
    """What the page of one subject shows."""

    id: str
    name: str
    kind: str
    path: str
    span: Span
    spans: list[tuple[str, str, bool]]
    """(name, in words, is it shown)"""
    verdicts: list[VerdictBlock]
    contact: Contact
    contract_rate: str
    present: Present | None
    trend: Picture | None
    delays: Picture | None
    cut: str
    open_problems: list[ProblemRow]
    closed_problems: list[ProblemRow]
    inspections: list[ResultRow]
    results: list[ResultRow]
    csv: str
    json: str
    exempt: str = ""
    test_server: str = ""
    """Of an uplink: against which it was tested."""
    has_rates: bool = field(default=False)


class SubjectModel:
    def __init__(self, service: Service, reader: Reader, month: Month, span: Span) -> None:
        self._service = service
        self._reader = reader
        self._month = month
        self._span = span
        self._policy = service.verdicts.policy
        self._present = PresentModel(reader, self._policy.tolerance_ratio)
        self._root = service.config.root_path

    def page(self, school: School, subject: Subject) -> SubjectPage:
        view = school_view(self._service, school, self._month)
        subject_view = self._view_of(view, subject)
        required = subject_view.required_bits_per_second
        kind = RULES[TARGET_OF[subject.kind]].result_kind
        has_rates = subject.kind in ("classroom", "uplink")
        reading = self._service.store.results
        shown = reading.newest(school.id, subject.id, kind, self._span.start, self._span.end, SHOWN_RESULTS)
        results: Sequence[AnyResult] = shown
        if has_rates:
            results = reading.newest_tests(school.id, subject.id, self._span.start, self._span.end, MOST_TESTS)
        contact = contact_of(self._service.inventory.school(school.id))
        names = Names(
            {school.id: school.name}, {school.town: school.town_name}, {(school.id, subject.id): subject.name}
        )
        problems = ProblemRows(self._reader, school, contact, names, self._service.today())
        standings = [standing for standing in view.standings if _is_about(standing, subject)]
        tests = sound_tests(results, self._month) if has_rates else []
        name = subject_name(self._reader, subject)
        export = (school.id, subject.id, kind, self._span.start, self._span.end)
        return SubjectPage(
            subject.id,
            name,
            subject.kind,
            subject_path(school.id, subject.kind, subject.id),
            self._span,
            [(key, self._reader.words(f"span_{key}"), key == self._span.name) for key in ("month", "term", "year")],
            [self._block(view, subject, target, problems) for target in TARGETS_OF[subject.kind]],
            contact,
            contract_rate(self._reader, contact),
            self._present.present(subject_view, name) if has_rates else None,
            self._trend(school, tests, required or 0.0, name) if has_rates else None,
            self._delays(school, tests, subject, name) if has_rates else None,
            self._reader.words("cut", count=MOST_TESTS) if len(results) == MOST_TESTS else "",
            problems.open(standings),
            problems.closed(standings),
            self._inspections(school, subject, required or 0.0) if subject.kind == "classroom" else [],
            self.result_rows(school, subject, shown),
            raw_results_path(*export, ending=".csv", lang=self._reader.language),
            raw_results_path(*export),
            subject.exempt_reason,
            server_words(self._reader, servers_in(results), self._service.config.test_servers)
            if subject.kind == "uplink"
            else "",
            has_rates,
        )

    def _view_of(self, view: SchoolView, subject: Subject) -> SubjectView:
        """As the school has it; of one that was removed, with its newest results."""
        for known in view.subjects:
            if (known.subject.kind, known.subject.id) == (subject.kind, subject.id):
                return known
        latest = {results.kind: results for results in view.latest if results.subject == subject.id}
        rule = self._policy.in_force(TARGET_OF[subject.kind], self._month.first_day)
        return SubjectView(subject, None, required_rate(subject, rule), latest)

    def _block(self, view: SchoolView, subject: Subject, target: str, problems: ProblemRows) -> VerdictBlock:
        verdict = next((each for each in view.verdicts if (each.target, each.subject) == (target, subject.id)), None)
        days = self._service.verdicts.evidence(subject, target, self._month)
        states = day_states(subject, target, self._month, self._policy, days)
        name = self._reader.text(TARGET_WORDS[target])
        opened = {standing.problem.id: standing.problem.opened_on for standing in view.standings}
        since = opened.get(verdict.problem) if verdict is not None and verdict.problem is not None else None
        return VerdictBlock(
            target,
            name,
            self._badge(verdict),
            [self._reader.text(cause_words(cause)) for cause in verdict.causes[:1]] if verdict is not None else [],
            problems.responsible(verdict.unit, verdict.responsible) if verdict is not None and verdict.causes else "",
            verdict.problem if verdict is not None else None,
            since,
            (self._service.today() - since).days if since is not None else 0,
            strips(self._reader, states, f"{name} {self._month}"),
            counted(self._reader, states),
        )

    def _badge(self, verdict: SubjectVerdict | None) -> Badge:
        """Of a month in which the subject was not there yet: not judged."""
        if verdict is None:
            return Badge("insufficient", "?", self._reader.words("not_judged"))
        return self._reader.badge(verdict.verdict, self._present.progress(verdict))

    def _trend(self, school: School, tests: Sequence[Test], required: float, name: str) -> Picture | None:
        if not tests or not required:
            return None
        shown, days = drawn(tests)
        limits = (required * self._policy.tolerance_ratio, required)

        def rate(value: float | None) -> str:
            return self._reader.text(rate_words(value, *limits))

        points = [
            RatePoint(
                test.at, test.down, test.up, self._root + result_path(school.id, test.result),
                f"{test.at:%m-%d %H:%M} ↓{rate(test.down)} ↑{rate(test.up)}",
            )
            for test in shown
        ]  # fmt: skip
        title = self._reader.words("trend_title", name=name, count=len(tests), required=rate(required))
        svg = trend_chart(points, self._span.local, required, self._policy.tolerance_ratio, title)
        note = self._reader.words("trend_legend")
        if days:
            note = (
                f"{note} {self._reader.words('thinned' if days == 1 else 'thinned_more', count=len(tests), days=days)}"
            )
        headings = [self._reader.words(key) for key in (self._bucket_key, "tests", "reached", "lowest", "down", "up")]
        rows = [
            (
                bucket.label,
                self._root + result_path(school.id, bucket.middle.result),
                [str(bucket.tests), str(bucket.reached), rate(bucket.lowest), rate(bucket.down), rate(bucket.up)],
            )
            for bucket in self._buckets(tests, required)
        ]
        return Picture(svg, note, headings, rows)

    def _delays(self, school: School, tests: Sequence[Test], subject: Subject, name: str) -> Picture | None:
        timed = [test for test in tests if test.idle is not None or test.loaded is not None]
        if not timed:
            return None
        rule = self._policy.in_force("live_class", self._month.first_day) if subject.kind == "uplink" else None
        limits = (
            ()
            if rule is None or rule.delays is None
            else (rule.delays.max_rtt_seconds, rule.delays.max_working_rtt_seconds)
        )
        shown, _ = drawn(timed)
        title = self._reader.words("delays_title", name=name, count=len(timed))
        svg = delay_chart([(test.at, test.idle, test.loaded) for test in shown], self._span.local, limits, title)
        keys = [self._bucket_key, "tests", "rtt_idle_short", "rtt_loaded_short"]
        with_rpm = subject.kind == "uplink"
        headings = [self._reader.words(key) for key in (*keys, *(["rpm"] if with_rpm else []))]
        rows = [
            (
                bucket.label,
                "",
                [
                    str(bucket.tests),
                    *(self._reader.text(duration_words(value)) for value in (bucket.idle, bucket.loaded)),
                    *([_round_trips_a_minute(bucket.loaded)] if with_rpm else []),
                ],
            )
            for bucket in self._buckets(timed, None)
        ]
        legend = self._reader.words("delays_legend_limits" if limits else "delays_legend")
        return Picture(svg, legend, headings, rows)

    @property
    def _bucket_key(self) -> str:
        return "day" if self._span.name == "month" else "month_word"

    def _buckets(self, tests: Sequence[Test], required: float | None) -> list[Bucket]:
        return buckets(tests, self._span, required, self._policy.tolerance_ratio)

    def _inspections(self, school: School, subject: Subject, required: float) -> list[ResultRow]:
        """Tests that people made from a browser; none counts."""
        rows = []
        for result in self._service.store.results.newest(
            school.id, subject.id, "inspection", self._span.start, self._span.end, SHOWN_INSPECTIONS
        ):
            if isinstance(result, InspectionResult) and result.record is not None:
                rates = self._present.rate_rows(result.record.measured, required)
                why = self._reader.words("own_machine" if result.record.own_machine else "other_machine")
                rows.append(self._row(school, result, rates, None, why))
        return rows

    def result_rows(self, school: School, subject: Subject, results: Sequence[AnyResult]) -> list[ResultRow]:
        """Each as the rule of its month judges it."""
        target = TARGET_OF[subject.kind]
        rows = []
        for result in results:
            month = month_of(result.started_at, self._month.zone)
            derived, required = derived_result(self._service, school, subject, target, month, result)
            record = result.record if isinstance(result, ThroughputResult) else None
            rates = self._present.rate_rows(record, required or 0.0)
            rows.append(self._row(school, result, rates, derived, why_words(self._reader, derived)))
        return rows

    def _row(
        self, school: School, result: AnyResult, rates: list[RateRow], derived: DerivedResult | None, why: str
    ) -> ResultRow:
        passes = derived.passes if derived is not None else None
        return ResultRow(
            result.started_at.astimezone(self._month.zone).strftime("%Y-%m-%d %H:%M"),
            result_path(school.id, result),
            rates,
            _delays_of_row(self._reader, result),
            self._reader.text(derived.figures) if derived is not None else "",
            pass_badge(self._reader, passes),
            why,
        )


def derived_result(
    service: Service, school: School, subject: Subject, target: str, month: Month, result: AnyResult
) -> tuple[DerivedResult, float | None]:
    """What a month's rule makes of one result, and the rate that it asks for."""
    policy = service.verdicts.policy
    required = required_rate(subject, policy.in_force(target, month.first_day))
    lessons = service.verdicts.lessons(school.id, month)
    about = JudgedSubject(target, school.town, school.id, subject.id, required, subject.exempt_reason, lessons)
    return derived_results(about, month, policy, [result])[0], required


def why_words(reader: Reader, derived: DerivedResult) -> str:
    """Why it counts or not, and what makes it doubtful."""
    why = reader.text(derived.why)
    if derived.doubt is None:
        return why
    return f"{why}{reader.words('semicolon')}{reader.words('doubtful')}{reader.text(derived.doubt)}"


def pass_badge(reader: Reader, passes: bool | None) -> Badge:
    """A result as its rule counts it; what does not count has a dot."""
    if passes is None:
        return Badge("none", "·", reader.words("does_not_count"))
    return Badge(
        "met" if passes else "not_met",
        "✓" if passes else "✗",
        reader.words("result_passes" if passes else "result_fails"),
    )


def subject_name(reader: Reader, subject: Subject) -> str:
    """What a subject is called."""
    if subject.kind == "uplink":
        return reader.words("uplink")
    return reader.words("recording_rooms") if subject.kind == "recording_room" else subject.name


def _is_about(standing: ProblemStatus, subject: Subject) -> bool:
    problem = standing.problem
    return problem.target in TARGETS_OF[subject.kind] and (
        problem.subject == subject.id or (not problem.subject and subject.id in problem.covers)
    )


def _round_trips_a_minute(loaded_seconds: float | None) -> str:
    """Responsiveness as draft-ietf-ippm-responsiveness gives it, of the round trip under load that is not exceeded by 95 %."""
    return f"{60 / loaded_seconds:.0f}" if loaded_seconds else "—"


def _delays_of_row(reader: Reader, result: AnyResult) -> str:
    record = result.record if isinstance(result, ThroughputResult) else None
    if record is None or record.idle is None or record.idle.rtt_median_seconds is None:
        return ""
    idle = reader.text(duration_words(record.idle.rtt_median_seconds))
    loaded = record.working.rtt_p95_seconds if record.working else None
    return idle if loaded is None else f"{idle} / {reader.text(duration_words(loaded))}"
