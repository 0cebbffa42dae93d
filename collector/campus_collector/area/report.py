"""The monthly report of an area: made of what has come from the counties, in the forms of a county's report."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from campus_base.language import Language
from campus_base.messages import message
from campus_collector.area.figures import AreaFigures, area_hash, encoded_area_figures, figures_of_area
from campus_collector.domain.area_standing import CountyStanding, months_here, standings
from campus_collector.domain.official import Official
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.report.forms.process import render_content
from campus_collector.report.forms.render import Form
from campus_collector.report.service import NoReport
from campus_collector.store.store import Store
from campus_wire.version import VERSION

PROCESS = "campus_collector.area.process"
DOCUMENTS_KEPT = 8
"""Four forms in two languages."""


class AreaReports:
    """How an area stands, and its reports. Every method may be called from any thread."""

    def __init__(
        self,
        store: Store,
        area: str,
        official: Official,
        zone: ZoneInfo,
        close_day: int,
        font_files: Sequence[Path],
    ) -> None:
        """Nothing is read yet; `close_day` is the policy's, on which counties close their months."""
        self._store, self._area, self._official = store, area, official
        self._zone, self._close_day, self._font_files = zone, close_day, font_files
        self._lock = threading.Lock()
        self._documents: OrderedDict[tuple[str, Form, Language], bytes] = OrderedDict()
        """The last documents, by the hash of their figures: the same figures give the same document."""

    def counties(self, now: datetime | None = None) -> list[CountyStanding]:
        """Every county by label. Raises StoreUnavailable."""
        today = (now or datetime.now(UTC)).astimezone(self._zone).date()
        return standings(self._store.area.members(), self._store.area.months(), today, self._close_day, self._zone)

    def months(self) -> list[str]:
        """The months of which anything is here, newest first. Raises StoreUnavailable."""
        return months_here(self.counties())[::-1]

    def figures(self, month: Month, now: datetime | None = None) -> AreaFigures:
        """A month's figures by what is here now. Raises NoReport, StoreUnavailable."""
        figures = figures_of_area(
            self.counties(now), str(month), self._area, TARGET_NAMES, self._official, self._zone, VERSION
        )
        if figures is None:
            raise NoReport(message("no county has sent {month} yet", month=month))
        return figures

    def document(self, month: Month, form: Form, language: Language, figures: AreaFigures | None = None) -> bytes:
        """One form of it. Made one at a time: each takes memory. Raises NoReport, FontMissing, FormFailed, StoreUnavailable."""
        figures = figures or self.figures(month)
        key = (area_hash(figures), form, language)
        with self._lock:
            if key not in self._documents:
                content = encoded_area_figures(figures)
                self._documents[key] = render_content(content, language, form, self._font_files, PROCESS)
                if len(self._documents) > DOCUMENTS_KEPT:
                    self._documents.popitem(last=False)
            return self._documents[key]
