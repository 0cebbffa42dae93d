"""The pages of one thing of a school: a classroom, an uplink, a platform, a device; one result; the evidence of a verdict on one sheet."""

from collections.abc import Callable
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.domain.days import EPOCH, parse_moment
from campus_collector.domain.schools import School, Subject
from campus_collector.http.pages.commands import command_panel
from campus_collector.http.pages.device import DeviceModel
from campus_collector.http.pages.evidence_sheet import evidence_sheet
from campus_collector.http.pages.history import Span, requested_span
from campus_collector.http.pages.lessons import LessonsModel
from campus_collector.http.pages.months import month_picker
from campus_collector.http.pages.paging import kept_query, query_with
from campus_collector.http.pages.paths import KIND_PATHS, subject_path
from campus_collector.http.pages.reader import Reader
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.result import result_page
from campus_collector.http.pages.subject import SubjectModel, subject_name
from campus_collector.http.query import DAY_RULE, parse_day, requested_month
from campus_collector.http.responses import bad_value
from campus_collector.http.routes import page_at
from campus_collector.http.school_view import find_school
from campus_collector.judge.month import Month, month_of_day
from campus_collector.judge.policy import TARGET_NAMES, TARGET_WORDS
from campus_collector.judge.rules import RULES
from campus_collector.ledger.explain import explain
from campus_wire.ids import is_id
from campus_wire.records import KINDS


class SubjectPages(PageRoutes):
    @page_at("/schools/{school}/subjects/{subject}", "Page of a classroom, an uplink or a school's recording rooms")
    async def subject(self, request: Request) -> Response:
        return await self._subject(request, "subjects")

    @page_at("/schools/{school}/services/{service}", "Page of a platform as seen from a school")
    async def platform(self, request: Request) -> Response:
        return await self._subject(request, "services")

    @page_at("/schools/{school}/devices/{device}", "Page of a device of a recording room")
    async def device(self, request: Request) -> Response:
        month = requested_month(request, self.service, blank_is_now=True)
        device_id = request.path_params["device"]

        def make(page: Page, school: School) -> Answer:
            reader = Reader(page.language, datetime.now(UTC))
            device = DeviceModel(self.service, reader, month).page(school, device_id) if is_id(device_id) else None
            if device is None:
                return page.message(404, page.words("no_such_thing", id=device_id, school=school.name))
            return page.render(
                "device.html",
                month=_linked(request, month),
                picker=month_picker(page, month),
                school=school,
                device=device,
                panel=command_panel(page, school, device_id, "device"),
                month_words=reader.month(month),
                updated=reader.updated(month.zone),
            )

        return await self._of_school(request, make)

    @page_at("/schools/{school}/lessons", "A day's lessons minute by minute, and its interruptions")
    async def lessons(self, request: Request) -> Response:
        """`?day=`; without it the newest day that has any."""
        text = request.query_params.get("day", "")
        day = parse_day(text) if text else None
        if text and day is None:
            raise bad_value("day", text, DAY_RULE)

        def make(page: Page, school: School) -> Answer:
            reader = Reader(page.language, datetime.now(UTC))
            model = LessonsModel(self.service, reader, school)
            shown = day or model.newest_day()
            return page.render(
                "lessons.html",
                month=month_of_day(shown, self.service.verdicts.zone),
                school=school,
                lessons=model.page(shown),
                updated=reader.updated(self.service.verdicts.zone),
            )

        return await self._of_school(request, make)

    @page_at("/schools/{school}/subjects/{subject}/results/{result}", "Page of one result")
    async def result(self, request: Request) -> Response:
        """`?kind=` and `?at=` stand in the links that lead here."""
        subject_id, result_id = request.path_params["subject"], request.path_params["result"]
        kind, at = request.query_params.get("kind", ""), _moment(request.query_params.get("at", ""))

        def make(page: Page, school: School) -> Answer:
            stored = None
            if kind in KINDS and at is not None and is_id(subject_id):
                stored = self.service.store.results.stored(school.id, subject_id, kind, at, result_id)
            if stored is None:
                return page.message(404, page.words("no_such_result", id=result_id))
            reader, month = Reader(page.language, datetime.now(UTC)), self.service.verdicts.this_month()
            subject = self._judged_subject(school, subject_id, kind)
            path = subject_path(school.id, subject.kind, subject.id) if subject is not None else ""
            if kind == "device":
                path = f"/schools/{school.id}/devices/{subject_id}"
            return page.render(
                "result.html",
                school=school,
                result=result_page(self.service, reader, school, subject, stored),
                title=subject_name(reader, subject) if subject is not None else subject_id,
                path=path,
                month_words=str(month),
            )

        return await self._of_school(request, make)

    @page_at("/evidence/{target}/{school}/{subject}", "The evidence of a month's verdict on one sheet")
    async def evidence(self, request: Request) -> Response:
        target, subject_id = request.path_params["target"], request.path_params["subject"]
        month = requested_month(request, self.service, blank_is_now=True)

        def make(page: Page, school: School) -> Answer:
            if target not in TARGET_NAMES:
                return page.message(404, page.words("no_such_target", target=target))
            reader = Reader(page.language, datetime.now(UTC))
            derivation = explain(self.service.store, self.service.verdicts, target, school.id, subject_id, month)
            subject = self._find(school, (RULES[target].subject_kind,), subject_id)
            if derivation is None or subject is None:
                values = {"target": TARGET_WORDS[target].in_(page.language), "subject": subject_id, "month": month}
                return page.message(404, page.words("no_such_subject", **values))
            address = f"{self.public_address(request)}/evidence/{target}/{school.id}/{subject_id}?month={month}"
            return page.render(
                "evidence.html",
                month=month,
                sheet=evidence_sheet(self.service, reader, school, subject, derivation, address),
                back=subject_path(school.id, subject.kind, subject.id),
            )

        return await self._of_school(request, make)

    async def _subject(self, request: Request, below: str) -> Response:
        """A subject whose pages are below this folder of its school."""
        month = requested_month(request, self.service, blank_is_now=True)
        span = requested_span(request, month)
        subject_id = request.path_params["subject" if below == "subjects" else "service"]
        kinds = tuple(kind for kind, folder in KIND_PATHS.items() if folder == below)

        def make(page: Page, school: School) -> Answer:
            subject = self._find(school, kinds, subject_id)
            if subject is None:
                return page.message(404, page.words("no_such_thing", id=subject_id, school=school.name))
            return self._render_subject(page, school, subject, month, span)

        return await self._of_school(request, make)

    def _render_subject(self, page: Page, school: School, subject: Subject, month: Month, span: Span) -> Answer:
        reader = Reader(page.language, datetime.now(UTC))
        model = SubjectModel(self.service, reader, month, span)
        return page.render(
            "subject.html",
            month=_linked(page.request, month),
            shown_month=month,
            picker=month_picker(page, month),
            school=school,
            subject=model.page(school, subject),
            panel=command_panel(page, school, subject.id, subject.kind),
            spans_query=query_with(page.request, drop=("span",)),
            span_kept=kept_query(page.request, {"span"}),
            month_words=reader.month(month),
            judged_by=reader.judged_by(self.service.verdicts.policy, month),
            updated=reader.updated(month.zone),
        )

    async def _of_school(self, request: Request, make: Callable[[Page, School], Answer]) -> Response:
        """404 also for a school that the reader may not see."""
        school_id = request.path_params["school"]

        def work(page: Page) -> Answer:
            school = find_school(self.service, school_id, page.scope.town)
            if school is None:
                return page.message(404, page.words("no_such_school", id=school_id))
            return make(page, school)

        return await self.answer(request, work)

    def _find(self, school: School, kinds: tuple[str, ...], subject_id: str) -> Subject | None:
        """Also one that was removed: its results stay."""
        subjects = self.service.store.subjects.all(school.id, EPOCH)
        return next((each for each in subjects if each.kind in kinds and each.id == subject_id), None)

    def _judged_subject(self, school: School, subject_id: str, kind: str) -> Subject | None:
        """The subject that results of this kind are of; None where they are of something that is not judged."""
        if kind in ("host", "network", "device"):
            return None
        kinds = {"service": ("service",), "room": ("recording_room",)}.get(kind, ("classroom", "uplink"))
        return self._find(school, kinds, subject_id)


def _linked(request: Request, month: Month) -> Month | None:
    """The month of the page's links: the one that was asked for, if any."""
    return month if request.query_params.get("month") else None


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_moment(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
