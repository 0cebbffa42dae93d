"""What the first page and the page of a town show, as plain values in one language: targets, what the month changed, towns, schools."""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from starlette.requests import Request

from campus_base.figures import percent
from campus_collector.domain.agents import Agent
from campus_collector.domain.days import day_of
from campus_collector.domain.schools import School
from campus_collector.http.pages.changes import Fold, SubjectToShow, changes_between, folded, still_to_do
from campus_collector.http.pages.paging import Listing, page_of
from campus_collector.http.pages.paths import subject_path
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.school import SchoolModel, SchoolPage
from campus_collector.http.pages.school_list import SchoolFilter, selected, tally_of
from campus_collector.http.pages.targets import HeatRow, TargetCard, areas_by_key, cards, heat, months_until
from campus_collector.http.school_view import agents_by_school, schools_in
from campus_collector.http.service import Service
from campus_collector.judge.agreement import total
from campus_collector.judge.explanations import CAUSE_WORDS
from campus_collector.judge.month import Month, month_of_day
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.rules import RULES
from campus_collector.judge.tally import SchoolTally, ShortVerdicts, agreement_in
from campus_collector.store.errors import StoreUnavailable
from campus_wire.bandwidth import Verdict

log = logging.getLogger(__name__)
Row = TypeVar("Row")

SHOWN_IN_FULL = 2
"""With more schools than this the overview lists them, each with a page of its own."""
MOST_FOLDS = 5
"""Rows of a list of subjects; how many there are in all stands above it."""
MOST_IN_FOLD = 40
"""Subjects that one row opens to; all of them are on the school's page."""
CLASSROOMS = "classroom_bandwidth"


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
class FoldRow:
    """Subjects of a school with one cause, in words. `subjects` are path and name of each; `more` are not listed. `path` leads to the
    school, or to how the verdict came about where the row is of one subject."""

    key: str
    path: str
    name: str
    target: str
    cause: str
    count: int
    subjects: list[tuple[str, str]]
    more: int


@dataclass(frozen=True, slots=True)
class FoldList:
    """The first rows of a list, how many subjects it has, and how many of them are in no row."""

    title: str
    rows: list[FoldRow]
    count: int
    left_out: int


@dataclass(frozen=True, slots=True)
class Overview:
    """What the first page shows, or a town's page."""

    month: str
    days_left: str
    judged_by: str
    updated: str
    agreement: str
    cards: list[TargetCard]
    to_go: str
    """How many classrooms are not met or have too few tests."""
    coverage: str
    """How many classrooms have enough valid tests."""
    changes: list[FoldList]
    """What is still to do; what is newly not met; what was repaired."""
    towns: list[HeatRow]
    schools: list[SchoolPage]
    lines: Listing[SchoolRow] | None
    """None with so few schools that all are shown in full."""
    carriers: list[str]


def target_cards(
    service: Service, reader: Reader, schools: Sequence[School], month: Month, town: str | None
) -> list[TargetCard]:
    """The targets of all schools, or of a town's (`schools` are those), with the months before. Raises StoreUnavailable."""
    first_day = service.store.evidence.first_day()
    first = month_of_day(day_of(first_day), month.zone) if first_day is not None else month
    months = months_until(month, first)
    history = service.verdicts.history(months[:-1]) | {month: service.verdicts.by_school(month)}
    areas = [
        (each, areas_by_key({key: value for key, value in history[each].items() if town in (None, value.town)}))
        for each in months
    ]
    newest = service.newest.counts([school.id for school in schools], month.first_day)
    return cards(reader, town or "", areas, newest)


class OverviewModel:
    def __init__(
        self, service: Service, request: Request, reader: Reader, month: Month, town: str | None = None
    ) -> None:
        """With a town only that town's schools. Raises StoreUnavailable."""
        self._request = request
        self._service = service
        self._reader = reader
        self._month = month
        self._town = town
        by_school = service.verdicts.by_school(month)
        self._by_school = {key: value for key, value in by_school.items() if town in (None, value.town)}
        self._schools = schools_in(service, town)
        self._carriers = {row.id: row.carrier for row in service.inventory.whole().schools or () if row.carrier}
        self._left_out: list[str] = []
        self._short: dict[Month, Mapping[str, ShortVerdicts]] = {}

    def overview(self, selection: SchoolFilter) -> Overview:
        few = len(self._schools) <= SHOWN_IN_FULL and selection.is_whole
        school_model = SchoolModel(self._service, self._reader, self._month)
        full = list(self._each(self._schools, school_model.page)) if few else []
        lines = None if few else self._lines(selection)
        updated = self._reader.updated(self._service.verdicts.zone)
        if self._left_out:
            updated = f"{updated} {self._reader.words('left_out', schools=self._reader.words('list_comma').join(self._left_out))}"
        names = {school.town: school.town_name for school in self._schools}
        return Overview(
            self._reader.month(self._month),
            self._days_left(),
            self._reader.judged_by(self._service.verdicts.policy, self._month),
            updated,
            self._agreement(),
            target_cards(self._service, self._reader, self._schools, self._month, self._town),
            *self._rooms(),
            self._changes(),
            heat(self._reader, self._by_school, names) if self._town is None else [],
            full,
            lines,
            sorted({self._carriers[school.id] for school in self._schools if school.id in self._carriers}),
        )

    def _days_left(self) -> str:
        """Of the month in progress; "" of one that is over."""
        today = self._service.today()
        if str(self._month) != str(self._service.verdicts.this_month()):
            return ""
        return self._reader.words("days_left", count=(self._month.last_day - today).days)

    def _short_verdicts(self, month: Month) -> Mapping[str, ShortVerdicts]:
        if month not in self._short:
            schools = None if self._town is None else [school.id for school in self._schools]
            self._short[month] = self._service.verdicts.short_verdicts(month, schools)
        return self._short[month]

    def _rooms(self) -> tuple[str, str]:
        """How many classrooms are still to do, and how many are covered; "" where none are judged."""
        rooms = areas_by_key(self._by_school).get((self._town or "", CLASSROOMS))
        judged = rooms.met + rooms.not_met + rooms.insufficient if rooms is not None else 0
        if rooms is None or not judged:
            return "", ""
        left, covered = rooms.not_met + rooms.insufficient, rooms.met + rooms.not_met
        words = self._reader.words
        return (
            words("rooms_to_go", count=left) if left else words("no_rooms_to_go"),
            words("coverage", share=percent(covered / judged), count=covered, judged=judged),
        )

    def _changes(self) -> list[FoldList]:
        """Those lists that are not empty; both of what changed where either is not."""
        now = self._short_verdicts(self._month)
        changed = changes_between(self._short_verdicts(self._month.before()), now)
        lists = [("to_do_by_cause", still_to_do(now))]
        lists = lists if lists[0][1] else []
        if changed.newly_not_met or changed.repaired:
            lists += [("newly_not_met", changed.newly_not_met), ("repaired", changed.repaired)]
        return [self._fold_list(self._reader.words(key), subjects) for key, subjects in lists]

    def _fold_list(self, title: str, subjects: Sequence[SubjectToShow]) -> FoldList:
        """In words; the names of all are read at once."""
        folds = folded(subjects)[:MOST_FOLDS]
        schools = {school.id: school.name for school in self._schools}
        pairs = [(fold.school, subject) for fold in folds for subject in fold.subjects[:MOST_IN_FOLD]]
        rows = self._service.store.subjects.names(pairs) if pairs else []
        names = {(school, subject): name for school, subject, name in rows}
        shown = [self._fold_row(fold, schools.get(fold.school, fold.school), names) for fold in folds]
        return FoldList(title, shown, len(subjects), len(subjects) - sum(row.count for row in shown))

    def _fold_row(self, fold: Fold, school: str, names: Mapping[tuple[str, str], str]) -> FoldRow:
        first, count = fold.subjects[0], len(fold.subjects)
        cause = self._reader.text(CAUSE_WORDS[fold.cause])
        target = self._reader.text(TARGET_WORDS[fold.target])
        kind = RULES[fold.target].subject_kind
        row = f"{fold.school}-{fold.target}-{fold.cause}"
        if count == 1:
            name = " ".join(part for part in (school, names.get((fold.school, first), "")) if part)
            return FoldRow(row, f"/explain/{fold.target}/{fold.school}/{first}", name, target, cause, 1, [], 0)
        key = "same_cause" if cause else "same_school"
        name = self._reader.words(f"{key}_{'rooms' if kind == 'classroom' else 'others'}", school=school, count=count)
        listed = [
            (subject_path(fold.school, kind, subject), names.get((fold.school, subject), subject))
            for subject in fold.subjects[:MOST_IN_FOLD]
        ]
        return FoldRow(row, f"/schools/{fold.school}", name, target, cause, count, listed, count - len(listed))

    def _lines(self, selection: SchoolFilter) -> Listing[SchoolRow]:
        """The words of those on this page only."""
        agents = agents_by_school(self._service.store.agents.all())
        fitting = selected(
            self._schools, self._by_school, selection, self._carriers, lambda: self._short_verdicts(self._month)
        )
        shown = page_of(fitting, self._request)

        def line(school: School) -> SchoolRow:
            return self._line(school, tally_of(self._by_school, school), agents.get(school.id))

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
