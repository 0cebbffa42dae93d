"""GET /metrics: what Prometheus reads, as text or OpenMetrics, whole or in part (`?scope=`, `?town=`), packed when it asks."""

import zlib
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
from msgspec import Meta
from prometheus_client.exposition import choose_encoder
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from campus_collector.domain.pieces import pieces_of
from campus_collector.export.metrics_cache import MetricsCache, UnknownSelection
from campus_collector.http.auth.scope import scope_of
from campus_collector.http.responses import HttpProblem, check_query, in_thread
from campus_collector.http.routes import Operation, Routes

GZIP_LEVEL = 1
"""Lines repeat so much that better packing costs three times the CPU for a tenth of the size."""
PARTS_AT_ONCE = 2000
GZIP = zlib.MAX_WBITS | 16


class MetricsQuery(msgspec.Struct):
    scope: Annotated[list[str], Meta(description="a part of the metrics; may be repeated")] = []
    town: Annotated[list[str], Meta(description="one town's lines; empty: the county's own; may be repeated")] = []


class MetricsRoutes(Routes):
    @Operation(
        "GET",
        "/metrics",
        "For Prometheus, in its text format or OpenMetrics 1.0",
        query=MetricsQuery,
        answer=("text/plain", "application/openmetrics-text"),
    )
    async def metrics(self, request: Request) -> Response:
        """Packed when the reader takes gzip."""
        check_query(request, MetricsQuery)
        _, media_type = choose_encoder(request.headers.get("accept", ""))
        try:
            parts = await in_thread(_render, self.service.metrics, request, media_type)
        except UnknownSelection as error:
            town = scope_of(request).town  # a reader of one town must not learn which others there are
            detail = f"nothing of town {town} yet, or no such scope" if town else str(error)
            raise HttpProblem(400, "Unknown selection", detail) from None
        headers = {"Content-Type": media_type, "Vary": "Accept, Accept-Encoding"}
        if "gzip" not in request.headers.get("accept-encoding", ""):
            return StreamingResponse(_pieces(parts), headers=headers)
        return StreamingResponse(_packed(parts), headers=headers | {"Content-Encoding": "gzip"})


def _render(metrics: MetricsCache, request: Request, media_type: str) -> list[bytes]:
    scopes, readable = request.query_params.getlist("scope"), scope_of(request)
    towns = request.query_params.getlist("town")
    if readable.town:
        if set(towns) - {readable.town}:
            raise HttpProblem(403, "Not yours", f"you read town {readable.town} only")
        towns = [readable.town]
    return metrics.render(scopes, towns, openmetrics=media_type.startswith("application/openmetrics-text"))


def _pieces(parts: Sequence[bytes]) -> Iterator[bytes]:
    """Some hundred kB each: a prefecture's page is 70 MB, and none of it is put together at once."""
    for group in pieces_of(parts, PARTS_AT_ONCE):
        yield b"".join(group)


def _packed(parts: Sequence[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(GZIP_LEVEL, wbits=GZIP)
    for piece in _pieces(parts):
        yield packer.compress(piece)
    yield packer.flush()
