"""From an area's figures to a document in one language, as a county's report is made: body short, details in annexes. Pure."""

from collections.abc import Sequence

from campus_base.figures import percent
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.area.figures import AreaFigures, CountyFigures, area_hash
from campus_collector.area.words import AREA_WORDS
from campus_collector.domain.area import VerdictTotals
from campus_collector.report import charts
from campus_collector.report.document import (
    NOTHING,
    Annex,
    Block,
    Cell,
    Chart,
    Closing,
    Document,
    Heading,
    Imprint,
    Kind,
    Letterhead,
    Paragraph,
    Series,
    Table,
    TableColumn,
    writable,
)
from campus_collector.report.words import COUNTED_IN, TARGETS, date_words, month_words, say

SHORT_HASH = 16
Column = tuple[str, Kind, float]


def compose_area(figures: AreaFigures, language: Language) -> Document:
    """The whole report."""
    return writable(_AreaReport(figures, language).document())


class _AreaReport:
    def __init__(self, figures: AreaFigures, language: Language) -> None:
        self._f, self._language = figures, language
        self._count = 0

    def document(self) -> Document:
        f, official = self._f, self._f.official
        issuer = {"issuer": official.issuer} if official.issuer else {}
        title = self._w("title_issuer" if issuer else "title", month=self._month(f.month), **issuer)
        salutation = ""
        if official.addressees:
            salutation = say("salutation", self._language, addressees=self._listed(official.addressees))
        blocks, date = self._body(), date_words(f.issued_on, self._language)
        parts: tuple[tuple[str, list[Block]], ...] = (
            ("figures", [self._figures()]),
            ("trend", self._trend()),
            ("proof", self._proof()),
        )
        annexes = tuple(
            Annex(say("annex", self._language, number=number), self._w(f"a_{name}"), tuple(part))
            for number, (name, part) in enumerate(parts, start=1)
        )
        signer = say("signer", self._language, signer=official.signer) if official.signer else ""
        return Document(
            self._language,
            title,
            self._banner(),
            tuple(blocks),
            say("footer", self._language, title=title, date=date),
            f.issued_on,
            area_hash(f),
            annexes,
            Letterhead(official.heading, official.number, signer),
            salutation,
            Closing(say("annexes", self._language), tuple(annex.title for annex in annexes), official.issuer, date),
            self._imprint(),
        )

    def _w(self, key: str, **values: object) -> str:
        return AREA_WORDS[key].in_(self._language, **values)

    def _listed(self, names: Sequence[str]) -> str:
        return message(", ").in_(self._language).join(names)

    def _month(self, month: str) -> str:
        return month_words(month, self._language)

    def _imprint(self) -> Imprint:
        official = self._f.official
        copies = self._listed(official.copies_to)
        printed = date_words(official.print_date, self._language) if official.print_date else ""
        return Imprint(
            say("copies", self._language, copies=copies) if copies else "",
            official.printed_by,
            say("printed_on", self._language, date=printed) if printed else "",
        )

    def _banner(self) -> str:
        """What a reader must know before he believes a figure."""
        parts = []
        if any(county.simulated for county in self._f.counties):
            parts.append(self._w("simulated"))
        if self._f.missing:
            parts.append(self._w("incomplete", count=len(self._f.missing)))
        return message("; ").in_(self._language).join(parts)

    def _body(self) -> list[Block]:
        f = self._f
        opening = self._w(
            "opening",
            here=len(f.counties),
            all=len(f.counties) + len(f.missing),
            area=f.area or self._w("the_area"),
            month=self._month(f.month),
            schools=sum(county.schools for county in f.counties),
        )
        states = [self._state(name) for name in f.targets]
        return [
            Paragraph(opening),
            Heading(self._w("h_state")),
            *(Paragraph(text) for text in states if text),
            self._targets(),
            Heading(self._w("h_counties")),
            self._counties(),
            Paragraph(self._w("counties_note"), note=True),
            Heading(self._w("h_missing")),
            Paragraph(self._missing()),
            Heading(self._w("h_corrections")),
            *self._corrections(),
        ]

    def _state(self, target: str) -> str:
        totals = self._f.totals.get(target, VerdictTotals())
        if totals.ratio is None:
            return ""
        name, rate = self._target(target), percent(totals.ratio)
        return self._w("state", target=name, met=totals.met, judged=totals.judged, rate=rate)

    def _missing(self) -> str:
        if not self._f.missing:
            return self._w("none_missing")
        names = [
            self._w("missing_since", name=county.name, day=date_words(county.since, self._language))
            if county.since
            else self._w("missing_not_due", name=county.name)
            for county in self._f.missing
        ]
        return self._w("missing_text", names=self._listed(names))

    def _target(self, name: str) -> str:
        return TARGETS[name].in_(self._language)

    def _targets(self) -> Table:
        columns: list[Column] = [
            ("c_target", "text", 1.6), ("c_counted", "text", 1), ("c_subjects", "count", 1), ("c_met", "count", 0.9),
            ("c_not_met", "count", 0.9), ("c_insufficient", "count", 1), ("c_exempt", "count", 0.9), ("c_ratio", "share", 1),
            ("c_vs_month", "points", 1.2),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = []
        for name in self._f.targets:
            totals = self._f.totals.get(name, VerdictTotals())
            before = self._f.totals_before.get(name, VerdictTotals()).ratio
            counted = COUNTED_IN[name].in_(self._language)
            rows.append((self._target(name), counted, *_counts(totals), _difference(totals.ratio, before)))
        return self._table("targets", self._columns(columns), rows, say("u_targets", self._language))

    def _counties(self) -> Table:
        columns = self._columns([("c_county", "text", 1.8), ("c_schools", "count", 0.8)])
        columns += [TableColumn(self._target(name), "share", 1.1) for name in self._f.targets]
        columns += self._columns([("c_corrected", "count", 0.8), ("c_hash", "text", 1.8)])
        rows: list[tuple[Cell, ...]] = [
            (
                county.name,
                county.schools,
                *(county.totals.get(name, VerdictTotals()).ratio for name in self._f.targets),
                county.number or None,
                county.report_hash[:SHORT_HASH],
            )
            for county in self._f.counties
        ]
        return self._table("counties", columns, rows, self._w("u_counties"))

    def _corrections(self) -> list[Block]:
        if not self._f.corrections:
            return [Paragraph(self._w("no_corrections"))]
        columns: list[Column] = [
            ("c_county", "text", 1.6), ("c_month", "text", 1.2), ("c_corrected", "count", 0.8), ("c_changed", "count", 1),
            ("c_received", "text", 1.2), ("c_hash", "text", 1.8),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                each.name, self._month(each.month), each.number, each.changed, date_words(each.received_on, self._language),
                each.statement_hash[:SHORT_HASH],
            )
            for each in self._f.corrections
        ]  # fmt: skip
        table = self._table("corrections", self._columns(columns), rows, self._w("u_changed"))
        return [Paragraph(self._w("corrections_text")), table]

    def _figures(self) -> Table:
        columns: list[Column] = [
            ("c_county", "text", 1.5), ("c_target", "text", 1.4), ("c_subjects", "count", 0.9), ("c_met", "count", 0.8),
            ("c_not_met", "count", 0.8), ("c_insufficient", "count", 0.9), ("c_exempt", "count", 0.8), ("c_ratio", "share", 0.9),
            ("c_vs_month", "points", 1), ("c_hash", "text", 1.7),
        ]  # fmt: skip
        rows = [
            self._row(county, name) for county in self._f.counties for name in self._f.targets if name in county.totals
        ]
        return self._table("figures", self._columns(columns), rows, say("u_targets", self._language))

    def _row(self, county: CountyFigures, target: str) -> tuple[Cell, ...]:
        totals = county.totals[target]
        before = county.totals_before.get(target, VerdictTotals()).ratio
        return (
            county.name,
            self._target(target),
            *_counts(totals),
            _difference(totals.ratio, before),
            county.report_hash[:SHORT_HASH],
        )

    def _trend(self) -> list[Block]:
        points = self._f.trend
        ratios = {
            name: tuple(point.totals.get(name, VerdictTotals()).ratio for point in points) for name in self._f.targets
        }
        columns = self._columns([("c_month", "text", 1.2), ("c_counties", "count", 0.8)])
        columns += [TableColumn(self._target(name), "share", 1.2) for name in ratios]
        rows: list[tuple[Cell, ...]] = [
            (self._month(point.month), point.counties, *(ratios[name][place] for name in ratios))
            for place, point in enumerate(points)
        ]
        table = self._table("trend", columns, rows, say("u_share", self._language))
        if len(points) < 2:
            return [table]
        title = say("chart_trend", self._language)
        labels = tuple(point.month[2:] for point in points)
        series = tuple(Series(self._target(name), values) for name, values in ratios.items())
        return [table, Chart(title, "lines", labels, series, charts.lines(labels, series, title))]

    def _proof(self) -> list[Block]:
        columns: list[Column] = [
            ("c_county", "text", 1), ("c_corrected", "count", 0.5), ("c_received", "text", 0.9),
            ("c_report_hash", "text", 2.2), ("c_statement_hash", "text", 2.2), ("c_fingerprint", "text", 2.2),
            ("c_versions", "text", 0.9),
        ]  # fmt: skip
        rows: list[tuple[Cell, ...]] = [
            (
                county.name, county.number or None, date_words(county.received_on, self._language), county.report_hash,
                county.statement_hash, county.fingerprint, f"{county.policy_version}, {county.program_version}",
            )
            for county in self._f.counties
        ]  # fmt: skip
        text = self._w("proof_text", hash=area_hash(self._f), version=self._f.program_version)
        return [Paragraph(text), self._table("proof", self._columns(columns), rows, say("u_rules", self._language))]

    def _columns(self, columns: Sequence[Column]) -> list[TableColumn]:
        return [TableColumn(self._heading(key), kind, width) for key, kind, width in columns]

    def _heading(self, key: str) -> str:
        return self._w(key) if key in AREA_WORDS else say(key, self._language)

    def _table(self, key: str, columns: Sequence[TableColumn], rows: Sequence[tuple[Cell, ...]], unit: str) -> Table:
        name, title = self._w(f"n_{key}"), self._w(f"t_{key}")
        if rows:
            self._count += 1
            name = say("sheet", self._language, number=self._count, name=name)
            title = say("table", self._language, number=self._count, title=title)
        return Table(name, title, tuple(columns), tuple(rows), NOTHING, unit)


def _counts(totals: VerdictTotals) -> tuple[Cell, ...]:
    return totals.judged, totals.met, totals.not_met, totals.insufficient, totals.exempt, totals.ratio


def _difference(now: float | None, before: float | None) -> float | None:
    return None if now is None or before is None else now - before
