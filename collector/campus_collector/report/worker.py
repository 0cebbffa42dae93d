"""The process in which a serving collector has its reports made: a county's evidence and figures take memory that a resident program never gives back.

`python -m campus_collector.report.worker` reads what to do on standard input and writes a `ReportAnswer`; it logs as the collector does.
"""

import logging
import os
import resource
import sys
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from campus_base.files import write_whole
from campus_base.language import Language
from campus_base.logs import configure_logging
from campus_base.messages import Message
from campus_collector.domain.official import Official
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import load_policy
from campus_collector.judge.service import Verdicts
from campus_collector.ledger.service import Ledger
from campus_collector.report.figures import Figures, encoded_figures, figures_of
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import Form
from campus_collector.report.service import MonthlyReports, NoReport
from campus_collector.store.errors import StoreBusy, StoreError
from campus_collector.store.open import open_store

log = logging.getLogger(__name__)
NICENESS = 5
"""Requests are answered first."""
RECENT_SECONDS = 60.0
PROGRESS_SECONDS = 10.0


class CollectorPlace(msgspec.Struct, frozen=True):
    """Where a collector's store and policy are, and what its reports need beside them."""

    store: str
    policy_file: str
    timezone: str
    county: str
    folder: str
    archive_dir: str
    hour: int
    official: Official
    font_files: tuple[str, ...]
    reader_timeout_seconds: float | None = None


class DocumentWanted(msgspec.Struct, frozen=True, tag="document"):
    """A document of a month, whole or of a town or school. Figures that are not closed are kept for a minute in the folder `recent`."""

    place: CollectorPlace
    month: str
    form: Form
    language: Language
    recent: str
    town: str | None = None
    school: str | None = None


class CalendarWanted(msgspec.Struct, frozen=True, tag="calendar"):
    """What the calendar asks for, without these forms."""

    place: CollectorPlace
    failed_forms: list[Form]


class ReportAnswer(msgspec.Struct, frozen=True):
    """The document, or why there is none; the months that were closed, and the forms that could not be made."""

    document: bytes = b""
    refusal: str = ""
    """The name of the exception, of REFUSALS."""
    words: Message | None = None
    closed: list[str] = []
    failed_forms: list[Form] = []


REFUSALS = ("NoReport", "KeyError", "FontMissing", "FormFailed", "StoreBusy", "StoreUnavailable")


def main() -> int:
    """Do what standard input asks for."""
    configure_logging()
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=DocumentWanted | CalendarWanted)
    sys.stdout.buffer.write(msgspec.msgpack.encode(answer(wanted)))
    return 0


def answer(wanted: DocumentWanted | CalendarWanted) -> ReportAnswer:
    """Made, or refused for a reason that whoever asked is to read. Raises OSError, and what is a mistake of the program."""
    try:
        place = wanted.place
        store = open_store(_store_of(place), archive_dir=Path(place.archive_dir), must_exist=True)
        with closing(store):
            verdicts = Verdicts(store, load_policy(Path(place.policy_file)), ZoneInfo(place.timezone))
            verdicts.reader_timeout_seconds = place.reader_timeout_seconds
            ledger = Ledger(store, verdicts)
            fonts = tuple(Path(file) for file in place.font_files)
            folder = Path(place.folder)
            reports = MonthlyReports(store, verdicts, ledger, place.county, folder, place.hour, place.official, fonts)
            if isinstance(wanted, DocumentWanted):
                return ReportAnswer(_document(reports, wanted))
            reports.failed_forms |= set(wanted.failed_forms)
            closed = reports.catch_up()
            return ReportAnswer(closed=closed, failed_forms=sorted(reports.failed_forms))
    except (NoReport, FormFailed, FontMissing) as error:
        return ReportAnswer(refusal=type(error).__name__, words=error.words)
    except KeyError as error:
        return ReportAnswer(refusal="KeyError", words=Message(str(error.args[0])))
    except StoreError as error:
        return ReportAnswer(
            refusal="StoreBusy" if isinstance(error, StoreBusy) else "StoreUnavailable", words=error.text
        )


def _store_of(place: CollectorPlace) -> Path | PostgresUrl:
    return PostgresUrl(place.store) if place.store.startswith(SCHEMES) else Path(place.store)


def _document(reports: MonthlyReports, wanted: DocumentWanted) -> bytes:
    month = parse_month(wanted.month, ZoneInfo(wanted.place.timezone))
    figures = recent_figures(reports, month, Path(wanted.recent))
    return reports.document(
        month, wanted.form, wanted.language, town=wanted.town, school=wanted.school, figures=figures
    )


def recent_figures(reports: MonthlyReports, month: Month, folder: Path) -> Figures:
    """As they are, or were a minute ago: whoever fetches four forms has them gathered once."""
    recent = folder / str(month)
    if recent.exists() and time.time() - recent.stat().st_mtime < RECENT_SECONDS and not reports.is_closed(month):
        return figures_of(recent.read_bytes())
    figures = reports.figures(month, datetime.now(UTC), _Progress(month))
    if not figures.closed:
        for old in folder.iterdir():
            old.unlink()
        write_whole(recent, encoded_figures(figures))
    return figures


class _Progress:
    """Logs how far a report is, where it takes long."""

    def __init__(self, month: Month) -> None:
        self._month, self._last = month, time.monotonic()

    def __call__(self, done: int, whole: int) -> None:
        if time.monotonic() - self._last >= PROGRESS_SECONDS:
            self._last = time.monotonic()
            log.info("a report is being made", extra={"month": str(self._month), "done": done, "whole": whole})


if __name__ == "__main__":
    sys.exit(main())
