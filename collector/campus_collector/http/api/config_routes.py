"""GET /v1/config: what a school's gateway shall measure; 304 when it has that already (RFC 9110 13.1.2)."""

import asyncio
import threading
from datetime import datetime
from hashlib import sha256

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.domain.inventory import Inventory
from campus_collector.http.api.agent_config import config_for
from campus_collector.http.auth.agents import principal_of
from campus_collector.http.responses import in_thread
from campus_collector.http.service import Service
from campus_wire.version import VERSION


def routes(service: Service) -> list[Route]:
    """The one route; the inventory is read again only when another is in force."""
    lock = threading.Lock()
    held: tuple[int, Inventory] | None = None

    def inventory() -> Inventory:
        nonlocal held
        with lock:
            version = service.store.inventory.version()
            if held is None or held[0] != version:
                held = (version, service.store.inventory.current())
            return held[1]

    def made(school: str) -> bytes:
        day = datetime.now(service.config.timezone).date().replace(day=1)
        return msgspec.json.encode(config_for(school, inventory(), service.verdicts.policy, day))

    async def config(request: Request) -> Response:
        principal = await asyncio.to_thread(principal_of, service.store, request)
        body = await in_thread(made, principal.school)
        tag = f'"{sha256(body).hexdigest()[:32]}"'
        headers = {"ETag": tag, "CampusMeter-Version": VERSION}
        if tag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    return [Route("/v1/config", config)]
