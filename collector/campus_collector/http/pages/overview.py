"""What the first page shows, as plain values in one language: the targets of a month, and the schools."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from campus_base.wire_words import VERDICT_WORDS
from campus_collector.domain.agents import Agent
from campus_collector.domain.schools import School
from campus_collector.http.pages.charts import share_chart
from campus_collector.http.pages.paging import Listing, page_of
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.school import SchoolModel, SchoolPage
from campus_collector.http.school_view import (
    agents_by_school,
    schools_in,
)
from campus_collector.http.service import Service
from campus_collector.judge.agreement import total
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.table import area_ratio_words
from campus_collector.judge.tally import NO_VERDICTS, SchoolTally, agreement_in, areas_in
from campus_collector.judge.verdict import AreaVerdict
from campus_collector.store.errors import StoreUnavailable
from campus_wire.bandwidth import Verdict

log = logging.getLogger(__name__)
Row = TypeVar("Row")

SHOWN_IN_FULL = 2
"""With more schools than this the overview lists them, each with a page of its own."""


@dataclass(frozen=True, slots=True)
class TargetCard:
    """One target in the county."""

    name: str
    ratio: str
    chart: str
    counts: list[tuple[Badge, int]]
    total: str
    latest: str


@dataclass(frozen=True, slots=True)
class SchoolRow:
    """A school in the list."""

    id: str
    name: str
    town: str
    badge: Badge
    summary: str
    reporting: Badge


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows: the targets of the month, and the schools."""

    month: str
    judged_by: str
    updated: str
    agreement: str
    cards: list[TargetCard]
    schools: list[SchoolPage]
    lines: Listing[SchoolRow] | None
    """None with so few schools that all are shown in full."""


class OverviewModel:
    def __init__(
        self, service: Service, request: Request, reader: Reader, month: Month, town: str | None = None
    ) -> None:
        """With a town only that town's schools."""
        self._request = request
        self._service = service
        self._reader = reader
        self._month = month
        self._town = town
        self._policy = service.verdicts.policy
        self._by_school = service.verdicts.by_school(month)
        self._left_out: list[str] = []

    def overview(self) -> Overview:
        schools = schools_in(self._service, self._town)
        school_model = SchoolModel(self._service, self._reader, self._month)
        full = list(self._each(schools, school_model.page)) if len(schools) <= SHOWN_IN_FULL else []
        lines = self._lines(schools) if len(schools) > SHOWN_IN_FULL else None
        updated = self._reader.updated(self._service.verdicts.zone)
        if self._left_out:
            updated = f"{updated} {self._reader.words('left_out', schools=self._reader.words('list_comma').join(self._left_out))}"
        month_words, judged_by = self._reader.month(self._month), self._reader.judged_by(self._policy, self._month)
        return Overview(month_words, judged_by, updated, self._agreement(), self._cards(schools), full, lines)

    def _lines(self, schools: Sequence[School]) -> Listing[SchoolRow]:
        """The worst first; the words of those on this page only."""
        agents = agents_by_school(self._service.store.agents.all())
        counted = {
            school.id: self._by_school[school.id].tally if school.id in self._by_school else NO_VERDICTS
            for school in schools
        }
        shown = page_of(sorted(schools, key=lambda school: _worst_first(counted[school.id])), self._request)

        def line(school: School) -> SchoolRow:
            return self._line(school, counted[school.id], agents.get(school.id))

        return shown.with_rows(list(self._each(shown.rows, line)))

    def _each(self, schools: Iterable[School], make: Callable[[School], Row]) -> Iterator[Row]:
        """A part of the page for each school. A school whose part cannot be made is left out and named; the others are shown."""
        for school in schools:
            try:
                yield make(school)
            except StoreUnavailable:
                raise
            except Exception as error:
                self._left_out.append(school.name)
                shown = f"{type(error).__name__}: {error}".splitlines()[0][:300]
                log.error("a school is left out of the page", extra={"school": school.id, "error": shown})

    def _cards(self, schools: Sequence[School]) -> list[TargetCard]:
        town = self._town or ""
        areas = {area.target: area for area in areas_in(self._by_school.values()) if area.town == town}
        newest = self._service.newest.counts([school.id for school in schools], self._month.first_day)
        return [self._card(name, areas.get(name), self._by_latest(name, newest)) for name in TARGET_NAMES]

    def _by_latest(self, target: str, newest: Mapping[tuple[str, Verdict], int]) -> str:
        """How the newest result of each subject would be judged alone: a month in progress has no verdict yet."""
        met, not_met, unknown = (
            newest.get((target, verdict), 0) for verdict in (Verdict.MET, Verdict.NOT_MET, Verdict.INSUFFICIENT)
        )
        return self._reader.words("by_latest", met=met, not_met=not_met, open=unknown)

    def _card(self, name: str, area: AreaVerdict | None, by_latest: str) -> TargetCard:
        title = self._reader.text(TARGET_WORDS[name])
        if area is None:
            return TargetCard(title, "—", "", [], self._reader.words("no_subjects"), "")
        counts = [(verdict, int(getattr(area, verdict))) for verdict in Verdict]
        spoken = self._reader.words("list_comma").join(
            f"{self._reader.text(VERDICT_WORDS[verdict])} {count}" for verdict, count in counts
        )
        shares = [(verdict.value, count) for verdict, count in counts if verdict is not Verdict.EXEMPT]
        chart = share_chart(shares, f"{title}{self._reader.words('colon')}{spoken}")
        ratio = self._reader.text(area_ratio_words(area))
        shown = [
            (self._reader.badge(verdict), count) for verdict, count in counts if count or verdict is not Verdict.EXEMPT
        ]
        judged = area.met + area.not_met + area.insufficient
        total = self._reader.words("subjects_count", count=judged)
        return TargetCard(title, ratio, chart, shown, total, by_latest)

    def _line(self, school: School, verdicts: SchoolTally, agent: Agent | None) -> SchoolRow:
        not_met, insufficient = verdicts.count(Verdict.NOT_MET), verdicts.count(Verdict.INSUFFICIENT)
        judged = bool(verdicts.counts)
        worst = Verdict.NOT_MET if not_met else Verdict.INSUFFICIENT if insufficient or not judged else Verdict.MET
        parts = [self._reader.words("not_met_count", count=not_met)] if not_met else []
        parts += [self._reader.words("insufficient_count", count=insufficient)] if insufficient else []
        summary = self._reader.words("comma").join(parts) or self._reader.words("all_well" if judged else "never")
        return SchoolRow(
            school.id, school.name, school.town_name, self._reader.badge(worst), summary, self._reader.reporting(agent)
        )

    def _agreement(self) -> str:
        """How often quick tests and iperf3 agreed this month."""
        agreement = total(agreement_in(each.tally for each in self._by_school.values()).values())
        if not agreement.compared:
            return self._reader.words("no_agreement")
        return self._reader.words("agreement", agreeing=agreement.agreeing, compared=agreement.compared)


def _worst_first(verdicts: SchoolTally) -> tuple[int, int]:
    return (-verdicts.count(Verdict.NOT_MET), -verdicts.count(Verdict.INSUFFICIENT))
