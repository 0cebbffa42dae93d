"""GET /wall: a full screen for the office, readable from five metres, renewed by itself; opened by a link with a reader's token."""

from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_collector.domain.agents import Agent
from campus_collector.http.auth.middleware import WALL_COOKIE
from campus_collector.http.forwarding import origin_of
from campus_collector.http.pages.overview import target_cards
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.today import SILENT_AFTER, today_cards
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import agents_by_school, schools_in

COOKIE_SECONDS = 365 * 86_400
VIEWER_ONLY = "a wall shows what a viewer sees: use the token of a person with the role viewer"


class WallPage(PageRoutes):
    @page_at("/wall", "The screen of the office", 401, 403)
    async def wall(self, request: Request) -> Response:
        """`?token=` of a viewer: it goes into a cookie of this path, and out of the address."""
        token = request.query_params.get("token", "")
        if token:
            return await self._remember(request, token)

        def make(page: Page) -> Answer:
            reader = Reader(page.language, datetime.now(UTC))
            month = self.service.verdicts.this_month()
            schools = schools_in(self.service, page.scope.town)
            agents = agents_by_school(self.service.store.agents.all())
            cards, total = today_cards(self.service, schools, agents, reader)
            return page.render(
                "wall.html",
                county=self.service.config.county,
                month_words=reader.month(month),
                targets=target_cards(self.service, reader, schools, month, page.scope.town),
                calls=cards,
                total=total,
                silent=sum(_is_silent(agents.get(school.id), reader.now) for school in schools),
                gateways=len(schools),
                updated=reader.updated(self.service.verdicts.zone),
            )

        return await self.answer(request, make)

    async def _remember(self, request: Request, token: str) -> Response:
        person = await in_thread(self.service.authenticator.person_of_token, token)
        if person is None:
            raise HttpProblem(401, "No token", "the token of the link is not known, or was revoked")
        if person.role != "viewer":
            raise HttpProblem(403, "Refused", VIEWER_ONLY)
        origin = origin_of(request)
        response = RedirectResponse("/wall", 303)
        response.set_cookie(
            WALL_COOKIE,
            token,
            COOKIE_SECONDS,
            path=f"{origin.root_path}/wall",
            secure=origin.secure,
            samesite="lax",
            httponly=True,
        )
        return response


def _is_silent(agent: Agent | None, now: datetime) -> bool:
    """Has it reported before, and not for a day?"""
    last = agent.last_report_at if agent is not None else None
    return last is not None and now - last > SILENT_AFTER
