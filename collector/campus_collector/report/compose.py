"""From figures to an official document in one language: the order of a county office's circular, the body short, details in annexes. Pure."""

from collections.abc import Callable, Sequence

from msgspec import UNSET

from campus_base.figures import percent_as_written
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.domain.official import Official
from campus_collector.report import sentences
from campus_collector.report.document import (
    Annex,
    Block,
    Closing,
    Document,
    Heading,
    Imprint,
    Letterhead,
    Paragraph,
    Table,
    writable,
)
from campus_collector.report.figures import Figures, content_hash
from campus_collector.report.tables import MOST_TOWNS, ReportTables
from campus_collector.report.trends import area_trend, county_trend, lesson_strips
from campus_collector.report.words import date_words, month_words, say

MOST_EXCERPT_SCHOOLS = 10
MOST_EXCERPT_PROBLEMS = 3
"""So many rows have a place on one page; the workbook holds the others."""
ANNEXES = ("schools", "failing", "carriers", "equipment", "ledger", "data", "method")


def compose(figures: Figures, language: Language) -> Document:
    """The whole report, or a page of it when the figures are those of an excerpt."""
    if figures.scope:
        return writable(_Excerpt(figures, language).document())
    return writable(_Report(figures, language).document())


class _Writer:
    """What whole report and excerpt have in common."""

    def __init__(self, figures: Figures, language: Language) -> None:
        self._f, self._language = figures, language
        self._tables = ReportTables(figures, language)
        self._official = Official() if figures.official is UNSET else figures.official

    def _w(self, key: str, **values: object) -> str:
        return say(key, self._language, **values)

    def _paragraphs(self, *texts: str) -> list[Block]:
        return [Paragraph(text) for text in texts if text]

    def _section(self, key: str, *texts: str) -> list[Block]:
        """A heading of the second level with the sentences below it; those that say nothing are left out."""
        first, *others = [text for text in texts if text] or [""]
        return [Paragraph(first, lead=self._w(key)), *self._paragraphs(*others)]

    @property
    def _month(self) -> str:
        return month_words(self._f.month, self._language)

    @property
    def _date(self) -> str:
        return date_words(self._f.issued_on, self._language)

    def _banner(self) -> str:
        """What a reader must know before he believes a figure."""
        figures = self._f
        applies = {
            "simulated": figures.simulated,
            "in_progress": not figures.complete,
            "not_closed": figures.complete and not figures.closed,
            "working": figures.working is True,
            "provisional": figures.provisional_calendar is True,
        }
        return message("; ").in_(self._language).join(self._w(name) for name, is_so in applies.items() if is_so)


class _Report(_Writer):
    def __init__(self, figures: Figures, language: Language) -> None:
        super().__init__(figures, language)
        left_out = set(ANNEXES) - {"method"} if figures.is_empty else set()
        if figures.lines is UNSET or not figures.lines:
            left_out.add("carriers")
        self._annexes = [name for name in ANNEXES if name not in left_out]

    def document(self) -> Document:
        figures, official = self._f, self._official
        issuer = {"issuer": official.issuer} if official.issuer else {}
        title = self._w("title_issuer" if issuer else "title", month=self._month, **issuer)
        salutation = ""
        if official.addressees:
            salutation = self._w("salutation", addressees=message(", ").in_(self._language).join(official.addressees))
        blocks = self._paragraphs(self._w("empty")) if figures.is_empty else self._body()
        annexes = tuple(self._annex(number, name) for number, name in enumerate(self._annexes, start=1))
        workbook = () if figures.is_empty else (self._tables.failing_rooms(),)
        return Document(
            self._language,
            title,
            self._banner(),
            tuple(blocks),
            self._w("footer", title=title, date=self._date),
            figures.issued_on,
            content_hash(figures),
            annexes,
            Letterhead(
                official.heading, official.number, self._w("signer", signer=official.signer) if official.signer else ""
            ),
            salutation,
            Closing(self._w("annexes"), tuple(annex.title for annex in annexes), official.issuer, self._date),
            self._imprint(),
            workbook=workbook,
        )

    def _imprint(self) -> Imprint:
        official = self._official
        copies = message(", ").in_(self._language).join(official.copies_to)
        printed = date_words(official.print_date, self._language) if official.print_date else ""
        return Imprint(
            self._w("copies", copies=copies) if copies else "",
            official.printed_by,
            self._w("printed_on", date=printed) if printed else "",
        )

    def _body(self) -> list[Block]:
        f, language = self._f, self._language
        return [
            Paragraph(sentences.opening(f, language)),
            Heading(self._w("h_state")),
            *self._targets(),
            *self._section("h_towns", sentences.towns(f, language) or self._w("see_table")),
            self._tables.towns(short=True),
            Paragraph(self._score_note(), note=True),
            *self._section("h_changes", *sentences.changes(f, language)),
            *self._section("h_forecast", sentences.forecasts(f, language)),
            Heading(self._w("h_problems")),
            *self._problems(),
            Heading(self._w("h_required")),
            *self._required(),
        ]

    def _targets(self) -> list[Block]:
        state, coverage = (make(self._f, self._language) for make in (sentences.state, sentences.coverage))
        texts = [sentences.together([state, coverage], self._language)]
        if self._f.rules_changed:
            names = message(", ").in_(self._language).join(self._tables.target(name) for name in self._f.rules_changed)
            texts.append(self._w("rules_changed", names=names))
        return [*self._section("h_targets", *texts), self._tables.targets()]

    def _score_note(self) -> str:
        compared = self._f.compared_on
        if compared is UNSET:
            return self._w("score_note_all")
        if not compared:
            return self._w("score_note_none")
        names = (message(", ").in_(self._language)).join(self._tables.target(name) for name in compared)
        return self._w("score_note", names=names)

    def _problems(self) -> list[Block]:
        f, language = self._f, self._language
        worst, ledger_texts = self._tables.worst(), [sentences.ledger(f, language), sentences.units(f, language)]
        lines = [self._tables.carriers()] if "carriers" in self._annexes else []
        equipment = [sentences.lessons(f, language), sentences.rooms(f, language), sentences.platforms(f, language)]
        return [
            *self._section("h_schools", sentences.worst(f, language)),
            *([worst] if worst.rows else []),
            *self._section(
                "h_carriers",
                sentences.together(
                    [
                        sentences.uplinks(f, language),
                        sentences.test_servers(f, language),
                        sentences.carriers(f, language),
                    ],
                    language,
                ),
            ),
            *lines,
            Paragraph("", lead=self._w("h_equipment")),
            *self._paragraphs(*sentences.numbered(equipment)),
            *self._section("h_ledger", sentences.together([self._looked(), *ledger_texts], language)),
            *self._section("h_silent", sentences.silent(f, language)),
        ]

    def _looked(self) -> str:
        day = self._f.ledger.looked_until
        if day is UNSET:
            return ""
        return self._w("looked_until", day=date_words(day, self._language)) if day else self._w("never_looked")

    def _required(self) -> list[Block]:
        f, language = self._f, self._language
        return [
            *self._section("h_mend", sentences.required_repairs(f, language, self._label("failing"))),
            *self._section("h_overdue", sentences.required_of_overdue(f, language, self._label("ledger"))),
            *self._section("h_report", sentences.required_of_reporting(f, language)),
        ]

    def _label(self, annex: str) -> str:
        return self._w("annex", number=self._annexes.index(annex) + 1)

    def _annex(self, number: int, name: str) -> Annex:
        makers: dict[str, Callable[[], Sequence[Block]]] = {
            "schools": self._of_schools,
            "failing": self._of_failing,
            "carriers": lambda: [Paragraph(self._w("lines_note"), note=True), self._tables.lines()],
            "equipment": self._of_equipment,
            "ledger": lambda: [self._tables.ledger(), self._tables.units(), self._tables.ledger_lines()],
            "data": self._of_data,
            "method": self._of_method,
        }
        return Annex(self._w("annex", number=number), self._w(f"a_{name}"), tuple(makers[name]()))

    def _of_schools(self) -> list[Block]:
        many = len(self._f.towns) > MOST_TOWNS
        return [*([self._tables.towns(short=False)] if many else []), self._tables.schools()]

    def _of_failing(self) -> list[Block]:
        table = self._tables.failing()
        note = Paragraph(self._w("failing_note", sheet=self._w("n_failing_rooms")), note=True)
        return [note, table] if table.rows else [table]

    def _of_equipment(self) -> list[Block]:
        return [
            self._tables.rooms(),
            Paragraph(self._w("live_note" if self._f.lessons is UNSET else "lessons_note"), note=True),
            *self._worst_lessons(),
            self._tables.live(),
            *self._room_use(),
            self._tables.platforms(),
        ]

    def _worst_lessons(self) -> list[Block]:
        """In words, minute by minute, and as a table."""
        worst = sentences.worst_lessons(self._f, self._language)
        if not worst or self._f.lessons is UNSET:
            return []
        return [Paragraph(worst), *lesson_strips(self._f.lessons, self._language), self._tables.worst_lessons()]

    def _room_use(self) -> list[Block]:
        """Nothing where no recorder told of its use."""
        text = sentences.room_use(self._f, self._language)
        return [Paragraph(text), Paragraph(self._w("use_note"), note=True), self._tables.room_use()] if text else []

    def _of_data(self) -> list[Block]:
        corrections = self._f.corrections
        silent = sentences.silent(self._f, self._language, all_names=True)
        return [
            *self._paragraphs(silent if self._f.data.silent_schools else ""),
            self._tables.coverage(),
            self._tables.data(),
            self._tables.reasons(),
            self._tables.servers(),
            self._tables.agreement(),
            *county_trend(self._f, self._language, self._tables),
            Paragraph(self._w("corrections_text", n=len(corrections)) if corrections else self._w("no_corrections")),
            *([self._tables.corrections()] if corrections else []),
        ]

    def _of_method(self) -> list[Block]:
        f = self._f
        tolerance = percent_as_written(1 - f.tolerance_ratio)
        rules = self._tables.rules()
        proof: list[Block] = [Paragraph(self._w("provisional"))] if f.provisional_calendar is True else []
        proof += self._paragraphs(
            self._w("method_limits", version=f.policy_version),
            *(self._w(f"method_{number}", tolerance=tolerance) for number in range(1, 6)),
            self._w(
                "proof_text",
                hash=content_hash(f),
                version=f.program_version,
                table=self._tables.number_of_next(),
            ),
        )
        if self._official.fingerprint:
            proof += self._paragraphs(self._w("proof_key", fingerprint=self._official.fingerprint))
        heads = self._tables.heads()
        if self._official.address and heads.rows:
            table = self._tables.number_of_next() - 1
            text = self._w("proof_pages", address=self._official.address, month=f.month, table=table)
            proof.append(Paragraph(text))
        return [rules, *proof, heads]


class _Excerpt(_Writer):
    """One page for a town or a school."""

    def document(self) -> Document:
        figures = self._f
        title = self._w("title_excerpt", name=figures.scope_name, month=self._month)
        blocks = self._paragraphs(self._w("empty")) if figures.is_empty else self._blocks()
        return Document(
            self._language,
            title,
            self._banner(),
            (*blocks, Paragraph(self._proof(), note=True)),
            self._w("footer", title=title, date=self._date),
            figures.issued_on,
            content_hash(figures),
            closing=Closing("", (), self._official.issuer, self._date),
            one_page=True,
            workbook=self._workbook(),
        )

    def _blocks(self) -> list[Block]:
        f, language = self._f, self._language
        state = sentences.together([sentences.state(f, language), sentences.coverage(f, language)], language)
        blocks = self._paragraphs(state, sentences.failing(f, language))
        blocks += [self._tables.targets(), *area_trend(f, language)]
        if f.scope.startswith("town:"):
            blocks.append(self._tables.schools(MOST_EXCERPT_SCHOOLS))
            blocks += self._more(len(f.schools) - MOST_EXCERPT_SCHOOLS)
        problems, more = self._tables.problems(MOST_EXCERPT_PROBLEMS)
        return [*blocks, problems, *self._more(more)]

    def _more(self, number: int) -> list[Block]:
        return [Paragraph(self._w("excerpt_more", number=number), note=True)] if number > 0 else []

    def _workbook(self) -> tuple[Table, ...]:
        """What the page has no place for."""
        if self._f.is_empty:
            return ()
        return (self._tables.failing_rooms(), self._tables.ledger_lines())

    def _proof(self) -> str:
        f, parts = self._f, [self._w("proof_short", hash=content_hash(self._f), version=self._f.program_version)]
        if len(f.heads) == 1:
            parts.append(self._w("proof_head", results=f.heads[0].results, head=f.heads[0].head))
        return ("" if self._language == "zh" else " ").join(parts)
