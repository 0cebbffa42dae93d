"""GET /upward: what this collector has sent to the level above, what waits and why."""

from datetime import datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.area.key import shown_fingerprint
from campus_collector.area.sender import next_attempt_at
from campus_collector.domain.area import OutgoingMonth
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.responses import HttpProblem
from campus_collector.http.routes import page_at

SHOWN_ROWS = 200


class UpwardPage(PageRoutes):
    @page_at("/upward", "Months that go to the level above, and how far each has come", 403)
    async def upward(self, request: Request) -> Response:
        def make(page: Page) -> Answer:
            if not self.service.upward.is_configured:
                return page.message(404, page.words("sends_no_months"))
            if page.scope.town is not None:
                raise HttpProblem(403, "Not yours", f"you read town {page.scope.town} only")
            upstream = self.service.upward.upstream()
            months = self.service.upward.months()
            return page.render(
                "upward.html",
                upstream=upstream,
                configured_url=self.service.config.upstream.url if self.service.config.upstream else "",
                fingerprint=shown_fingerprint(self.service.signing_key.fingerprint()),
                waiting=sum(month.acknowledged_at is None for month in months),
                rows=[_row(page, month) for month in months[:SHOWN_ROWS]],
            )

        return await self.answer(request, make)


def _row(page: Page, month: OutgoingMonth) -> tuple[str, str, int, str, str, str, str, str]:
    """County, month, number, when it was made, hash, state ("met", "not_met", "insufficient"), since when or why, next attempt."""
    zone = page.service.config.timezone

    def moment(at: datetime) -> str:
        return at.astimezone(zone).strftime("%Y-%m-%d %H:%M")

    if month.acknowledged_at is not None:
        state, words, following = "met", page.words("acknowledged_at", at=moment(month.acknowledged_at)), ""
    elif month.answer is not None:
        state, words = "not_met", month.answer.in_(page.language)
        following = page.words("tried_again", count=month.attempts, at=moment(next_attempt_at(month)))
    else:
        state, words, following = "insufficient", page.words("waits_to_be_sent"), ""
    return (
        month.county, month.month, month.number, moment(month.made_at), month.sha256, state, words, following
    )  # fmt: skip
