"""GET /static/NAME: the stylesheet and scripts of the pages, as files of the package."""

import hashlib
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response

from campus_collector.http.responses import HttpProblem
from campus_collector.http.routes import Operation, Routes

MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}
FOR_EVER = "public, max-age=31536000, immutable"
"""The address of a file changes with its content."""


def _read() -> dict[str, bytes]:
    folder = files("campus_collector.http.pages").joinpath("static")
    return {file.name: file.read_bytes() for file in folder.iterdir() if file.name.rpartition(".")[2] in MEDIA_TYPES}


_FILES = _read()
_VERSIONS = {name: hashlib.sha256(body).hexdigest()[:12] for name, body in _FILES.items()}


def static_path(name: str) -> str:
    """The path of a file with the version of its content, below the collector's root path. Raises KeyError."""
    return f"/static/{name}?v={_VERSIONS[name]}"


class StaticFiles(Routes):
    @Operation(
        "GET",
        "/static/{name}",
        "Stylesheet and scripts of the pages",
        answer=tuple(MEDIA_TYPES.values()),
        refusals=(404,),
    )
    async def file(self, request: Request) -> Response:
        """Kept by browsers for a year under its version, and asked for anew without one."""
        name = request.path_params["name"]
        body = _FILES.get(name)
        if body is None:
            raise HttpProblem(404, "Not Found")
        kept = FOR_EVER if request.query_params.get("v") == _VERSIONS[name] else "no-cache"
        return Response(body, headers={"Cache-Control": kept}, media_type=MEDIA_TYPES[name.rpartition(".")[2]])
