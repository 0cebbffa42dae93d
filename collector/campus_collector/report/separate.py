"""Reports of a collector that serves: made in a process of their own (see `worker`), so that neither its memory nor its requests feel them."""

import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from tempfile import TemporaryDirectory

import msgspec

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.judge.month import Month
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import Form
from campus_collector.report.service import MonthlyReports, NoReport
from campus_collector.report.worker import CalendarWanted, CollectorPlace, DocumentWanted, ReportAnswer
from campus_collector.store.errors import StoreBusy, StoreUnavailable

WALL_SECONDS = 3600
_RAISED: Mapping[str, Callable[[Message], Exception]] = {
    "NoReport": NoReport,
    "KeyError": lambda words: KeyError(words.template),
    "FontMissing": lambda words: FontMissing(),
    "FormFailed": FormFailed,
    "StoreBusy": StoreBusy,
    "StoreUnavailable": StoreUnavailable,
}


class SeparateReports:
    """One report is made at a time: each takes memory. Every method may be called from any thread."""

    def __init__(self, place: Callable[[], CollectorPlace], reports: MonthlyReports) -> None:
        """`reports` gives what was issued, and says when there is anything to do."""
        self._place, self._reports = place, reports
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._recent: TemporaryDirectory[str] | None = None

    def document(
        self, month: Month, form: Form, language: Language, *, town: str | None = None, school: str | None = None
    ) -> bytes:
        """A document: as it was issued, if it was. Raises NoReport, FontMissing, FormFailed, KeyError (no such town, school), StoreUnavailable."""
        if town is None and school is None and (issued := self._reports.issued(month, form, language)) is not None:
            return issued
        with self._lock:
            if self._recent is None:
                self._recent = TemporaryDirectory(prefix="campus-report-")
            return self._run(
                DocumentWanted(self._place(), str(month), form, language, self._recent.name, town, school)
            ).document

    def catch_up(self) -> list[str]:
        """What the calendar asks for, where it does: the months that were closed. Raises StoreBusy, StoreUnavailable, FormFailed."""
        if not self._reports.due():
            return []
        with self._lock:
            answer = self._run(CalendarWanted(self._place(), sorted(self._reports.failed_forms)))
        self._reports.failed_forms |= set(answer.failed_forms)
        return answer.closed

    def stop(self) -> None:
        """What is being made is given up; it is made after the next start."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()

    def _run(self, wanted: DocumentWanted | CalendarWanted) -> ReportAnswer:
        """Raises what the process refused for, and FormFailed when it ended without an answer."""
        if self._stopped:
            raise StoreUnavailable(message("the collector is being stopped"))
        command = [sys.executable, "-m", "campus_collector.report.worker"]
        try:
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        except OSError as error:
            raise FormFailed(message("the report cannot be made: {why}", why=error.strerror or str(error))) from None
        self._process = process
        try:
            output, _ = process.communicate(msgspec.json.encode(wanted), WALL_SECONDS)
        except subprocess.TimeoutExpired:
            raise FormFailed(message("the report was not made within {seconds} s", seconds=WALL_SECONDS)) from None
        finally:
            process.kill()
            process.wait()
            self._process = None
        if process.returncode != 0:
            how = f"exit {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
            raise FormFailed(message("the report could not be made ({how}): see the collector's log", how=how))
        answer = msgspec.msgpack.decode(output, type=ReportAnswer)
        if answer.refusal:
            raise _RAISED[answer.refusal](answer.words or Message(answer.refusal))
        return answer
