"""The fields of small forms."""

from starlette.requests import Request

from campus_collector.http import HttpProblem

FORM_ROOM = 64 * 1024


async def read_form(request: Request) -> dict[str, str]:
    """The fields of a small form. Raises HttpProblem 411, 413."""
    length = request.headers.get("content-length", "")
    if not length.isdigit():
        raise HttpProblem(411, "Length needed", "send a Content-Length")
    if int(length) > FORM_ROOM:
        raise HttpProblem(413, "Too large", "the form is too large")
    async with request.form(max_files=0, max_fields=20) as form:
        return {name: value for name, value in form.items() if isinstance(value, str)}
