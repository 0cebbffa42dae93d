"""GET /unmeasured: the classrooms with too few valid tests in a month for a verdict, by why, with what to do about it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from campus_base.figures import percent
from campus_collector.domain.schools import School
from campus_collector.http.pages.months import month_picker
from campus_collector.http.pages.paging import page_of, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.problem_requests import CAUSES
from campus_collector.http.query import choices, page_month
from campus_collector.http.responses import bad_value
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import schools_in
from campus_collector.judge.explanations import CAUSE_WORDS, EXPLANATIONS, UNIT_WORDS, technical_words
from campus_collector.judge.tally import ShortVerdicts
from campus_wire.bandwidth import Verdict

TARGET = "classroom_bandwidth"
NEVER = "never"
"""`?only=`: those without any valid test."""


@dataclass(frozen=True, slots=True)
class TooFewTests:
    """A classroom with too few valid tests, and the code of the cause ("": none is known)."""

    school: str
    subject: str
    cause: str
    valid_results: int


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One reason in words, how many classrooms it keeps from a verdict, how many of them have no valid test at all, and who can do what about it."""

    cause: str
    words: str
    count: int
    never: int
    schools: int
    advice: str
    unit: str


class UnmeasuredPage(PageRoutes):
    @page_at("/unmeasured", "Classrooms with too few tests in a month, by reason")
    async def unmeasured(self, request: Request) -> Response:
        """By reason; of one (`?cause=`) or all of them the classrooms one by one, with `?only=never` those without any valid test."""
        month, linked = page_month(request, self.service)
        requested_page(request)
        cause = request.query_params.get("cause", "")
        if cause and cause not in CAUSES:
            raise bad_value("cause", cause, choices(CAUSES))
        only = request.query_params.get("only", "")
        if only not in ("", NEVER):
            raise bad_value("only", only, choices((NEVER,)))

        def make(page: Page) -> Answer:
            schools = schools_in(self.service, page.scope.town)
            short = self.service.verdicts.short_verdicts(month, [school.id for school in schools])
            rooms, judged = too_few_in(short)
            wanted = [room for room in rooms if cause in ("", room.cause) and not (only and room.valid_results)]
            shown = page_of(wanted, request)
            return page.render(
                "unmeasured.html",
                month=linked,
                picker=month_picker(page, month),
                total=len(rooms),
                judged=judged,
                share=percent((judged - len(rooms)) / judged) if judged else "—",
                reasons=_reasons(page, rooms),
                technical=technical_words({room.cause: None for room in rooms}, page.language),
                cause=cause,
                only=only,
                shown=shown,
                rows=self._rows(page, schools, shown.rows),
            )

        return await self.answer(request, make)

    def _rows(
        self, page: Page, schools: Sequence[School], rooms: Sequence[TooFewTests]
    ) -> list[tuple[School, str, str, int, str]]:
        """School, classroom's id and name, valid tests, why; the names of those on this page are read at once."""
        by_id = {school.id: school for school in schools}
        pairs = [(room.school, room.subject) for room in rooms]
        names = (
            {(school, subject): name for school, subject, name in self.service.store.subjects.names(pairs)}
            if pairs
            else {}
        )
        return [
            (
                by_id[room.school],
                room.subject,
                names.get((room.school, room.subject), room.subject),
                room.valid_results,
                CAUSE_WORDS[room.cause].in_(page.language),
            )
            for room in rooms
        ]


def too_few_in(short: Mapping[str, ShortVerdicts]) -> tuple[list[TooFewTests], int]:
    """The classrooms that are insufficient, by school, and how many are judged at all. Pure."""
    rooms, judged = [], 0
    for school, targets in sorted(short.items()):
        for subject, verdict in sorted(targets.get(TARGET, {}).items()):
            if verdict.verdict is Verdict.EXEMPT:
                continue
            judged += 1
            if verdict.verdict is Verdict.INSUFFICIENT:
                rooms.append(TooFewTests(school, subject, verdict.cause, verdict.valid_results))
    return rooms, judged


def _reasons(page: Page, rooms: Sequence[TooFewTests]) -> list[ReasonRow]:
    """The most frequent first."""
    groups: dict[str, list[TooFewTests]] = {}
    for room in rooms:
        groups.setdefault(room.cause, []).append(room)
    return [
        ReasonRow(
            cause,
            CAUSE_WORDS[cause].in_(page.language) or page.words("unknown_state"),
            len(of_cause),
            sum(not room.valid_results for room in of_cause),
            len({room.school for room in of_cause}),
            EXPLANATIONS[cause].advice.in_(page.language),
            UNIT_WORDS[EXPLANATIONS[cause].unit].in_(page.language),
        )
        for cause, of_cause in sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    ]
