"""GET /quarantine: results that were not accepted, by school, with the reason."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_base.language import Language
from campus_collector.http.auth.people import reach_of
from campus_collector.http.pages.render import Pages
from campus_collector.http.query import must_be_known
from campus_collector.http.service import Service
from campus_collector.ingest.quarantine import begin_of, printable
from campus_collector.ingest.reasons import reason_words

SHOWN_ROWS = 200


def routes(service: Service) -> list[Route]:
    """The page."""
    pages = Pages(service)

    async def quarantine(request: Request) -> Response:
        session, reach = pages.session(request), reach_of(request)
        wanted = request.query_params.get("school") or None

        def page(language: Language) -> tuple[int, str]:
            store, zone = service.store, service.config.timezone
            must_be_known(service, reach, wanted, None)
            known = {one.id: one for one in store.schools() if reach.covers(one.town)}
            counts = {
                school: count
                for school, count in store.quarantine_counts().items()
                if school in known or not reach.town
            }
            shown = [wanted] if wanted in counts else list(counts) if wanted is None else []
            rows = [row for school in shown for row in store.quarantine_rows(school, SHOWN_ROWS)]
            rows.sort(key=lambda one: one.received_at, reverse=True)
            values = {
                "counts": [
                    (school, known[school].name if school in known else school, n) for school, n in counts.items()
                ],
                "rows": [
                    (
                        one.received_at.astimezone(zone).strftime("%Y-%m-%d %H:%M:%S"),
                        one.school,
                        printable(one.id or ""),
                        printable(reason_words(one.reason).in_(language)),
                        begin_of(one),
                    )
                    for one in rows[:SHOWN_ROWS]
                ],
                "wanted": wanted,
            }
            return 200, pages.render("quarantine.html", language, session, **values)

        return await pages.answer(request, page)

    return [Route("/quarantine", quarantine)]
