"""GET / and /schools/ID."""

from starlette.routing import Route

from campus_collector.service import Service


def routes(service: Service) -> list[Route]:
    return []
