"""POST /v1/upgrade: what a gateway shall run. GET /apt/FILE: the signed repository, open to everybody."""

from collections.abc import Iterator
from datetime import UTC, datetime

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from campus_collector.http.auth.agents import decode_body, json_body, principal_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import Operation, Routes
from campus_collector.release.repository import INDEX_FILES, file_name
from campus_wire.records import UpgradeAnswer, UpgradeQuestion

MAX_BODY_BYTES = 4096
BINARY = "application/octet-stream"


class ReleaseRoutes(Routes):
    @Operation(
        "POST", "/v1/upgrade", "Which version of the agent this gateway shall run", body=UpgradeQuestion, token=True
    )
    async def upgrade(self, request: Request) -> UpgradeAnswer:
        """Also notes what became of the gateway's last upgrade."""
        principal = await in_thread(principal_of, self.service.store, request)
        question = decode_body(await json_body(request, MAX_BODY_BYTES), UpgradeQuestion, "Bad upgrade question")
        return await in_thread(self.service.releases.answer, principal, question, datetime.now(UTC))

    @Operation(
        "GET", "/apt/{name}", "A file of the signed APT repository of the agent", answer=(BINARY,), refusals=(404, 503)
    )
    async def file(self, request: Request) -> Response:
        """Index and public key by their names; a package in parts, so that many gateways need little memory."""
        name, releases = request.path_params["name"], self.service.store.releases
        if name in INDEX_FILES:
            body = await in_thread(releases.index, name)
            if body is not None:
                return Response(body, media_type=BINARY)
        else:
            package = {file_name(each): each for each in await in_thread(releases.packages)}.get(name)
            if package is not None:
                parts: Iterator[bytes] = releases.parts(package.sha256)
                return StreamingResponse(parts, media_type=BINARY, headers={"Content-Length": str(package.size)})
        raise HttpProblem(404, "No such file", "the repository has no file of this name")
