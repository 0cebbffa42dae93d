"""GET /search?q=: schools, classrooms, towns, devices and problems by what people know of them: names, numbers, addresses."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from campus_base.messages import message
from campus_collector.domain.inventory import Inventory, within
from campus_collector.domain.schools import School
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.problem_requests import find_problem
from campus_collector.http.responses import bad_value
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import schools_in
from campus_wire.digits import NARROW, ascii_integer

MOST_LETTERS = 100
MOST_WORDS = 8
MOST_SHOWN = 50
"""Of each kind; the total is told."""
LENGTH_RULE = message("must be at most {most} characters", most=MOST_LETTERS)


@dataclass(frozen=True, slots=True)
class Hit:
    """Something that fits: its name, where it is, and the path of its page."""

    name: str
    place: str
    path: str


@dataclass(frozen=True, slots=True)
class Group:
    """The hits of one kind; `title` is a key of the pages' words."""

    title: str
    hits: list[Hit]
    total: int


class SearchPage(PageRoutes):
    @page_at("/search", "Search by name, number or address")
    async def search(self, request: Request) -> Response:
        asked = request.query_params.get("q", "").strip()
        if len(asked) > MOST_LETTERS:
            raise bad_value("q", asked, LENGTH_RULE)
        words = asked.translate(NARROW).casefold().split()[:MOST_WORDS]

        def make(page: Page) -> Answer:
            groups = [group for group in self._groups(page, words) if group.total] if words else []
            return page.render("search.html", asked=asked, groups=groups)

        return await self.answer(request, make)

    def _groups(self, page: Page, words: list[str]) -> Iterator[Group]:
        schools = schools_in(self.service, page.scope.town)
        inventory = within(self.service.inventory.whole(), page.scope.town)
        names = {school.id: school for school in schools}
        yield _group("problem", self._problems(page, words))
        yield _group("town", _towns(schools, words))
        yield _group("schools", _schools(schools, inventory, words))
        yield _group("classrooms", self._classrooms(names, inventory, words))
        yield _group("devices", _devices(names, inventory, words))

    def _problems(self, page: Page, words: list[str]) -> Iterator[Hit]:
        number = ascii_integer(words[0].removeprefix("#"), 10**12) if len(words) == 1 else None
        problem = find_problem(self.service, page.scope, number) if number else None
        if problem is not None:
            yield Hit(f"#{problem.id}", problem.school, f"/problems/{problem.id}")

    def _classrooms(self, names: dict[str, School], inventory: Inventory, words: list[str]) -> Iterator[Hit]:
        """Those of the inventory, and those that gateways announced without one."""
        hosts = {(room.school, room.id): room.host for room in inventory.classrooms or ()}
        for subject in self.service.store.subjects.all():
            school = names.get(subject.school)
            if subject.kind != "classroom" or school is None:
                continue
            host = hosts.get((subject.school, subject.id), "")
            if _fits(words, subject.name, subject.id, host, school.name, school.id, school.town_name):
                place = " ".join(part for part in (school.town_name, school.name, host) if part)
                yield Hit(subject.name, place, f"/schools/{school.id}/subjects/{subject.id}")


def _group(title: str, hits: Iterable[Hit]) -> Group:
    found = list(hits)
    return Group(title, found[:MOST_SHOWN], len(found))


def _fits(words: list[str], *texts: str) -> bool:
    """Does each word stand somewhere in what is known of a thing?"""
    whole = "\n".join(texts).casefold()
    return all(word in whole for word in words)


def _towns(schools: Iterable[School], words: list[str]) -> Iterator[Hit]:
    for town, name in sorted({(school.town, school.town_name or school.town) for school in schools if school.town}):
        if _fits(words, town, name):
            yield Hit(name, town, f"/towns/{town}")


def _schools(schools: Iterable[School], inventory: Inventory, words: list[str]) -> Iterator[Hit]:
    """Also by carrier, contract, maintenance unit, contact and telephone."""
    rows = {row.id: row for row in inventory.schools or ()}
    for school in schools:
        row = rows.get(school.id)
        others = (row.carrier, row.contract, row.unit, row.contact, row.phone) if row else ()
        if _fits(words, school.id, school.name, school.town_name, *others):
            yield Hit(school.name, school.town_name, f"/schools/{school.id}")


def _devices(names: dict[str, School], inventory: Inventory, words: list[str]) -> Iterator[Hit]:
    for device in inventory.devices or ():
        school = names.get(device.school)
        if school is not None and _fits(words, device.id, device.name, device.host, school.name, school.town_name):
            place = " ".join(part for part in (school.town_name, school.name, device.room, device.host) if part)
            yield Hit(device.name or device.id, place, f"/schools/{school.id}/devices/{device.id}")
