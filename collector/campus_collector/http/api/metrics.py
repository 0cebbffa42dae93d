"""GET /metrics: what Prometheus reads, as text or OpenMetrics, whole or in part (`?scope=`, `?town=`), packed when it asks."""

import zlib
from collections.abc import Iterator

from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route

from campus_collector.export.metrics_cache import Page, UnknownSelection
from campus_collector.http.auth.people import reach_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.service import Service

GZIP_LEVEL = 1
"""Lines repeat so much that better packing costs three times the CPU for a tenth of the size."""
GZIP = zlib.MAX_WBITS | 16


def routes(service: Service) -> list[Route]:
    """Where Prometheus asks."""

    async def metrics(request: Request) -> Response:
        unknown = sorted(set(request.query_params) - {"scope", "town"})
        if unknown:
            raise HttpProblem(400, "Unknown parameter", f"{', '.join(unknown)}: only scope and town are known")
        _, media_type = choose_encoder(request.headers.get("accept", ""))
        try:
            blocks = await in_thread(_render, service.page, request, media_type)
        except UnknownSelection as error:
            town = reach_of(request).town  # who reads one town is not told which others there are
            detail = f"nothing of town {town} yet, or no such scope" if town else str(error)
            raise HttpProblem(400, "Unknown selection", detail) from None
        headers = {"Content-Type": media_type, "Vary": "Accept, Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return StreamingResponse(iter(blocks), headers=headers)
        return StreamingResponse(_packed(blocks), headers=headers | {"Content-Encoding": "gzip"})

    return [Route("/metrics", metrics)]


def _render(page: Page, request: Request, media_type: str) -> list[bytes]:
    scopes, reach = request.query_params.getlist("scope"), reach_of(request)
    towns = request.query_params.getlist("town")
    if reach.town:
        if set(towns) - {reach.town}:
            raise HttpProblem(403, "Not yours", f"you read town {reach.town} only")
        towns = [reach.town]
    return page.render(scopes, towns, openmetrics=media_type.startswith("application/openmetrics-text"))


def _packed(blocks: list[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
    for block in blocks:
        yield packer.compress(block)
    yield packer.flush()
