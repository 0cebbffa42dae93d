"""What a request asks for: the month, the school, the town, the language. A wrong or unknown value is named, never replaced by another."""

import re
from collections.abc import Iterable
from datetime import date
from typing import Annotated, cast

import msgspec
from msgspec import Meta
from starlette.requests import Request

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.days import FIRST_DAY, LAST_DAY
from campus_collector.domain.schools import School
from campus_collector.http.auth.scope import ReadScope
from campus_collector.http.responses import HttpProblem, bad_value
from campus_collector.http.service import Service
from campus_collector.judge.month import MONTH_RULE, Month, parse_month
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.report.forms.render import FORMS, Form
from campus_collector.store.lookup import look_up, no_such_school

ID_RULE = message("must be an id (lower-case letters, digits, '-' and '_')")
DAY_RULE = message("is wrong: a day is written YYYY-MM-DD, for example 2026-11-09")
LANGUAGE_COOKIE = "campus_lang"
"""The language a reader asked for last."""
MONTH_PATTERN = r"^\d{4}-\d{2}\Z"


def one_of(names: Iterable[str]) -> Meta:
    """For the description of a text that is one of these; `choices` is the rule in words."""
    return Meta(extra_json_schema={"enum": list(names)})


class NoQuery(msgspec.Struct):
    """No key at all."""


class MonthQuery(msgspec.Struct):
    month: Annotated[str, Meta(pattern=MONTH_PATTERN, description="YYYY-MM; this month when absent")] = ""


DocumentLanguage = Annotated[str, one_of(("zh", "en")), Meta(description="Chinese when absent")]


def choices(names: Iterable[str]) -> Message:
    """The rule of a value that is one of these."""
    listed = ", ".join(names)
    return message("must be one of {listed}", listed=listed)


def requested_target(name: str | None) -> str | None:
    """A target of the policy; None when none is asked for. Raises HttpProblem 400."""
    if name is not None and name not in TARGET_NAMES:
        raise bad_value("target", name, choices(TARGET_NAMES))
    return name


def requested_month(request: Request, service: Service, *, blank_is_now: bool = False) -> Month:
    """`?month=`; this month when there is none. Forms send blank fields: with `blank_is_now` these ask for nothing. Raises HttpProblem 400."""
    text = request.query_params.get("month")
    if text is None or (blank_is_now and not text):
        return service.verdicts.this_month()
    try:
        return parse_month(text, service.verdicts.zone)
    except ValueError:
        raise bad_value("month", text, MONTH_RULE) from None


def parse_day(text: str) -> date | None:
    """A day like 2026-11-09 within the days that are known; None for anything else."""
    if re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII) is None:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if FIRST_DAY <= day <= LAST_DAY else None


def page_month(request: Request, service: Service) -> tuple[Month, Month | None]:
    """The month of a page, and the same when it was asked for: its links then keep it. Raises HttpProblem 400."""
    month = requested_month(request, service, blank_is_now=True)
    return month, month if request.query_params.get("month") else None


def document_language(request: Request) -> Language | None:
    """`?lang=` of a document; None when it is not given. Raises HttpProblem 400."""
    text = request.query_params.get("lang")
    if text is None or text in ("zh", "en"):
        return cast(Language | None, text)
    raise bad_value("lang", text, choices(("zh", "en")))


def language_of(request: Request) -> Language:
    """What was asked for last, else what the browser prefers; Chinese when in doubt."""
    for asked in (request.query_params.get("lang"), request.cookies.get(LANGUAGE_COOKIE)):
        if asked == "zh":
            return "zh"
        if asked == "en":
            return "en"
    first = request.headers.get("accept-language", "").split(",")[0].strip().lower()
    return "en" if first.startswith("en") else "zh"


def report_month(text: str, service: Service) -> Month:
    """The month of a report. Raises HttpProblem 404."""
    try:
        return parse_month(text, service.config.timezone)
    except ValueError as error:
        raise HttpProblem(404, "No such month", str(error), words=bad_value("month", text, MONTH_RULE).words) from None


def report_form(text: str) -> Form:
    """The form of a report. Raises HttpProblem 404."""
    for form in FORMS:
        if form == text:
            return form
    words = bad_value("form", text, choices(FORMS)).words
    raise HttpProblem(404, "No such form", f"there are: {', '.join(FORMS)}", words=words)


def must_be_known(service: Service, scope: ReadScope, school: str | None, town: str | None) -> School | None:
    """The school, when one is asked for. Raises HttpProblem 404, also for a school that the reader may not see.

    A reader's town is known, whether it has a school yet or not.
    """
    found_school, unknown = look_up(service.store, school, town if town != scope.town else None)
    if found_school is not None and not scope.covers(found_school.town):
        unknown = no_such_school(found_school.id)
    if unknown is not None:
        en = unknown.en.partition(":")[0]
        raise HttpProblem(404, en, (school or town or "")[:64], words=unknown)
    return found_school
