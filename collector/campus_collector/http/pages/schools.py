"""GET / and /schools/ID, the policy and how a verdict came about: Chinese unless the reader asks for English (?lang=, a cookie, or Accept-Language)."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_base.figures import percent
from campus_base.language import Language
from campus_collector.http.auth.people import reach_of
from campus_collector.http.pages.model import Reader
from campus_collector.http.pages.render import Pages
from campus_collector.http.pages.words import WORDS
from campus_collector.http.query import month_asked
from campus_collector.http.service import Service
from campus_collector.judge.derivation import cause_words, conclusion, rule_words
from campus_collector.judge.month import Month
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.workdays import last_announced_day
from campus_collector.ledger.explanation import explain


def routes(service: Service, pages: Pages | None = None) -> list[Route]:
    """The pages that only show."""
    pages = pages or Pages(service)

    def missing(language: Language, key: str, **values: object) -> tuple[int, str]:
        return 404, pages.render("message.html", language, message=WORDS[key].in_(language, **values))

    async def overview(request: Request) -> Response:
        session, town = pages.session(request), reach_of(request).town
        month, asked = _month(request, service)

        def page(language: Language) -> tuple[int, str]:
            view = Reader(service, language, town=town, month=month).overview()
            return 200, pages.render("overview.html", language, session, linked_month=asked, view=view)

        return await pages.answer(request, page)

    async def school(request: Request) -> Response:
        school_id, session = request.path_params["school"], pages.session(request)
        town = reach_of(request).town
        month, asked = _month(request, service)

        def page(language: Language) -> tuple[int, str]:
            reader = Reader(service, language, town=town, month=month)
            view = reader.find_school(school_id)
            if view is None:
                return missing(language, "no_such_school", id=school_id)
            judged_by, updated = reader.foot()
            values = {"school": view, "month_words": reader.month_words(), "judged_by": judged_by, "updated": updated}
            return 200, pages.render("school.html", language, session, linked_month=asked, **values)

        return await pages.answer(request, page)

    async def policy(request: Request) -> Response:
        session = pages.session(request)

        def page(language: Language) -> tuple[int, str]:
            return 200, pages.render("policy.html", language, session, **_policy(service, language))

        return await pages.answer(request, page)

    async def derivation(request: Request) -> Response:
        target, school_id = request.path_params["target"], request.path_params["school"]
        subject, session = request.path_params["subject"], pages.session(request)
        reach = reach_of(request)
        month, _ = _month(request, service)

        def page(language: Language) -> tuple[int, str]:
            if target not in TARGET_NAMES:
                return missing(language, "no_such_target", target=target)
            found = explain(service.store, service.verdicts, target, school_id, subject, month)
            if found is None or not reach.covers(found.verdict.town):
                name = TARGET_WORDS[target].in_(language)
                return missing(language, "no_such_subject", target=name, subject=f"{school_id}/{subject}", month=month)
            words = rule_words(found.rule, found.about.required_bits_per_second, found.tolerance_ratio)
            values = {
                "found": found,
                "title": TARGET_WORDS[target].in_(language),
                "rule": words.in_(language),
                "conclusion": [one.in_(language) for one in conclusion(found.verdict)],
                "causes": [
                    (percent(one.weight, decimals=0), cause_words(one).in_(language)) for one in found.verdict.causes
                ],
                "earlier": str(month.before()),
                "later": str(month.next()) if month.next().start <= service.verdicts.this_month().start else None,
                "zone": month.zone,
            }
            return 200, pages.render("explain.html", language, session, **values)

        return await pages.answer(request, page)

    return [
        Route("/", overview),
        Route("/schools/{school}", school),
        Route("/policy", policy),
        Route("/explain/{target}/{school}/{subject}", derivation),
    ]


def _month(request: Request, service: Service) -> tuple[Month, Month | None]:
    """The month of a page, and the same when it was asked for: its links then keep it. Raises HttpProblem 400."""
    month = month_asked(request, service, blank_is_now=True)
    return month, month if request.query_params.get("month") else None


def _policy(service: Service, language: Language) -> dict[str, object]:
    """Every entry in plain words, the one in force marked."""
    policy, today = service.verdicts.policy, service.verdicts.this_month().first_day
    entries = []
    for target in TARGET_NAMES:
        for one in sorted((one for one in policy.targets if one.name == target), key=lambda one: one.effective_from):
            words = rule_words(one, one.required_bits_per_second, policy.tolerance_ratio)
            in_force = policy.in_force(target, today) is one
            entries.append(
                (TARGET_WORDS[target].in_(language), one.source, one.effective_from, in_force, words.in_(language))
            )
    return {
        "entries": entries,
        "policy": policy,
        "ledger": policy.ledger,
        "text": policy.text,
        "calendar_known": last_announced_day(),
    }
