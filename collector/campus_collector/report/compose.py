"""From figures to a document in one language: which tables and sentences stand in which order. Pure."""

from collections.abc import Sequence

from msgspec import UNSET

from campus_base.figures import megabits, percent_as_written
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.judge.explanations import EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.report import charts
from campus_collector.report.document import (
    NOTHING,
    Block,
    Cell,
    Chart,
    Document,
    Heading,
    Kind,
    Paragraph,
    Series,
    Table,
    TableColumn,
    writable,
)
from campus_collector.report.figures import Count, Failing, Figures, LedgerLine, content_hash
from campus_collector.report.sentences import sentences
from campus_collector.report.words import (
    FORECASTS,
    VERDICTS,
    date_words,
    month_words,
    reason_words,
    say,
)

BANDWIDTH = ("classroom_bandwidth", "uplink_bandwidth")


def compose(figures: Figures, language: Language) -> Document:
    """The whole report, or an excerpt when the figures are those of an excerpt."""
    writer = _Writer(figures, language)
    blocks = writer.empty() if figures.is_empty else writer.excerpt() if figures.scope else writer.whole()
    title, month = _title(figures, language), month_words(figures.month, language)
    document = Document(
        language,
        title,
        month,
        _facts(figures, language, month),
        message("; ").in_(language).join(_banner(figures, language)),
        tuple(blocks),
        f"{title} · {month}",
        figures.issued_on,
        content_hash(figures),
    )
    return writable(document)


def _banner(figures: Figures, language: Language) -> list[str]:
    """What a reader must know before he believes a figure."""
    applies = {
        "simulated": figures.simulated,
        "in_progress": not figures.complete,
        "not_closed": figures.complete and not figures.closed,
        "working": figures.working is True,
        "provisional": figures.provisional_calendar is True,
    }
    return [say(name, language) for name, is_so in applies.items() if is_so]


def _title(figures: Figures, language: Language) -> str:
    if figures.scope:
        return say("title_excerpt", language, name=figures.scope_name)
    if figures.county:
        return say("title_county", language, county=figures.county)
    return say("title", language)


def _facts(figures: Figures, language: Language, month: str) -> tuple[tuple[str, str], ...]:
    """The lines below the title: name and value."""
    facts = [
        (say("fact_month", language), month),
        (say("fact_issued" if figures.closed else "fact_made", language), date_words(figures.issued_on, language)),
    ]
    if isinstance(figures.as_of, str):
        facts.append((say("fact_as_of", language), _time_words(figures.as_of, language)))
    facts.append((say("fact_schools", language), say("schools_value", language, n=figures.schools_total)))
    facts.append((say("fact_policy", language), figures.policy_version))
    return tuple(facts)


class _Writer:
    def __init__(self, figures: Figures, language: Language) -> None:
        self._f, self._language = figures, language

    def empty(self) -> list[Block]:
        return [Paragraph(self._w("empty")), *self._method()]

    def excerpt(self) -> list[Block]:
        blocks: list[Block] = [Heading(self._w("summary")), *self._sentences(), self._targets(changes=False)]
        if self._f.scope.startswith("town:"):
            blocks += [self._schools()]
        blocks += [self._failing(), self._ledger_lines()]
        blocks.append(Paragraph(self._proof(), note=True))
        return blocks

    def whole(self) -> list[Block]:
        f, w = self._f, self._w
        blocks: list[Block] = [Heading(w("summary")), *self._sentences()]
        if f.rules_changed:
            names = (message(", ").in_(self._language)).join(self._target(name) for name in f.rules_changed)
            blocks.append(Paragraph(w("rules_changed", names=names), note=True))
        blocks.append(self._targets(changes=True))
        blocks += [Heading(w("towns")), self._towns(), Paragraph(self._score_note(), note=True), *self._town_chart()]
        blocks += [Heading(w("schools")), self._schools()]
        blocks += [Heading(w("failing")), self._failing()]
        blocks += [Heading(w("rooms")), self._rooms()]
        blocks += [Heading(w("live")), Paragraph(w("live_note"), note=True), self._live()]
        blocks += [Heading(w("platforms")), self._platforms()]
        blocks += [Heading(w("ledger")), *self._ledger_up_to(), self._ledger(), self._units(), self._ledger_lines()]
        blocks += [Heading(w("data")), *self._silent(), self._data(), self._reasons(), self._agreement()]
        blocks += [Heading(w("trend")), *self._trend()]
        blocks += [Heading(w("corrections")), *self._corrections()]
        blocks += self._method()
        blocks += [Heading(w("proof")), Paragraph(self._proof()), self._heads()]
        return blocks

    def _w(self, key: str, **values: object) -> str:
        return say(key, self._language, **values)

    def _target(self, name: str) -> str:
        return TARGET_WORDS[name].in_(self._language)

    def _cause(self, code: str) -> str:
        return EXPLANATIONS[code].what.in_(self._language) if code else NOTHING

    def _unit(self, unit: str) -> str:
        return UNIT_WORDS[unit].in_(self._language) if unit in UNIT_WORDS else unit

    def _ratio(self, count: Count) -> Cell:
        """A compliance rate: where nothing has enough data it is not known, which is not 0 %."""
        return self._w("no_data") if count.judged and not count.has_data else count.ratio

    def _columns(self, *columns: tuple[str, Kind, float]) -> tuple[TableColumn, ...]:
        return tuple(TableColumn(self._w(key), kind, width) for key, kind, width in columns)

    def _table(
        self,
        key: str,
        columns: Sequence[tuple[str, Kind, float]],
        rows: Sequence[tuple[Cell, ...]],
        empty: str = "",
    ) -> Table:
        name = self._w(f"t_{key}")
        return Table(name, name, self._columns(*columns), tuple(rows), self._w(empty) if empty else "")

    def _sentences(self) -> list[Block]:
        joined = ("" if self._language == "zh" else " ").join(sentences(self._f, self._language))
        return [Paragraph(joined)] if joined else []

    def _targets(self, *, changes: bool) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_target", "text", 2.2), ("c_subjects", "count", 1), ("c_met", "count", 0.9), ("c_not_met", "count", 0.9),
            ("c_insufficient", "count", 1), ("c_exempt", "count", 0.9), ("c_ratio", "share", 1),
        ]  # fmt: skip
        if changes:
            columns += [("c_vs_month", "points", 1.25), ("c_vs_year", "points", 1.25)]
        rows = []
        for target in self._f.targets:
            count = target.count
            if self._f.scope and not count.judged and not count.exempt:
                continue  # a village school has no recording room to be judged
            row: list[Cell] = [
                self._target(target.target), count.judged, count.met, count.not_met, count.insufficient, count.exempt,
                self._ratio(count),
            ]  # fmt: skip
            if changes:
                now = count.known_ratio
                row += [_difference(now, target.last_month), _difference(now, target.last_year)]
            rows.append(tuple(row))
        return self._table("targets", columns, rows)

    def _towns(self) -> Table:
        shown = [target.target for target in self._f.targets if target.count.judged or target.count.exempt]
        columns = self._columns(("c_rank", "count", 0.7), ("c_town", "text", 1.8), ("c_schools", "count", 0.8))
        columns += tuple(TableColumn(self._target(name), "share", 1.2) for name in shown)
        columns += self._columns(("c_score", "share", 1.2), ("c_vs_month", "points", 1.2))
        rows: list[tuple[Cell, ...]] = [
            (
                town.rank if town.rank is not None else self._w("not_ranked"),
                town.name,
                town.schools,
                *(self._ratio(town.counts.get(name, Count())) for name in shown),
                town.score,
                _difference(town.score, town.last_score),
            )
            for town in self._f.towns
        ]
        name = self._w("t_towns")
        return Table(name, name, columns, tuple(rows), self._w("n_towns"))

    def _score_note(self) -> str:
        compared = self._f.compared_on
        if compared is UNSET:
            return self._w("score_note_all")
        if not compared:
            return self._w("score_note_none")
        names = (message(", ").in_(self._language)).join(self._target(name) for name in compared)
        return self._w("score_note", names=names)

    def _town_chart(self) -> list[Block]:
        with_figures = [town for town in self._f.towns if town.score is not None]
        if len(with_figures) < 2:
            return []
        title, labels = self._w("chart_towns"), tuple(town.name for town in with_figures)
        series = Series(self._w("c_score"), tuple(town.score for town in with_figures))
        return [Chart(title, "bars", labels, (series,), charts.bars(labels, series, title))]

    def _schools(self) -> Table:
        shown = [target.target for target in self._f.targets if target.count.judged or target.count.exempt]
        columns = self._columns(("c_town", "text", 1.3), ("c_school", "text", 2.6), ("c_seat", "text", 0.7))
        columns += tuple(TableColumn(self._target(name), "text", 1.15) for name in shown)
        columns += self._columns(("c_results", "count", 1))
        rows: list[tuple[Cell, ...]] = [
            (
                school.town_name,
                school.name,
                self._w("yes") if school.town_seat else "",
                *(self._standing(school.counts.get(name)) for name in shown),
                school.valid_results,
            )
            for school in self._f.schools
        ]
        name = self._w("t_schools")
        return Table(name, name, columns, tuple(rows), self._w("n_schools"))

    def _standing(self, count: Count | None) -> str:
        """A school in one target: met of judged, or the one verdict."""
        if count is None:
            return NOTHING
        if count.judged == 0:
            return VERDICTS["exempt"].in_(self._language)
        if count.judged > 1:
            return f"{count.met}/{count.judged}"
        verdict = "met" if count.met else "insufficient" if count.insufficient else "not_met"
        return VERDICTS[verdict].in_(self._language)

    def _failing(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_town", "text", 1.1), ("c_school", "text", 2.1), ("c_target", "text", 1.25), ("c_classroom", "text", 1.6),
            ("c_verdict", "text", 1.1), ("c_decided", "text", 1.5), ("c_measured", "rate", 1.45), ("c_required", "rate", 1.45),
            ("c_cause", "text", 2.5),
            ("c_unit", "text", 1.3),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                verdict.town_name,
                verdict.school_name,
                self._target(verdict.target),
                verdict.name if verdict.target == "classroom_bandwidth" else NOTHING,
                VERDICTS[verdict.verdict].in_(self._language),
                self._decided(verdict),
                self._measured(verdict),
                verdict.required_bits_per_second,
                self._cause(verdict.cause),
                self._unit(verdict.unit),
            )
            for verdict in self._f.failing
            if self._f.scope or verdict.target in BANDWIDTH
        ]
        return self._table("failing", columns, rows, "n_failing")

    def _decided(self, failing: Failing) -> str:
        values = {"passing": failing.passing_results, "valid": failing.valid_results}
        if failing.passing_share is UNSET:
            return self._w("decided_of", **values)
        return self._w("decided", **values, share=percent_as_written(failing.passing_share))

    def _measured(self, failing: Failing) -> float | None:
        """As it is written beside what is required: never as enough where it is not."""
        short, required = failing.fell_short_bits_per_second, failing.required_bits_per_second
        rate = failing.measured_bits_per_second if short is UNSET else short
        if rate is None or required is None:
            return rate
        return float(megabits(rate, required * self._f.tolerance_ratio, required)) * 1e6

    def _rooms(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_town", "text", 1.2), ("c_school", "text", 2.4), ("c_verdict", "text", 1), ("c_polls", "count", 1.2),
            ("c_availability", "share", 1), ("c_cause", "text", 2.4),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                room.town_name,
                room.school_name,
                VERDICTS[room.verdict].in_(self._language),
                room.polls,
                room.availability,
                self._cause(room.cause),
            )
            for room in self._f.rooms
        ]
        return self._table("rooms", columns, rows, "n_rooms")

    def _live(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_town", "text", 1.2), ("c_school", "text", 2.4), ("c_verdict", "text", 1), ("c_results", "count", 1),
            ("c_cause", "text", 2.4), ("c_unit", "text", 1.3),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                verdict.town_name,
                verdict.school_name,
                VERDICTS[verdict.verdict].in_(self._language),
                verdict.valid_results,
                self._cause(verdict.cause),
                self._unit(verdict.unit),
            )
            for verdict in self._f.failing
            if verdict.target == "live_class"
        ]
        return self._table("live", columns, rows, "n_live")

    def _platforms(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_platform", "text", 2.4), ("c_subjects", "count", 1), ("c_met", "count", 0.8), ("c_not_met", "count", 0.8),
            ("c_insufficient", "count", 0.9), ("c_ratio", "share", 0.9), ("c_requests", "count", 1), ("c_success", "share", 0.9),
            ("c_first_byte", "seconds", 1.1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                platform.name, platform.count.judged, platform.count.met, platform.count.not_met, platform.count.insufficient, self._ratio(platform.count),
                platform.requests, platform.success_ratio, platform.first_byte_seconds,
            )
            for platform in self._f.platforms
        ]  # fmt: skip
        return self._table("platforms", columns, rows, "n_platforms")

    def _ledger(self) -> Table:
        ledger = self._f.ledger
        rows: list[tuple[Cell, ...]] = [
            *([(self._w("l_opening"), ledger.opening)] if ledger.opening is not UNSET else []),
            (self._w("l_opened"), ledger.opened),
            (self._w("l_struck"), ledger.struck_off),
            *([(self._w("l_ended"), ledger.ended_otherwise)] if ledger.ended_otherwise is not UNSET else []),
            (self._w("l_open"), ledger.open),
            (self._w("l_overdue"), ledger.overdue),
            (self._w("l_contradicted"), ledger.contradicted),
        ]
        return self._table("ledger", [("c_item", "text", 3), ("c_count", "count", 1)], rows)

    def _ledger_up_to(self) -> list[Block]:
        day = self._f.ledger.looked_until
        if day is UNSET:
            return []
        return [
            Paragraph(self._w("looked_until", day=date_words(day, self._language)) if day else self._w("never_looked"))
        ]

    def _units(self) -> Table:
        rows: list[tuple[Cell, ...]] = [
            (self._unit(unit), number)
            for unit, number in sorted(self._f.ledger.by_unit.items(), key=lambda pair: (-pair[1], pair[0]))
        ]
        return self._table("units", [("c_unit", "text", 3), ("l_open", "count", 1)], rows, "n_units")

    def _ledger_lines(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_number", "count", 0.8), ("c_town", "text", 1.1), ("c_school", "text", 1.9), ("c_target", "text", 1.25),
            ("c_classroom", "text", 1.5), ("c_cause", "text", 2.1), ("c_unit", "text", 1.2), ("c_due", "text", 1.55),
            ("c_state", "text", 1.7),
        ]  # fmt: skip

        def state(ledger_line: LedgerLine) -> str:
            if ledger_line.overdue and ledger_line.contradicted:
                return self._w("both")
            return self._w("overdue" if ledger_line.overdue else "contradicted")

        rows: list[tuple[Cell, ...]] = [
            (
                ledger_line.number,
                ledger_line.town_name,
                ledger_line.school_name,
                self._target(ledger_line.target),
                ledger_line.name or NOTHING,
                self._cause(ledger_line.cause),
                self._unit(ledger_line.unit),
                ledger_line.due_on,
                state(ledger_line),
            )
            for ledger_line in self._f.ledger_lines
        ]
        return self._table("ledger_lines", columns, rows, "n_ledger_lines")

    def _silent(self) -> list[Block]:
        silent = self._f.data.silent_schools
        if not silent:
            return [Paragraph(self._w("none_silent"))]
        names = (message(", ").in_(self._language)).join(silent)
        return [Paragraph(self._w("silent", n=len(silent), names=names))]

    def _data(self) -> Table:
        data = self._f.data
        rows: list[tuple[Cell, ...]] = [
            (self._w(f"d_{name}"), getattr(data, name)) for name in ("valid", "passing", "invalid", "failed", "skipped")
        ]
        return self._table("data", [("c_item", "text", 3), ("c_count", "count", 1)], rows)

    def _reasons(self) -> Table:
        counted: dict[str, int] = {}
        for symptom, number in self._f.data.reasons.items():
            words = reason_words(symptom, self._language)
            counted[words] = counted.get(words, 0) + number
        ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        rows: list[tuple[Cell, ...]] = [*ordered]
        return self._table("reasons", [("c_reason", "text", 3), ("c_count", "count", 1)], rows, "n_reasons")

    def _agreement(self) -> Table:
        columns: list[tuple[str, Kind, float]] = [
            ("c_segment", "text", 2), ("c_compared", "count", 1), ("c_agreeing", "count", 1), ("c_agreement", "share", 1),
            ("c_rate_ratio", "ratio", 1.2),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                self._w(f"s_{agreement.segment}"),
                agreement.compared,
                agreement.agreeing,
                agreement.agreeing / agreement.compared if agreement.compared else None,
                agreement.rate_ratio,
            )
            for agreement in self._f.agreement
            if agreement.compared
        ]
        return self._table("agreement", columns, rows, "n_agreement")

    def _trend(self) -> list[Block]:
        points = self._f.trend
        with_figures = [point for point in points if point.counts]
        if len(with_figures) < 2:
            return [Paragraph(self._w("no_trend")), self._forecasts()]
        shown = [
            target.target for target in self._f.targets if any(target.target in point.counts for point in with_figures)
        ]
        first = points.index(with_figures[0])
        points = points[first:]
        columns = (
            TableColumn(self._w("c_month"), "text", 1.2),
            *(TableColumn(self._target(name), "share", 1.2) for name in shown),
        )
        ratios = {
            name: tuple(point.counts[name].known_ratio if name in point.counts else None for point in points)
            for name in shown
        }
        rows: list[tuple[Cell, ...]] = [
            (month_words(point.month, self._language), *(ratios[name][position] for name in shown))
            for position, point in enumerate(points)
        ]
        labels = tuple(_short(point.month) for point in points)
        series = tuple(Series(self._target(name), ratios[name]) for name in shown)
        title = self._w("chart_trend")
        name = self._w("t_trend")
        return [
            Table(name, name, columns, tuple(rows)),
            Chart(title, "lines", labels, series, charts.lines(labels, series, title)),
            *self._burn_down(labels, ratios.get("classroom_bandwidth")),
            self._forecasts(),
        ]

    def _burn_down(self, labels: tuple[str, ...], ratios: tuple[float | None, ...] | None) -> list[Block]:
        if ratios is None:
            return []
        title = self._w("chart_burn")
        nearest = next((forecast for forecast in self._f.forecasts if forecast.target == "classroom_bandwidth"), None)
        zeros = None
        if nearest is not None and nearest.status == "given" and nearest.earliest is not None:
            newest = self._f.month
            first = len(labels) - 1 + _months_between(newest, nearest.earliest)
            last = None if nearest.latest is None else len(labels) - 1 + _months_between(newest, nearest.latest)
            end = first + 6 if last is None else last
            labels += tuple(_short(_later(newest, step)) for step in range(1, end - len(labels) + 2))
            zeros = (first, last)
            title = self._w("chart_burn_told")
        left = tuple(None if ratio is None else 1 - ratio for ratio in ratios)
        series = (Series(self._target("classroom_bandwidth"), left),)
        most = max((share for share in left if share is not None), default=1.0)
        top = next(share for share in (0.05, 0.1, 0.25, 0.5, 1.0) if share >= most)
        return [Chart(title, "lines", labels, series, charts.lines(labels, series, title, zeros, top))]

    def _forecasts(self) -> Table:
        rows: list[tuple[Cell, ...]] = []
        for forecast in self._f.forecasts:
            target = self._f.target(forecast.target)
            if target is None or not target.count.judged:
                continue
            key = "given_open" if forecast.status == "given" and forecast.latest is None else forecast.status
            words = FORECASTS[key].in_(
                self._language,
                months=forecast.months,
                earliest=month_words(forecast.earliest, self._language) if forecast.earliest else "",
                latest=month_words(forecast.latest, self._language) if forecast.latest else "",
            )
            rows.append((self._target(forecast.target), words))
        return self._table("forecast", [("c_target", "text", 1), ("c_outlook", "text", 2)], rows)

    def _corrections(self) -> list[Block]:
        corrections = self._f.corrections
        if not corrections:
            return [Paragraph(self._w("no_corrections"))]
        columns: list[tuple[str, Kind, float]] = [
            ("c_month", "text", 1), ("c_school", "text", 2.2), ("c_target", "text", 1.2), ("c_classroom", "text", 1.4),
            ("c_was", "text", 1), ("c_now", "text", 1),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                month_words(correction.month, self._language),
                correction.school_name,
                self._target(correction.target),
                correction.name if correction.target in ("classroom_bandwidth", "platform_access") else NOTHING,
                VERDICTS[correction.was].in_(self._language),
                VERDICTS[correction.now].in_(self._language),
            )
            for correction in corrections
        ]
        return [Paragraph(self._w("corrections_text", n=len(corrections))), self._table("corrections", columns, rows)]

    def _method(self) -> list[Block]:
        index = 1 if self._language == "zh" else 0
        rows: list[tuple[Cell, ...]] = [
            (self._target(name), words[index]) for name, words in self._f.rules.items() if name in TARGET_WORDS
        ]
        sentences_ = [
            self._w(f"method_{number}", tolerance=percent_as_written(1 - self._f.tolerance_ratio))
            for number in range(1, 6)
        ]
        return [
            Heading(self._w("method")),
            *([Paragraph(self._w("provisional"))] if self._f.provisional_calendar is True else []),
            self._table("rules", [("c_target", "text", 1), ("c_rule", "text", 5)], rows),
            *(Paragraph(sentence) for sentence in sentences_),
        ]

    def _proof(self) -> str:
        return self._w("proof_text", hash=content_hash(self._f), version=self._f.program_version)

    def _heads(self) -> Table:
        names = {school.id: school.name for school in self._f.schools}
        columns: list[tuple[str, Kind, float]] = [
            ("c_school", "text", 1.6), ("c_stored", "count", 0.8), ("c_head", "text", 4.2)
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (names.get(head.school, head.school), head.results, head.head) for head in self._f.heads
        ]
        return self._table("heads", columns, rows)


def _time_words(time: str, language: Language) -> str:
    """`2026-10-05 07:30` as people write it."""
    day, _, clock = time.partition(" ")
    return f"{date_words(day, language)} {clock}"


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before


def _months_between(first: str, last: str) -> int:
    years, months = int(last[:4]) - int(first[:4]), int(last[5:]) - int(first[5:])
    return years * 12 + months


def _later(month: str, step: int) -> str:
    whole = int(month[:4]) * 12 + int(month[5:]) - 1 + step
    return f"{whole // 12:04d}-{whole % 12 + 1:02d}"


def _short(month: str) -> str:
    return f"{month[2:4]}-{month[5:]}"
