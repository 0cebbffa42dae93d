"""POST /v1/slots: may I test the uplink now? POST /v1/slots/ID/release: I have finished.

200 with the slot; 503 with Retry-After when the server is taken for longer than the agent can wait. Times are relative, because a
school's clock may be wrong.
"""

import asyncio
import threading
from math import ceil
from time import monotonic, time

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.http.auth.agents import json_body, principal_of
from campus_collector.http.responses import HttpProblem, json_response
from campus_collector.http.service import Service
from campus_collector.ingest.reasons import without_patterns
from campus_collector.slots.restart import remember_end
from campus_collector.slots.scheduler import Full
from campus_wire.records import Slot, SlotRequest

MAX_BODY_BYTES = 4096


def routes(service: Service) -> list[Route]:
    """Both doors, with one lock around the book."""
    lock = threading.Lock()
    book = service.slots

    async def reserve(request: Request) -> Response:
        principal = await asyncio.to_thread(principal_of, service.store, request)
        body = await json_body(request, MAX_BODY_BYTES)
        try:
            asked = msgspec.json.decode(body, type=SlotRequest)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            raise HttpProblem(400, "Bad slot request", without_patterns(str(error))[:300]) from None
        with lock:
            now = monotonic()
            made = book.reserve(principal.school, asked.seconds, asked.bits_per_second, asked.latest_start_seconds, now)
            if not isinstance(made, Full):
                remember_end(service.config.database, time() + made.end - now)
        if isinstance(made, Full):
            detail = f"the test server is taken for the next {made.retry_seconds:.0f} s"
            raise HttpProblem(503, "No slot", detail, {"Retry-After": str(ceil(made.retry_seconds))})
        return json_response(Slot(made.id, made.start - now, made.end - made.start))

    async def release(request: Request) -> Response:
        principal = await asyncio.to_thread(principal_of, service.store, request)
        with lock:
            found = book.release(principal.school, request.path_params["slot"], monotonic())
        if not found:
            raise HttpProblem(404, "No such slot", "it has ended, or is another school's")
        return json_response({"released": True})

    return [
        Route("/v1/slots", reserve, methods=["POST"]),
        Route("/v1/slots/{slot}/release", release, methods=["POST"]),
    ]
