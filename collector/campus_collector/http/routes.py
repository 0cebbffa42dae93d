"""A group of routes, each declared with what it takes and answers beside its handler; `openapi` describes them from there."""

import inspect
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, replace
from typing import Any, TypeVar

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from campus_collector.http.responses import check_query, in_thread, json_response
from campus_collector.http.service import Service

HTML = "text/html"
Handler = TypeVar("Handler", bound=Callable[..., Any])


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path, as a decorator of its handler in a class of `Routes`.

    A handler returns a struct, which is sent as JSON with `status`, or a Response; a plain function is called, and what it returns is
    encoded, beside the event loop.
    `query` and `parameters` (of the path) are structs with a field for each key; a query is checked under /v1 only; None: it is not looked at. `answer` is a tuple of
    media types, or the type that a handler with a Response sends. `refusals` are statuses of problem documents and redirects, beyond those that
    follow from the rest (see `openapi`). `token`: it needs a bearer token always.
    """

    method: str
    path: str
    summary: str
    _: KW_ONLY
    answer: Any = None
    status: int = 200
    refusals: tuple[int, ...] = (503,)
    query: type[msgspec.Struct] | None = None
    parameters: type[msgspec.Struct] | None = None
    body: type[msgspec.Struct] | None = None
    form: bool = False
    token: bool = False

    def __call__(self, handler: Handler) -> Handler:
        returned = handler.__annotations__["return"]
        declared = self if returned is Response else replace(self, answer=returned)
        handler.operation = declared  # type: ignore[attr-defined]
        return handler


def page_at(path: str, summary: str, *refusals: int) -> Operation:
    """A page; `refusals` beyond those that every page may have."""
    return Operation("GET", path, summary, answer=(HTML,), refusals=(400, 404, 503, *refusals))


def form_at(path: str, summary: str) -> Operation:
    """A form that a page sends; programs use /v1."""
    return Operation(
        "POST", path, summary, answer=(HTML,), refusals=(400, 404, 409, 411, 413, 422, 429, 503), form=True
    )


class DescribedRoute(Route):
    """A route with its operation."""

    def __init__(self, operation: Operation, handler: Callable[[Request], Any]) -> None:
        self.operation = operation

        def response(answer: Any) -> Response:
            return answer if isinstance(answer, Response) else json_response(answer, operation.status)

        async def endpoint(request: Request) -> Response:
            if operation.query is not None and operation.path.startswith("/v1/"):
                check_query(request, operation.query)
            if inspect.iscoroutinefunction(handler):
                return response(await handler(request))
            return await in_thread(lambda: response(handler(request)))

        super().__init__(operation.path, endpoint, methods=[operation.method])


class Routes:
    """Routes of one collector that belong together, with what they keep between requests."""

    def __init__(self, service: Service) -> None:
        self.service = service

    @classmethod
    def operations(cls) -> dict[str, Operation]:
        """By the name of the handler, in the order in which they are declared."""
        marked = {name: getattr(value, "operation", None) for name, value in vars(cls).items()}
        return {name: operation for name, operation in marked.items() if operation is not None}

    def routes(self) -> list[Route]:
        return [DescribedRoute(operation, getattr(self, name)) for name, operation in self.operations().items()]
