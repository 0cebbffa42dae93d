"""Answers of one shape: JSON by msgspec, and errors as problem documents (RFC 9457)."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from campus_base.messages import Message, message
from campus_base.text import printable_line
from campus_collector.store.errors import ArchiveLost, CommitUncertain, StoreUnavailable
from campus_wire.records import Problem

MOST_SHOWN_LETTERS = 60
_UNCERTAIN = message(
    "The connection to the database broke in the middle: it is not known whether this was kept. Look before you do it again."
)
Answer = TypeVar("Answer")
Given = ParamSpec("Given")
_encode = msgspec.json.Encoder().encode


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(_encode(content), status, headers, media_type="application/json")


def download(body: bytes, media_type: str, name: str, *, inline: bool = False, language: str = "") -> Response:
    """A file of that name; `inline`: the browser may show it."""
    headers = {"Content-Disposition": f'{"inline" if inline else "attachment"}; filename="{name}"'}
    return Response(body, media_type=media_type, headers=headers | ({"Content-Language": language} if language else {}))


class HttpProblem(Exception):
    """Ends a request with a problem document."""

    def __init__(
        self,
        status: int,
        title: str,
        detail: str = "",
        headers: dict[str, str] | None = None,
        words: Message | None = None,
    ) -> None:
        """`detail` is for the person who must mend it; never a secret, never a traceback. `words` stand on a page instead of general ones."""
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers
        self.words = words


def check_query(request: Request, query: type[msgspec.Struct]) -> None:
    """Nothing but the keys of `query`, each once, lists aside: a key that is not read would change nothing without a word. Raises HttpProblem 400."""
    fields = {field.encode_name: field for field in msgspec.structs.fields(query)}
    given = [key for key, _ in request.query_params.multi_items()]
    unknown = sorted({_quoted(key) for key in given if key not in fields})
    if unknown:
        known = ", ".join(fields) or "none"
        raise HttpProblem(400, "Bad query", f"unknown key {', '.join(unknown[:10])}; known here: {known}")
    for key, field in fields.items():
        if given.count(key) > 1 and field.default_factory is not list:
            raise HttpProblem(400, "Bad query", f"{key} is given more than once")


def bad_value(key: str, value: str, rule: Message) -> HttpProblem:
    """The refusal of a value in a query; `rule` goes on after the key: "must be ..." """
    shown = _quoted(value)
    reason = message("{key} {rule}, not {shown}", key=key, rule=rule, shown=shown)
    words = message("This address was not understood: {reason}.", reason=reason)
    return HttpProblem(400, "Bad query", reason.en, words=words)


def _quoted(text: str) -> str:
    return repr(printable_line(text, MOST_SHOWN_LETTERS))


def problem_response(status: int, title: str, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    return Response(
        _encode(Problem(title, status, detail[:1000])), status, headers, media_type="application/problem+json"
    )


async def on_problem(request: Request, error: Exception) -> Response:
    """Starlette's handler for HttpProblem."""
    if not isinstance(error, HttpProblem):
        raise error
    return problem_response(error.status, error.title, error.detail, error.headers)


async def in_thread(work: Callable[Given, Answer], *values: Given.args, **named: Given.kwargs) -> Answer:
    """Beside the event loop. Raises HttpProblem 503 when the store is away, or went away in the middle of a commit."""
    try:
        return await asyncio.to_thread(work, *values, **named)
    except CommitUncertain:
        raise HttpProblem(503, "Not known", _UNCERTAIN.en, words=_UNCERTAIN) from None
    except ArchiveLost as error:
        raise HttpProblem(503, "Archive lost", error.text.en, words=error.text) from None
    except StoreUnavailable:
        raise HttpProblem(503, "Not now", "the store cannot be read", {"Retry-After": "15"}) from None
