"""GET /fleet/classrooms: every classroom with what answers its tests, and which never answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.http.auth.scope import ReadScope, scope_of
from campus_collector.http.csv_rows import Cell, csv_file
from campus_collector.http.pages.endpoints import KIND_WORDS, ClassroomEndpoint, classroom_endpoints, kind_words
from campus_collector.http.pages.paging import page_of, query_with, requested_page
from campus_collector.http.pages.reader import Badge, Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.query import choices, language_of, must_be_known
from campus_collector.http.responses import bad_value, in_thread
from campus_collector.http.routes import Operation, page_at
from campus_collector.http.school_view import schools_in
from campus_collector.judge.explanations import CAUSE_WORDS

MOST_LETTERS = 20
"""No kind of endpoint is longer."""
NAMES_AT_ONCE = 500
"""Of classrooms, in a statement."""


@dataclass(frozen=True, slots=True)
class ClassroomFilter:
    """A selection; "": whatever. `asleep`: only those that never answer."""

    town: str
    school: str
    kind: str
    asleep: bool

    def fits(self, room: ClassroomEndpoint) -> bool:
        return (
            self.town in ("", room.school.town)
            and self.school in ("", room.school.id)
            and self.kind in ("", room.kind)
            and (not self.asleep or room.is_asleep)
        )


def requested_classrooms(request: Request) -> ClassroomFilter:
    """The selection in a query; an unknown kind fits nothing, because gateways may name new ones. Raises HttpProblem 400."""
    query = request.query_params
    kind = (query.get("kind") or "")[:MOST_LETTERS]
    asleep = query.get("asleep") or ""
    if asleep not in ("", "1"):
        raise bad_value("asleep", asleep, choices(("1",)))
    return ClassroomFilter(query.get("town") or "", query.get("school") or "", kind, asleep == "1")


@dataclass(frozen=True, slots=True)
class ClassroomRow:
    """A classroom as the table shows it, in one language."""

    school: str
    school_name: str
    town: str
    subject: str
    name: str
    kind: str
    verdict: Badge
    why: str
    asleep: bool


CSV_HEADINGS: tuple[Message, ...] = (
    message("school"),
    message("name"),
    message("town"),
    message("classroom"),
    message("name of the classroom"),
    message("what answers there"),
    message("never answers (1 or 0)"),
    message("valid tests this month"),
    message("verdict"),
    message("cause"),
)


class ClassroomListPage(PageRoutes):
    @page_at("/fleet/classrooms", "Every classroom with what answers its tests")
    async def classrooms(self, request: Request) -> Response:
        """All, or those of a town, a school or a kind, or those that never answer."""
        requested_page(request)
        wanted = requested_classrooms(request)

        def make(page: Page) -> Answer:
            must_be_known(self.service, page.scope, wanted.school or None, wanted.town or None)
            every = self._classrooms(page.scope)
            shown = page_of([room for room in every if wanted.fits(room)], request)
            towns = {room.school.town: room.school.town_name or room.school.town for room in every}
            kinds = {room.kind for room in every}
            return page.render(
                "classrooms.html",
                shown=shown.with_rows(list(self._rows(page, shown.rows))),
                wanted=wanted,
                total=len(every),
                towns=sorted(towns.items()),
                kinds=[
                    (kind, kind_words(kind).in_(page.language))
                    for kind in (*KIND_WORDS, *sorted(kinds - KIND_WORDS.keys()))
                    if kind in kinds
                ],
                csv=query_with(request, drop=("page",)),
            )

        return await self.answer(request, make)

    @Operation(
        "GET", "/fleet/classrooms.csv", "The same list as a file", answer=("text/csv",), refusals=(400, 404, 503)
    )
    async def classrooms_csv(self, request: Request) -> Response:
        """With the same selection, all of it."""
        wanted, language = requested_classrooms(request), language_of(request)

        def work() -> Response:
            scope = scope_of(request)
            must_be_known(self.service, scope, wanted.school or None, wanted.town or None)
            fitting = [room for room in self._classrooms(scope) if wanted.fits(room)]
            headings = [heading.in_(language) for heading in CSV_HEADINGS]
            names = self._names(fitting)
            rows = (_csv_row(room, names, language) for room in fitting)
            return csv_file("classrooms.csv", headings, rows, language)

        return await in_thread(work)

    def _classrooms(self, scope: ReadScope) -> list[ClassroomEndpoint]:
        """Of all schools that a reader may see; each table is read once."""
        service = self.service
        schools = schools_in(service, scope.town)
        short = service.verdicts.short_verdicts(service.verdicts.this_month(), [school.id for school in schools])
        return list(classroom_endpoints(schools, service.store.agents.all(), short))

    def _names(self, rooms: Sequence[ClassroomEndpoint]) -> Mapping[tuple[str, str], str]:
        names: dict[tuple[str, str], str] = {}
        for begin in range(0, len(rooms), NAMES_AT_ONCE):
            pairs = [(room.school.id, room.subject) for room in rooms[begin : begin + NAMES_AT_ONCE]]
            names |= {(school, subject): name for school, subject, name in self.service.store.subjects.names(pairs)}
        return names

    def _rows(self, page: Page, rooms: Sequence[ClassroomEndpoint]) -> Iterator[ClassroomRow]:
        names, reader = self._names(rooms), Reader(page.language, datetime.now(UTC))
        for room in rooms:
            yield ClassroomRow(
                room.school.id,
                room.school.name,
                room.school.town_name or room.school.town,
                room.subject,
                names.get((room.school.id, room.subject), room.subject),
                kind_words(room.kind).in_(page.language),
                reader.badge(room.verdict.verdict),
                CAUSE_WORDS[room.verdict.cause].in_(page.language),
                room.is_asleep,
            )


def _csv_row(room: ClassroomEndpoint, names: Mapping[tuple[str, str], str], language: Language) -> list[Cell]:
    return [
        room.school.id,
        room.school.name,
        room.school.town_name or room.school.town,
        room.subject,
        names.get((room.school.id, room.subject), room.subject),
        kind_words(room.kind).in_(language),
        int(room.is_asleep),
        room.verdict.valid_results,
        VERDICT_WORDS[room.verdict.verdict].in_(language),
        CAUSE_WORDS[room.verdict.cause].in_(language),
    ]
