"""What another policy would have meant, as a document: one set of tables for the terminal, HTML and the workbook. Pure."""

from collections.abc import Sequence
from hashlib import sha256
from zoneinfo import ZoneInfo

import msgspec

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.judge.month import parse_month
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.table import aligned
from campus_collector.judge.verdict import AreaVerdict
from campus_collector.rejudge.outcome import AreaDifference, ChangedIn, Rejudged, as_answer
from campus_collector.rejudge.plan import RuleDifference
from campus_collector.report.document import Cell, Document, Kind, Paragraph, Table, TableColumn, shown, writable
from campus_wire.bandwidth import Verdict
from campus_wire.version import VERSION

MOST_ROWS = 300
"""So many rows of schools, and of subjects, stand in the page; the workbook holds all."""
MOST_LINES = 30
"""The same at a terminal."""
Heading = tuple[Message, Kind]
"""Of a column, with what it holds."""
_ALL_TARGETS = message("the whole policy")
_COUNTY = message("county")
_NONE = message("none in force")
_MONTH, _TOWN, _SCHOOL = message("month"), message("town"), message("school")
_TARGET, _AREA = message("target"), message("area")
_RATES = (message("met"), message("not met"), message("insufficient data"), message("rate"))
_BOTH_RATES: tuple[Heading, ...] = (
    (message("met, archived policy"), "count"),
    (message("met, other policy"), "count"),
    (message("not met, archived policy"), "count"),
    (message("not met, other policy"), "count"),
    (message("insufficient data, archived policy"), "count"),
    (message("insufficient data, other policy"), "count"),
    (message("rate, archived policy"), "share"),
    (message("rate, other policy"), "share"),
    (message("change (points)"), "points"),
)


def document(rejudged: Rejudged, language: Language) -> Document:
    """The same for the same figures, whoever judged them and when."""
    body = _Body(rejudged, language)
    last = parse_month(rejudged.plan.months[-1], ZoneInfo("UTC")).last_day
    return writable(
        Document(
            language,
            title=body.title,
            banner=body.banner,
            blocks=(*body.paragraphs(), *body.tables(MOST_ROWS)),
            footer=message("Judged again by CampusMeter {version}").in_(language, version=VERSION),
            issued_on=last.isoformat(),
            hash=sha256(msgspec.json.encode(as_answer(rejudged))).hexdigest(),
            workbook=tuple(table for table in body.tables(None) if len(table.rows) > MOST_ROWS),
        )
    )


def as_text(rejudged: Rejudged, language: Language) -> str:
    """For a terminal: of the towns only those that differ."""
    body = _Body(rejudged, language, narrow=True)
    parts = [body.title, *filter(None, [body.banner]), *(block.text for block in body.paragraphs())]
    for table in body.tables(MOST_LINES, only_different=True):
        rows = [
            [shown(cell, column.kind) for cell, column in zip(row, table.columns, strict=True)] for row in table.rows
        ]
        parts.append(f"{table.title}\n{aligned([[column.title for column in table.columns], *rows])}")
    return "\n\n".join(parts)


class _Body:
    """The parts of the document in one language."""

    def __init__(self, rejudged: Rejudged, language: Language, *, narrow: bool = False) -> None:
        """`narrow`: figures of both policies share a column."""
        self._narrow = narrow
        self._rejudged, self._language, self._plan = rejudged, language, rejudged.plan
        self._compared = bool(rejudged.policy_version)

    def _words(self, words: Message, **values: object) -> str:
        return words.in_(self._language, **values)

    @property
    def title(self) -> str:
        months = self._plan.months
        span = months[0] if len(months) == 1 else f"{months[0]} … {months[-1]}"
        if self._compared:
            return self._words(message("{months} by another policy"), months=span)
        return self._words(message("{months} by the policy of the archive"), months=span)

    @property
    def banner(self) -> str:
        """What is wrong; "" when nothing is."""
        first = self._rejudged.first_unequal
        if first is None:
            return ""
        words = message(
            "{unequal} of {compared} published verdicts do not follow from the archive by its own policy. The first:"
            " {month}, {school}/{subject}, {target}: published {published}, judged {judged}."
        )
        return self._words(
            words,
            unequal=self._rejudged.unequal,
            compared=self._rejudged.compared,
            month=first.month,
            school=first.school,
            subject=first.subject,
            target=self._target(first.target),
            published=self._verdict(first.published),
            judged=self._verdict(first.judged),
        )

    def paragraphs(self) -> list[Paragraph]:
        rejudged, plan = self._rejudged, self._plan
        texts = [
            self._words(
                message("{county}: {results} results of the archive were judged again by version {version}."),
                county=plan.county,
                results=rejudged.results,
                version=VERSION,
            )
        ]
        if rejudged.first_unequal is None:
            words = message("The archive's own policy gives exactly the {compared} published verdicts.")
            texts.append(self._words(words, compared=rejudged.compared))
        if plan.missing:
            words = message("Not in the archive, and not judged: {months}.")
            texts.append(self._words(words, months=", ".join(plan.missing)))
        texts += [f"{each.month}: {self._words(each.note)}" for each in plan.policies if each.note is not None]
        if self._compared and not plan.differences:
            words = message(
                "Both policies judge these months alike: an entry that differs begins later (effective_from), or"
                " decides no verdict."
            )
            texts.append(self._words(words))
        elif self._compared:
            words = message("The other policy changes {changed} verdicts of {all}.")
            texts.append(self._words(words, changed=len(rejudged.changed), all=self._subjects()))
        return [Paragraph(text) for text in texts]

    def _subjects(self) -> int:
        return sum(
            area.archived.met + area.archived.not_met + area.archived.insufficient + area.archived.exempt
            for area in self._rejudged.towns
            if area.town == ""
        )

    def tables(self, most: int | None, *, only_different: bool = False) -> list[Table]:
        """With at most so many rows of schools and of subjects; all with None."""
        towns = [area for area in self._rejudged.towns if not only_different or area.town == "" or area.differs]
        tables = [self._towns(towns)]
        if self._compared:
            schools, changed = self._rejudged.schools, self._rejudged.changed
            tables = [
                self._rules(self._plan.differences),
                *tables,
                self._schools(schools[:most], len(schools)),
                self._changed(changed[:most], len(changed)),
            ]
        return [table for table in tables if table.rows]

    def _rules(self, rules: Sequence[RuleDifference]) -> Table:
        headings: list[Heading] = [(_MONTH, "text"), (_TARGET, "text"), (message("rule"), "text")]
        headings += [(message("archived policy"), "text"), (message("other policy"), "text")]
        rows = [
            (
                rule.month,
                self._target(rule.target),
                rule.name,
                self._value(rule.archived),
                self._value(rule.other),
            )
            for rule in rules
        ]
        return self._table(pmessage("sheet", "Rules"), message("How the policies differ"), headings, rows)

    def _towns(self, areas: Sequence[AreaDifference]) -> Table:
        headings: list[Heading] = [(_MONTH, "text"), (_TARGET, "text"), (_AREA, "text"), *self._rates()]
        rows = [(area.month, self._target(area.target), self._area(area), *self._figures(area)) for area in areas]
        return self._table(pmessage("sheet", "Towns"), message("County and towns"), headings, rows)

    def _schools(self, areas: Sequence[AreaDifference], whole: int) -> Table:
        headings: list[Heading] = [
            (_MONTH, "text"),
            (_TOWN, "text"),
            (_SCHOOL, "text"),
            (_TARGET, "text"),
            *self._rates(),
        ]
        rows = [
            (area.month, area.town_name or area.town, area.school_name, self._target(area.target), *self._figures(area))
            for area in areas
        ]
        title = message("Schools that differ ({shown} of {all})")
        return self._table(pmessage("sheet", "Schools"), title.with_(shown=len(rows), all=whole), headings, rows)

    def _changed(self, changed: Sequence[ChangedIn], whole: int) -> Table:
        headings: list[Heading] = [(_MONTH, "text"), (_TOWN, "text"), (_SCHOOL, "text"), (message("subject"), "text")]
        headings += [(message("name"), "text"), (_TARGET, "text")]
        headings += [(message("verdict, archived policy"), "text"), (message("passing/valid, archived policy"), "text")]
        headings += [(message("verdict, other policy"), "text"), (message("passing/valid, other policy"), "text")]
        rows = [self._changed_row(each) for each in changed]
        title = message("Verdicts that differ ({shown} of {all})")
        return self._table(pmessage("sheet", "Verdicts"), title.with_(shown=len(rows), all=whole), headings, rows)

    def _changed_row(self, each: ChangedIn) -> tuple[Cell, ...]:
        subject = each.subject
        return (
            each.month,
            each.town_name or each.town,
            each.school_name,
            subject.subject,
            subject.name,
            self._target(subject.target),
            self._verdict(subject.archived),
            f"{subject.archived_passing}/{subject.archived_valid}",
            self._verdict(subject.other),
            f"{subject.other_passing}/{subject.other_valid}",
        )

    def _rates(self) -> list[Heading]:
        """Without another policy there are no figures of one."""
        if self._narrow:
            change: list[Heading] = [(message("change (points)"), "points")] if self._compared else []
            return [*((words, "text") for words in _RATES), *change]
        return [(words, kind) for words, kind in _BOTH_RATES if self._compared or "archived" in words.en]

    def _figures(self, area: AreaDifference) -> tuple[Cell, ...]:
        before, after = area.archived, area.other
        rates = _known_ratio(before), _known_ratio(after)
        change = None if rates[0] is None or rates[1] is None else rates[1] - rates[0]
        if self._narrow:
            pairs = (before.met, after.met), (before.not_met, after.not_met), (before.insufficient, after.insufficient)
            cells = [*(_pair(pair, "count") for pair in pairs), _pair(rates, "share")]
            return (*cells, change) if self._compared else tuple(cells)
        if not self._compared:
            return before.met, before.not_met, before.insufficient, rates[0]
        return (
            before.met, after.met, before.not_met, after.not_met, before.insufficient, after.insufficient, *rates, change,
        )  # fmt: skip

    def _table(
        self, name: Message, title: Message, headings: Sequence[Heading], rows: Sequence[tuple[Cell, ...]]
    ) -> Table:
        columns = tuple(TableColumn(self._words(words), kind) for words, kind in headings)
        return Table(self._words(name), self._words(title), columns, tuple(rows))

    def _area(self, area: AreaDifference) -> str:
        return area.town_name or area.town or self._words(_COUNTY)

    def _target(self, target: str) -> str:
        return self._words(TARGET_WORDS.get(target, _ALL_TARGETS))

    def _verdict(self, verdict: str) -> str:
        return self._words(VERDICT_WORDS[Verdict(verdict)]) if verdict else "—"

    def _value(self, value: object) -> str:
        return self._words(_NONE) if value is None else f"{value:,g}" if isinstance(value, float) else str(value)


def _pair(values: tuple[Cell, Cell], kind: Kind) -> str:
    """By the archived policy, and by the other one where that differs."""
    before, after = (shown(value, kind) for value in values)
    return before if before == after else f"{before} → {after}"


def _known_ratio(area: AreaVerdict) -> float | None:
    """None also where nothing was measured: 0 % would say something."""
    return area.compliance_ratio if area.has_data else None
