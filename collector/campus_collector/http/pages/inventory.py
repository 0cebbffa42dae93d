"""The page of the inventory: what is in force, and uploads that are looked at before they are put in force."""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time

from starlette.requests import Request
from starlette.responses import Response

from campus_base.dates import NotADay, parse_day
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_collector.domain.days import day_words, importable
from campus_collector.domain.inventory import Inventory, Upload, within
from campus_collector.http.auth.scope import require_county_admin, scope_of
from campus_collector.http.pages.forms import MAX_FORM_BYTES, check_form, read_form
from campus_collector.http.pages.render import Answer, Page, PageRoutes
from campus_collector.http.pages.words import WORDS
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, download, in_thread
from campus_collector.http.routes import Operation, form_at, page_at
from campus_collector.inventory.changes import RowChange, as_lines, changes, removals
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.headings import SHEETS
from campus_collector.inventory.importer import activate, read_upload
from campus_collector.inventory.sources import MAX_FILE_BYTES
from campus_collector.inventory.write import as_xlsx
from campus_collector.report.forms.render import MEDIA_TYPES
from campus_collector.store.errors import Conflict

SIMULATED = message("invented for a demonstration")
SHOWN_IMPORTS = 20


@dataclass(frozen=True, slots=True)
class Preview:
    """An upload beside what is in force."""

    upload: Upload
    before: Inventory
    changes: list[RowChange]


class InventoryPages(PageRoutes):
    """The page. Uploads that wait are in the store: any collector shows them, and puts them in force."""

    @page_at("/inventory", "The inventory")
    async def inventory(self, request: Request) -> Response:
        return await self._page(request)

    @form_at("/inventory", "Look at a file")
    async def upload(self, request: Request) -> Response:
        language = language_of(request)
        check_form(request, MAX_FILE_BYTES + MAX_FORM_BYTES, f"a file is at most {MAX_FILE_BYTES} bytes")
        async with request.form(max_files=1, max_fields=4) as form:
            file, form_token = form.get("file"), str(form.get("form_token", ""))
            person = await in_thread(self.service.authenticator.person_with_form, request, form_token)
            require_county_admin(person)
            if file is None or isinstance(file, str):
                raise HttpProblem(400, "No file", "choose a file")
            name, content = file.filename or "", await file.read()
        before, version = await in_thread(self.service.store.inventory.current_with_version)
        try:
            inventory, mistakes, ignored = await asyncio.to_thread(read_upload, name, content, before)
        except Unreadable as error:
            return await self._page(request, mistakes=[error.in_(language)], status=422)
        if mistakes:
            return await self._page(request, mistakes=[mistake.in_(language) for mistake in mistakes], status=422)
        key = secrets.token_urlsafe(16)
        kept = Upload(inventory, version, person.name, tuple(ignored))
        await in_thread(self.service.store.inventory.keep_upload, key, kept, datetime.now(UTC))
        return await self._page(request, pending=key)

    @form_at("/inventory/apply", "Put it in force")
    async def apply(self, request: Request) -> Response:
        form, language = await read_form(request), language_of(request)
        person = await in_thread(self.service.authenticator.person_with_form, request, form.get("form_token", ""))
        require_county_admin(person)
        key = form.get("pending", "")
        preview = await in_thread(self._preview, key)
        if preview is None or preview.upload.person != person.name:
            return await self._page(request, WORDS["form_old"].in_(language), status=409)
        upload = preview.upload
        if removals(preview.before, preview.changes) and form.get("remove") != "yes":
            return await self._page(request, WORDS["confirm_removal"].in_(language), pending=key, status=409)
        day = self._valid_from(form.get("since", "").strip())
        if isinstance(day, Message):
            notice = f"{WORDS['valid_from'].in_(language)}: {day.in_(language)}"
            return await self._page(request, notice, pending=key, status=422)
        moment, now = datetime.combine(day, time(), self.service.config.timezone), datetime.now(UTC)
        store = self.service.store
        try:
            version = await in_thread(
                activate, store, upload.inventory, preview.changes, person.name, now, moment, upload.before_version
            )
        except Conflict:  # somebody else was first, or the same form was sent twice
            return await self._page(request, WORDS["form_old"].in_(language), status=409)
        await in_thread(store.inventory.drop_upload, key)
        return await self._page(request, WORDS["imported"].in_(language, version=version))

    @Operation("GET", "/inventory.xlsx", "The inventory", answer=(MEDIA_TYPES["xlsx"],))
    async def workbook(self, request: Request) -> Response:
        language, town = language_of(request), scope_of(request).town

        def work() -> bytes:
            return as_xlsx(within(self.service.store.inventory.current(), town), language)

        return download(await in_thread(work), MEDIA_TYPES["xlsx"], "inventory.xlsx")

    async def _page(
        self,
        request: Request,
        notice: str = "",
        mistakes: list[str] | None = None,
        pending: str = "",
        status: int = 200,
    ) -> Response:
        def make(page: Page) -> Answer:
            language, town = page.language, page.scope.town
            shown = self._preview(pending) if pending else None
            current = within(self.service.store.inventory.current(), town)
            return page.render(
                "inventory.html",
                status,
                notice=notice,
                mistakes=mistakes or [],
                pending=pending if shown is not None and shown.changes else "",
                preview=as_lines(shown.changes, language) if shown is not None else [],
                removed=[] if shown is None else _removal_words(shown, language),
                ignored=[] if shown is None else list(shown.upload.ignored),
                today=self.service.today(),
                counts=[(sheet.words.in_(language), len(getattr(current, sheet.name) or ())) for sheet in SHEETS],
                imports=[] if town else self._imports(language),
            )

        return await self.answer(request, make)

    def _preview(self, key: str) -> Preview | None:
        """None for an upload that is not kept, or was compared with what is not in force any more."""
        upload = self.service.store.inventory.upload(key)
        before, version = self.service.store.inventory.current_with_version()
        if upload is None or upload.before_version != version:
            return None
        return Preview(upload, before, changes(before, upload.inventory))

    def _imports(self, language: Language) -> list[tuple[object, ...]]:
        """Version, when, by whom, valid from, and counts of the newest imports."""
        zone = self.service.config.timezone
        return [
            (
                entry.version,
                entry.imported_at.astimezone(zone).strftime("%Y-%m-%d %H:%M") if entry.imported_at else "",
                SIMULATED.in_(language) if entry.imported_by == "simulate" else entry.imported_by,
                entry.effective_from.astimezone(zone).date() if entry.effective_from else "",
                _count_words(entry.changes, language),
            )
            for entry in self.service.store.inventory.imports(SHOWN_IMPORTS)
        ]

    def _valid_from(self, text: str) -> date | Message:
        """The day that was typed, today when there is none; or why it cannot be."""
        today = self.service.today()
        try:
            day = parse_day(text) if text else today
        except NotADay as error:
            return error.text
        first, last = importable(today)
        return day if first <= day <= last else day_words(first, last)


def _removal_words(preview: Preview, language: Language) -> list[str]:
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    return [
        WORDS["would_remove"].in_(language, sheet=words[sheet], gone=gone, had=had)
        for sheet, gone, had in removals(preview.before, preview.changes)
    ]


def _count_words(changed: Mapping[str, Mapping[str, int]], language: Language) -> str:
    marks = {"added": "+", "changed": "~", "removed": "−"}
    words = {sheet.name: sheet.words.in_(language) for sheet in SHEETS}
    parts = [
        f"{words.get(sheet, sheet)} {' '.join(f'{marks.get(what, what)}{number}' for what, number in counts.items() if number)}"
        for sheet, counts in changed.items()
        if any(counts.values())
    ]
    return " · ".join(parts)
