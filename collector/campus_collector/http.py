"""Answers of one shape: JSON by msgspec, and errors as problem documents (RFC 9457)."""

import asyncio
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response

from campus_collector.store.interface import StoreUnavailable
from campus_wire.records import Problem

Answer = TypeVar("Answer")
Given = ParamSpec("Given")
_encode = msgspec.json.Encoder().encode


def json_response(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer."""
    return Response(_encode(content), status, headers, media_type="application/json")


class HttpProblem(Exception):
    """Ends a request with a problem document."""

    def __init__(self, status: int, title: str, detail: str = "", headers: dict[str, str] | None = None) -> None:
        """`detail` is for the person who must mend it; never a secret, never a traceback."""
        super().__init__(f"{status} {title}: {detail}")
        self.status = status
        self.title = title
        self.detail = detail
        self.headers = headers


def problem_response(status: int, title: str, detail: str = "", headers: dict[str, str] | None = None) -> Response:
    """The document itself."""
    return Response(
        _encode(Problem(title, status, detail[:1000])), status, headers, media_type="application/problem+json"
    )


async def on_problem(request: Request, error: Exception) -> Response:
    """Starlette's handler for HttpProblem."""
    if not isinstance(error, HttpProblem):
        raise error
    return problem_response(error.status, error.title, error.detail, error.headers)


async def in_thread(work: Callable[Given, Answer], *values: Given.args, **named: Given.kwargs) -> Answer:
    """Beside the event loop. Raises HttpProblem 503 when the store is away."""
    try:
        return await asyncio.to_thread(work, *values, **named)
    except StoreUnavailable:
        raise HttpProblem(503, "Not now", "the store cannot be read", {"Retry-After": "15"}) from None
