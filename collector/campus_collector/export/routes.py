"""GET /metrics: the text format that Prometheus reads."""

import asyncio
import time
from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.export.fleet import collect
from campus_collector.export.table import BY_NAME
from campus_collector.http import HttpProblem
from campus_collector.service import Service
from campus_collector.store.interface import StoreUnavailable


class Page(Collector):
    """One scrape: the fleet, the collector's own histogram, and how long it took."""

    def __init__(self, service: Service) -> None:
        """Nothing is read until a scrape."""
        self._service = service

    def collect(self) -> Iterator[Family]:
        """Called by prometheus-client for each scrape."""
        began = time.perf_counter()
        yield from collect(self._service)
        yield from self._service.ingest_duration_seconds.collect()
        own = BY_NAME["campus_scrape_duration_seconds"]
        yield GaugeMetricFamily(own.name, own.help, value=time.perf_counter() - began)


def render(service: Service) -> bytes:
    """The whole page."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Page(service))
    return generate_latest(registry)


def routes(service: Service) -> list[Route]:
    """Where Prometheus asks."""

    async def metrics(request: Request) -> Response:
        try:
            page = await asyncio.to_thread(render, service)
        except StoreUnavailable:
            raise HttpProblem(503, "Not now", "the store cannot be read", {"Retry-After": "15"}) from None
        return Response(page, media_type=CONTENT_TYPE_LATEST)

    return [Route("/metrics", metrics)]
