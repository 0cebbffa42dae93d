"""GET /releases: releases of the agent with their wave, and what each gateway runs and was offered."""

from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.domain.releases import STATE_WORDS, WAVES, GatewayUpgrade
from campus_collector.http.pages.paging import page_of, requested_page
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import WORDS
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import schools_in


@dataclass(frozen=True, slots=True)
class ReleaseRow:
    """A release in words."""

    version: str
    state: str
    wave: str
    since: str
    offered: int
    installed: int
    returned: int
    reason: str


class ReleasePage(PageRoutes):
    @page_at("/releases", "Releases of the agent, their waves, and what each gateway was offered")
    async def releases(self, request: Request) -> Response:
        requested_page(request)

        def make(page: Page) -> Answer:
            store, zone = self.service.store, self.service.config.timezone
            names = {school.id: school.name for school in schools_in(self.service, page.scope.town)}
            gateways = [each for each in store.releases.upgrades() if each.school in names]
            rows = [
                ReleaseRow(
                    each.version,
                    STATE_WORDS[each.state].in_(page.language),
                    f"{each.wave + 1}/{len(WAVES)}" if each.state == "rolling" else "—",
                    each.wave_since.astimezone(zone).strftime("%Y-%m-%d %H:%M"),
                    *_counts(each.version, gateways),
                    each.reason if not page.scope.town else "",
                )
                for each in store.releases.all()
            ]
            table = [
                (each, names[each.school], WORDS[f"upgrade_{state_of(each)}"].in_(page.language)) for each in gateways
            ]
            return page.render("releases.html", releases=rows, shown=page_of(table, request))

        return await self.answer(request, make)


def _counts(version: str, gateways: list[GatewayUpgrade]) -> tuple[int, int, int]:
    """To how many gateways it was offered, how many have it, how many went back."""
    mine = [each for each in gateways if each.target == version]
    return (
        len(mine),
        sum(each.installed_at is not None and each.returned_at is None for each in mine),
        sum(each.returned_at is not None for each in mine),
    )


def state_of(gateway: GatewayUpgrade) -> str:
    """How far a gateway's last upgrade is: none, offered, installed or returned."""
    if not gateway.target:
        return "none"
    if gateway.returned_at is not None:
        return "returned"
    return "installed" if gateway.installed_at is not None else "offered"
