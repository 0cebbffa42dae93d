"""The manual at /help: files that `make docs` builds into this package. Open to everybody: it holds nothing of this collector's."""

from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
from msgspec import Meta
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from campus_base.messages import message
from campus_collector.http.query import language_of
from campus_collector.http.responses import HttpProblem, in_thread
from campus_collector.http.routes import HTML, Operation, Routes
from campus_collector.http.service import Service

SITE = Path(__file__).parent / "manual"
MEDIA_TYPES = {
    ".html": HTML,
    ".css": "text/css",
    ".js": "text/javascript",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".webp": "image/webp",
}
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)
"""Scripts, styles and the index of the search as files of this collector; nothing inline, nothing from elsewhere."""
CACHE_SECONDS = 300
NOT_BUILT = message(
    "The manual has not been built here. For IT staff: run make docs in the program's folder, then start the"
    " collector again."
)


class HelpPath(msgspec.Struct):
    path: Annotated[str, Meta(description="A file of the manual")]


class HelpPages(Routes):
    """The files of the manual, by a list that is made once: a path that is not on it leads nowhere."""

    def __init__(self, service: Service) -> None:
        super().__init__(service)
        self._files = {file.relative_to(SITE).as_posix(): file for file in SITE.rglob("*") if _is_served(file)}

    @Operation("GET", "/help", "The manual in the reader's language", answer=(HTML,), refusals=(303, 404))
    async def contents(self, request: Request) -> Response:
        """On to its first page. 404 with how to build it where it has not been built."""
        self._check_built()
        first = "index.html" if language_of(request) == "zh" else "en/index.html"
        return RedirectResponse(f"/help/{first}", 303)

    @Operation(
        "GET", "/help/{path:path}", "A file of the manual", answer=tuple(MEDIA_TYPES.values()), parameters=HelpPath,
        refusals=(303, 304, 404),
    )  # fmt: skip
    async def file(self, request: Request) -> Response:
        """A page, a picture or the index of the search; from a folder on to its first page."""
        self._check_built()
        path: str = request.path_params["path"]
        if f"{path}/index.html" in self._files:
            return RedirectResponse(f"/help/{path}/index.html", 303)
        file = self._files.get(path)
        if file is None:
            raise HttpProblem(404, "Not found", "no such page of the manual")
        content = await in_thread(file.read_bytes)
        headers = {
            "ETag": f'"{sha256(content).hexdigest()[:32]}"',
            "Cache-Control": f"public, max-age={CACHE_SECONDS}",
            "Content-Security-Policy": CONTENT_SECURITY_POLICY,
        }
        if headers["ETag"] in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        return Response(content, headers=headers, media_type=MEDIA_TYPES[file.suffix])

    def _check_built(self) -> None:
        if "index.html" not in self._files:
            raise HttpProblem(404, "No manual", NOT_BUILT.en, words=NOT_BUILT)


def _is_served(file: Path) -> bool:
    return file.suffix in MEDIA_TYPES and file.is_file() and not file.is_symlink()
