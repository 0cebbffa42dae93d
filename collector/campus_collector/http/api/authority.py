"""GET /ca.pem: the private authority's certificate, open to everybody: a gateway compares its fingerprint with the one it was told."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.http.responses import HttpProblem
from campus_collector.http.service import Service


def routes(service: Service) -> list[Route]:
    """The one route."""

    async def authority(request: Request) -> Response:
        file = service.config.ca_file
        if file is None or not file.is_file():
            raise HttpProblem(404, "No private authority", "this collector's certificate comes from elsewhere")
        return Response(file.read_bytes(), media_type="application/x-pem-file")

    return [Route("/ca.pem", authority)]
