"""POST /v1/slots: may I test the uplink now? POST /v1/slots/ID/release: I have finished.

200 with the slot; 503 with Retry-After when the server is taken for longer than the agent can wait. Times are relative, because a
school's clock may be wrong.
"""

from math import ceil

import msgspec
from starlette.requests import Request

from campus_collector.domain.slots import Full
from campus_collector.http.auth.agents import decode_body, json_body, principal_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_wire.records import Slot, SlotRequest

MAX_BODY_BYTES = 4096


class ReleasedAnswer(msgspec.Struct, frozen=True):
    """POST /v1/slots/ID/release."""

    released: bool


class SlotRoutes(Routes):
    @Operation(
        "POST",
        "/v1/slots",
        "Reserve the uplink test server: the answer says in how many seconds it is this school's, and for how long",
        body=SlotRequest,
        token=True,
    )
    async def reserve(self, request: Request) -> Slot:
        """503 with Retry-After when it is full."""
        principal = await in_thread(principal_of, self.service.store, request)
        asked = decode_body(await json_body(request, MAX_BODY_BYTES), SlotRequest, "Bad slot request")
        slot = await in_thread(
            self.service.slots.reserve,
            principal.school,
            asked.seconds,
            asked.bits_per_second,
            asked.latest_start_seconds,
        )
        if isinstance(slot, Full):
            detail = f"the test server is taken for the next {slot.retry_seconds:.0f} s"
            raise HttpProblem(503, "No slot", detail, {"Retry-After": str(ceil(slot.retry_seconds))})
        return Slot(slot.id, slot.start, slot.end - slot.start)

    @Operation("POST", "/v1/slots/{slot}/release", "Give a slot back early", token=True)
    async def release(self, request: Request) -> ReleasedAnswer:
        """404 when it has ended, or is another school's."""
        principal = await in_thread(principal_of, self.service.store, request)
        released = await in_thread(self.service.slots.release, principal.school, request.path_params["slot"])
        if not released:
            raise HttpProblem(404, "No such slot", "it has ended, or is another school's")
        return ReleasedAnswer(True)
