"""Monthly reports: figures of any month, closed for good on the policy's day, documents as they were issued, and whether all that still holds.

A closed month never changes: its report is made of the figures that were kept, and what was issued once is given again byte for byte.
"""

import logging
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from hashlib import sha256
from pathlib import Path

import msgspec
from msgspec import UnsetType

from campus_base.files import make_folder, write_whole
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.days import day_of
from campus_collector.domain.monthly import ClosedMonth
from campus_collector.domain.official import Official
from campus_collector.judge.month import Month, month_of, month_of_day, parse_month
from campus_collector.judge.service import Progress, Verdicts
from campus_collector.ledger.service import Ledger
from campus_collector.report.figures import LAYOUT, Figures, content_hash, encoded_figures, excerpt, figures_of
from campus_collector.report.forms.pdf_fonts import FontMissing, colophon, docx_fonts
from campus_collector.report.forms.process import FormFailed, render_apart
from campus_collector.report.forms.render import FORMS, Form
from campus_collector.report.gather import Published, Sources, first_month, gather, published_of
from campus_collector.store.errors import Conflict, StoreBusy
from campus_collector.store.store import Store
from campus_wire.bandwidth import Verdict
from campus_wire.version import VERSION

log = logging.getLogger(__name__)
LANGUAGES: tuple[Language, ...] = ("zh", "en")
LEASE = "months"
"""The name of the lease of the collector that closes months."""
MOST_MONTHS = 24
"""So many months back a collector that was away closes what it missed."""
PROVISIONAL = "provisional"
CLOSE = "close"
"""Not a mark of files: the month is to be closed."""


class NoReport(Exception):
    """There is nothing to report on; says why."""

    def __init__(self, words: Message) -> None:
        self.words = words
        super().__init__(words.en)


@dataclass(frozen=True, slots=True)
class MonthEntry:
    """A month as the list of months shows it: open, complete and waiting to be closed, or closed."""

    month: Month
    state: str
    hash: str


@dataclass(frozen=True, slots=True)
class VerifiedPart:
    """What verifying found of one thing: well, or what is wrong."""

    what: str
    well: bool
    words: Message


class MonthlyReports:
    """The monthly reports of one collector: figures, closed months, documents as they were issued."""

    def __init__(
        self,
        store: Store,
        verdicts: Verdicts,
        ledger: Ledger,
        county: str,
        folder: Path,
        hour: int,
        official: Official,
        font_files: tuple[Path, ...],
    ) -> None:
        """Documents are written below `folder`, at the local `hour` of the day a month is closed. Reads nothing yet."""
        self._sources = Sources(store, verdicts, ledger, county, official)
        self._font_files = font_files
        self._folder, self._hour = folder, hour
        self._table = store.monthly
        self.failed_forms: set[Form] = set()
        """Forms that lacked a font: not tried again every minute, but after the next start, or when somebody asks."""

    def months(self, now: datetime | None = None) -> list[MonthEntry]:
        """The months that have a report, newest first: each since the collector began, and those of before that have results or are closed."""
        now = now or datetime.now(UTC)
        first = self._first()
        if first is None:
            return []
        closed, zone = self._table.hashes(), self._sources.verdicts.zone
        listed = {str(month): month for month in self._with_results(first, month_of(now, zone))}
        listed |= {text: parse_month(text, zone) for text in closed}
        entries = []
        for text, month in sorted(listed.items(), reverse=True):
            state = "closed" if text in closed else "open" if now < month.end else "complete"
            entries.append(MonthEntry(month, state, closed.get(text, "")))
        return entries

    def _with_results(self, first: Month, last: Month) -> Iterator[Month]:
        """From the first month to the last, but of the time before the collector only the months that have results: one old result that a
        gateway still had makes no list of empty months."""
        began, month = self._began() or first, first
        while month.first_day <= last.first_day:
            yield month
            month = month.next()
            if month.first_day < began.first_day:
                day = self._sources.verdicts.first_trusted_day(month.first_day)
                next_month = began if day is None else month_of_day(day, month.zone)
                month = min(next_month, began, key=lambda each: each.first_day)

    def _began(self) -> Month | None:
        """The month in which the first result arrived here."""
        first = self._sources.store.chain.first_day()
        return None if first is None else month_of_day(day_of(first), self._sources.verdicts.zone)

    def closes_at(self, month: Month) -> datetime:
        """When a month is closed: on the policy's day of the next one, at the hour of reports.

        Months of before the collector was there are filled by gateways that still have them: they are closed with the month it began in.
        """
        began = self._began()
        if began is not None:
            month = max(month, began, key=lambda each: each.first_day)
        day = month.next().first_day + timedelta(days=self._sources.verdicts.policy.report.close_day - 1)
        return self._local(day)

    def figures(self, month: Month, now: datetime | None = None, progress: Progress | None = None) -> Figures:
        """A month's figures: as they were closed, or as they are now. Raises NoReport, StoreUnavailable."""
        now = now or datetime.now(UTC)
        closed_month = self._table.closed(str(month))
        if closed_month is not None:
            return figures_of(zlib.decompress(closed_month.figures))
        self._must_exist(month, now)
        return gather(self._sources, month, now, *self._closed(), progress=progress)[0]

    def issued(self, month: Month, form: Form, language: Language) -> bytes | None:
        """A document as it was issued; None when it was not."""
        issued = self._table.issued(str(month), form, language)
        return None if issued is None else issued.body

    def is_closed(self, month: Month) -> bool:
        """Another process may have closed it."""
        return str(month) in self._table.hashes()

    def document(
        self,
        month: Month,
        form: Form,
        language: Language,
        *,
        town: str | None = None,
        school: str | None = None,
        now: datetime | None = None,
        figures: Figures | None = None,
    ) -> bytes:
        """A document: as it was issued, if it was. Raises NoReport, FontMissing, FormFailed, KeyError (no such town, school), StoreUnavailable."""
        whole = town is None and school is None
        if whole and (issued := self.issued(month, form, language)) is not None:
            return issued
        figures = figures or self.figures(month, now)
        if not whole:
            figures = excerpt(figures, town=town, school=school)
        document = render_apart(figures, language, form, self._font_files)
        if whole and figures.closed:
            return self._table.issue(str(month), form, language, document, now or datetime.now(UTC)).body
        return document

    def font_notes(self, forms: Sequence[Form], language: Language) -> list[str]:
        """What is to be known of the fonts of documents in these forms that are made on this machine; nothing where all are the proper ones.

        Loads the typesetter: for commands, not for the resident collector.
        """
        from campus_collector.report.forms.pdf import fonts

        notes = [colophon(fonts(self._font_files).substitutes, language)] if "pdf" in forms else []
        if "docx" in forms:
            notes.append(docx_fonts(language))
        return [note for note in notes if note]

    def close(self, month: Month, now: datetime | None = None, progress: Progress | None = None) -> Figures:
        """Close a month and issue its documents. Raises NoReport when it may not be closed yet, Conflict when it is."""
        now = now or datetime.now(UTC)
        figures = self.close_figures(month, now, progress)
        for form in FORMS:
            for language in LANGUAGES:
                try:
                    self.document(month, form, language, now=now, figures=figures)
                except (FontMissing, FormFailed) as reason:
                    # the figures are closed; the form follows when it can be made
                    log.error("a form could not be made", extra={"form": form, "month": str(month), "why": str(reason)})
        return figures

    def close_figures(self, month: Month, now: datetime, progress: Progress | None = None) -> Figures:
        """Close a month; each document is issued when it is asked for first. Raises as `close`."""
        self._must_exist(month, now)
        if now < month.end:
            raise NoReport(message("{month} has not ended: it cannot be closed", month=month))
        if self._table.closed(str(month)) is not None:
            raise Conflict(f"{month} is closed already")
        self._sources.verdicts.catch_up()
        try:
            self._sources.ledger.catch_up()  # what is closed counts every day of the month
        except StoreBusy:
            raise NoReport(message("the ledger is being brought up to date by another process: try again")) from None
        figures, verdicts = gather(self._sources, month, now, *self._closed(), closing=True, progress=progress)
        published = [[*key, verdict] for key, verdict in sorted(published_of(verdicts).items())]
        self._table.close(
            ClosedMonth(
                str(month),
                now,
                content_hash(figures),
                VERSION,
                zlib.compress(encoded_figures(figures)),
                zlib.compress(msgspec.json.encode(published)),
            )
        )
        return figures

    def catch_up(self, now: datetime | None = None) -> list[str]:
        """What the calendar asks for: months whose day has come are closed, a month that has ended gets a provisional report.

        Returns the months that were closed. Files go to the folder of reports. Raises StoreBusy, StoreUnavailable, OSError.
        """
        now = now or datetime.now(UTC)
        done = []
        for month, what in self.due(now):
            if what == CLOSE:
                try:
                    self._close_once(month, now)
                except Conflict:  # another process has closed it meanwhile
                    continue
                done.append(str(month))
                log.info("month closed", extra={"month": str(month)})
            self._write(month, now, "" if what == CLOSE else what)
        return done

    def due(self, now: datetime | None = None) -> list[tuple[Month, str]]:
        """What the calendar asks for, oldest first: months to close, and months whose files are missing, with the mark of these files."""
        now = now or datetime.now(UTC)
        due: list[tuple[Month, str]] = []
        for entry in reversed(self.months(now)[: MOST_MONTHS + 1]):
            month = entry.month
            if entry.state == "complete" and now >= self.closes_at(month):
                due.append((month, CLOSE))
            elif entry.state == "closed" and self._missing(month, ""):
                due.append((month, ""))
            elif entry.state == "complete" and now >= self._local(month.next().first_day):
                due += [(month, PROVISIONAL)] if self._missing(month, PROVISIONAL) else []
        return due

    def _close_once(self, month: Month, now: datetime) -> None:
        """Of several collectors one does the work. Raises as `close`, and StoreBusy."""
        with self._sources.store.lease(LEASE, 0.0) as lease:
            if self.is_closed(month):
                raise Conflict(f"{month} is closed already")
            self.close(month, now, lambda done, whole: lease.renew())

    def verify(self, month: str) -> Iterator[VerifiedPart]:
        """Do the kept figures carry their hash, and do they make the very documents that were issued?"""
        closed_month = self._table.closed(month)
        if closed_month is None:
            yield VerifiedPart(month, False, message("is not closed"))
            return
        figures = figures_of(zlib.decompress(closed_month.figures))
        well = sha256(zlib.decompress(closed_month.figures)).hexdigest() == closed_month.hash == content_hash(figures)
        yield VerifiedPart(
            f"{month} {closed_month.hash[:12]}",
            well,
            message("figures are as they were closed")
            if well
            else message("figures do not carry their hash: they were changed"),
        )
        for form, language in self._table.documents(month):
            issued = self._table.issued(month, form, language)
            assert issued is not None
            well, words = True, message("made again, byte for byte")
            if sha256(issued.body).hexdigest() != issued.sha256:
                well, words = False, message("is not what was issued: it was changed")
            elif render_apart(figures, language, form, self._font_files) != issued.body:  # type: ignore[arg-type]
                well, words = _other_rendering(closed_month.program_version, figures.layout)
            yield VerifiedPart(f"{month} {form} {language}", well, words)

    def _closed(self) -> tuple[dict[str, Figures], dict[str, Published]]:
        figures: dict[str, Figures] = {}
        published: dict[str, Published] = {}
        for month in list(self._table.hashes())[-MOST_MONTHS:]:
            closed_month = self._table.closed(month)
            assert closed_month is not None
            figures[month] = figures_of(zlib.decompress(closed_month.figures))
            published[month] = {
                (target, school, subject): Verdict(verdict)
                for target, school, subject, verdict in msgspec.json.decode(zlib.decompress(closed_month.published))
            }
        return figures, published

    def _first(self) -> Month | None:
        self._sources.verdicts.catch_up_for_reader()
        return first_month(self._sources)

    def _must_exist(self, month: Month, now: datetime) -> None:
        first = self._first()
        if now < month.start:
            raise NoReport(message("{month} has not begun", month=month))
        if first is None:
            raise NoReport(message("there are no results yet: nothing to report"))
        if month.first_day < first.first_day:
            raise NoReport(
                message("there are no data of {month}: the first results are of {first}", month=month, first=first)
            )

    def _local(self, day: date) -> datetime:
        hour = time(self._hour)
        return datetime.combine(day, hour, self._sources.verdicts.zone).astimezone(UTC)

    def _write(self, month: Month, now: datetime, mark: str) -> None:
        """Files for people who look into folders; what is there stays."""
        figures: Figures | None = None
        for form, language, path in self._missing(month, mark):
            if form in self.failed_forms:  # in the other language
                continue
            make_folder(path.parent)  # before the work: a folder that cannot be made is reported before the work
            try:
                figures = figures or self.figures(month, now)
                write_file(path, self.document(month, form, language, now=now, figures=figures))
            except (FontMissing, FormFailed) as reason:
                log.error("a form could not be made", extra={"form": form, "month": str(month), "why": str(reason)})
                self.failed_forms.add(form)

    def _missing(self, month: Month, mark: str) -> list[tuple[Form, Language, Path]]:
        """The files that are not there, without forms that cannot be made."""
        folder = self._folder / str(month)
        wanted = [
            (form, language, folder / file_name(str(month), form, language, mark=mark))
            for form in FORMS
            if form not in self.failed_forms
            for language in LANGUAGES
        ]
        return [(form, language, path) for form, language, path in wanted if not path.exists()]


def _other_rendering(issued_by: str, layout: int | UnsetType) -> tuple[bool, Message]:
    """Is it well that a document is rendered otherwise than it was issued by that version of the program, in that arrangement?"""
    if issued_by != VERSION or layout != LAYOUT:
        return True, message(
            "as it was issued; version {version} sets it otherwise than {issued_by}",
            version=VERSION,
            issued_by=issued_by,
        )
    return False, message("as it was issued, but the figures make another one: fonts or libraries differ")


def file_name(month: str, form: str, language: str, *, scope: str = "", mark: str = "") -> str:
    """`campusmeter-2026-10-zh.pdf`; an excerpt and a provisional report say so."""
    parts = ["campusmeter", month, *([scope] if scope else []), language, *([mark] if mark else [])]
    return "-".join(parts) + f".{form}"


def write_file(path: Path, body: bytes) -> None:
    """Whole or not at all. Raises OSError."""
    make_folder(path.parent)
    write_whole(path, body)


__all__ = ["MonthEntry", "MonthlyReports", "NoReport", "VerifiedPart", "file_name", "parse_month", "write_file"]
