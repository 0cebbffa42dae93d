"""GET /ca.pem: the private authority's certificate, open to everybody: a gateway compares its fingerprint with the one that was typed at `enroll`."""

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.http.responses import HttpProblem
from campus_collector.http.routes import Operation, Routes

PEM = "application/x-pem-file"


class AuthorityRoutes(Routes):
    @Operation(
        "GET", "/ca.pem", "The private authority of this collector's certificate", answer=(PEM,), refusals=(404,)
    )
    async def certificate(self, request: Request) -> Response:
        """404 where the certificate comes from elsewhere."""
        file = self.service.config.ca_file
        if file is None or not file.is_file():
            raise HttpProblem(404, "No private authority", "this collector's certificate comes from elsewhere")
        return Response(file.read_bytes(), media_type=PEM)
