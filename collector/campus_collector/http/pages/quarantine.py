"""GET /quarantine: results that were not accepted, by school, with the reason."""

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.query import must_be_known
from campus_collector.http.routes import page_at
from campus_collector.ingest.quarantine import begin_of, escape_unprintable
from campus_collector.ingest.reasons import reason_words

SHOWN_ROWS = 200


class QuarantinePage(PageRoutes):
    @page_at("/quarantine", "Results that were not accepted, with the reason")
    async def quarantine(self, request: Request) -> Response:
        """Of one school, or of all that the reader may see; the newest first."""
        wanted = request.query_params.get("school") or None

        def make(page: Page) -> Answer:
            store, zone, scope = self.service.store, self.service.config.timezone, page.scope
            must_be_known(self.service, scope, wanted, None)
            names = {school.id: school.name for school in store.schools.all() if scope.covers(school.town)}
            counts = {
                school: count
                for school, count in store.quarantine.counts().items()
                if school in names or not scope.town
            }
            shown = [wanted] if wanted in counts else list(counts) if wanted is None else []
            results = store.quarantine.newest(shown, SHOWN_ROWS)
            results.sort(key=lambda result: result.received_at, reverse=True)
            rows = [
                (
                    result.received_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                    result.school,
                    escape_unprintable(result.id or ""),
                    escape_unprintable(reason_words(result.reason).in_(page.language)),
                    begin_of(result),
                )
                for result in results
            ]
            by_school = [(school, names.get(school, school), count) for school, count in counts.items()]
            return page.render("quarantine.html", counts=by_school, rows=rows, wanted=wanted)

        return await self.answer(request, make)
