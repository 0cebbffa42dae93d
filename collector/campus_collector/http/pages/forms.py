"""The fields of small forms."""

import asyncio

from python_multipart.multipart import parse_options_header
from starlette.requests import ClientDisconnect, Request

from campus_collector.http.responses import HttpProblem

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 20
FORM_SECONDS = 30.0


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises HttpProblem 400, 408, 411, 413."""
    return dict(await read_fields(request))


async def read_fields(request: Request, most: int = MAX_FIELDS) -> list[tuple[str, str]]:
    """The same where a name may come several times, as of boxes that are ticked."""
    check_form(request, MAX_FORM_BYTES, "the form is too large")
    try:
        async with asyncio.timeout(FORM_SECONDS), request.form(max_files=0, max_fields=most) as form:
            return [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
    except TimeoutError:
        raise HttpProblem(408, "Body too slow", f"not complete within {FORM_SECONDS:.0f} s") from None
    except ClientDisconnect:
        raise HttpProblem(400, "Body cut off") from None


def check_form(request: Request, most_bytes: int, too_large: str) -> None:
    """Is this a form we read, of a bounded length? Raises HttpProblem 400, 411, 413."""
    length = request.headers.get("content-length", "")
    if not (length.isascii() and length.isdigit()):
        raise HttpProblem(411, "Length needed", "send a Content-Length")
    if len(length) > 15 or int(length) > most_bytes:
        raise HttpProblem(413, "Too large", too_large)
    _, options = parse_options_header(request.headers.get("content-type", ""))
    charset = options.get(b"charset", b"utf-8").strip().lower()
    if charset not in (b"utf-8", b"utf8", b"us-ascii"):  # a browser sends what its page is written in: UTF-8
        raise HttpProblem(400, "Wrong charset", "forms are read in UTF-8")
