"""GET /v1/config: what a school's gateway shall measure; 304 when it has that already (RFC 9110 13.1.2)."""

import asyncio
from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from campus_collector.http.api.agent_config import config_for
from campus_collector.http.auth.agents import principal_of
from campus_collector.http.responses import in_thread
from campus_collector.http.routes import Operation, Routes
from campus_wire.records import FetchedConfig
from campus_wire.version import VERSION


class ConfigurationRoutes(Routes):
    @Operation(
        "GET",
        "/v1/config",
        "What the gateway of the token's school shall measure; ETag, 304",
        answer=FetchedConfig,
        token=True,
    )
    async def config(self, request: Request) -> Response:
        principal = await asyncio.to_thread(principal_of, self.service.store, request)
        body = await in_thread(self._encoded, principal.school)
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "CampusMeter-Version": VERSION}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    def _encoded(self, school: str) -> bytes:
        month = self.service.today().replace(day=1)
        part = self.service.inventory.part_of(school)
        policy, stream = self.service.verdicts.policy, self.service.config.lesson_stream
        return msgspec.json.encode(config_for(school, part, policy, month, stream))
