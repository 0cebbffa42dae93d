"""GET /openapi.json: what every route takes and answers, as an OpenAPI 3.1 document made from the routes' declarations."""

from functools import cache
from typing import Any

import msgspec
from starlette.requests import Request

from campus_collector.http.auth.middleware import is_open
from campus_collector.http.routes import HTML, DescribedRoute, Operation, Routes
from campus_wire.records import Problem

_DESCRIPTIONS = {
    303: "On to another page",
    304: "Not changed",
    400: "Not understood",
    401: "No token, or a refused one",
    403: "Not yours",
    404: "Not known",
    405: "Not a way to ask this",
    408: "The body came too slowly",
    409: "Not possible now",
    411: "A length is needed",
    413: "Too large",
    415: "Wrong content type or encoding",
    422: "A schema version this collector does not speak",
    429: "Too many attempts",
    502: "The OpenID provider does not answer",
    503: "Not now; see Retry-After",
}
_JSON_BODY_REFUSALS = (400, 408, 413, 415)
_TEXT = {"schema": {"type": "string"}}
_FORM = {
    "required": True,
    "content": {
        "application/x-www-form-urlencoded": {
            "schema": {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "string"}}
        }
    },
}


class OpenApiRoutes(Routes):
    """The document of the application that it is part of."""

    @Operation("GET", "/openapi.json", "This document", refusals=())
    async def openapi(self, request: Request) -> dict[str, Any]:
        described = (route.operation for route in request.app.routes if isinstance(route, DescribedRoute))
        return document(tuple(described))


@cache
def document(operations: tuple[Operation, ...]) -> dict[str, Any]:
    """The whole document; worked out once, because it takes 60 ms and everybody may ask for it."""
    answers = [described.answer for described in operations if not isinstance(described.answer, tuple | None)]
    bodies = [described.body for described in operations if described.body is not None]
    types = list(dict.fromkeys([Problem, *answers, *bodies]))
    in_order, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    schemas = dict(zip(types, in_order, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for described in operations:
        paths.setdefault(described.path.replace(":path}", "}"), {})[described.method.lower()] = _operation(
            described, schemas
        )
    whole = {
        "openapi": "3.1.0",
        "info": {"title": "CampusMeter collector", "version": "1"},
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }
    return dict(_in_json_schema(whole))


def _operation(described: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    described_as: dict[str, Any] = {"summary": described.summary, "responses": _responses(described, schemas)}
    parameters = _path_parameters(described) + _query_parameters(described)
    if parameters:
        described_as["parameters"] = parameters
    if described.body is not None:
        described_as["requestBody"] = {
            "required": True,
            "content": {"application/json": {"schema": schemas[described.body]}},
        }
    if described.form:
        described_as["requestBody"] = _FORM
    if described.token:
        described_as["security"] = [{"token": []}]
    return described_as


def _path_parameters(described: Operation) -> list[dict[str, Any]]:
    typed = (
        {}
        if described.parameters is None
        else {field.name: field for field in msgspec.structs.fields(described.parameters)}
    )
    names = [part.partition("}")[0].partition(":")[0] for part in described.path.split("{")[1:]]
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": msgspec.json.schema(typed[name].type if name in typed else str),
        }
        for name in names
    ]


def _query_parameters(described: Operation) -> list[dict[str, Any]]:
    """A field's description is the parameter's."""
    parameters = []
    for field in msgspec.structs.fields(described.query) if described.query is not None else ():
        schema = msgspec.json.schema(field.type)
        text = schema.pop("description", "")
        parameters.append(
            {
                "name": field.encode_name,
                "in": "query",
                "required": field.required,
                "schema": schema,
                "description": text,
            }
        )
    return parameters


def _responses(described: Operation, schemas: dict[Any, Any]) -> dict[str, Any]:
    """Reading needs a log-in or a token, except where it is open; a browser is sent to the log-in page; a town's reader sees that town.

    Refusals are problem documents; a browser gets them as pages, but for /v1.
    """
    refused = {405, *(status for status in described.refusals if status >= 400)}
    if described.query is not None:
        refused.add(400)
    if "{" in described.path:
        refused.add(404)
    redirected = {status for status in described.refusals if status < 400}
    if described.body is not None:
        refused.update(_JSON_BODY_REFUSALS)
    if not is_open(described.path) or described.path.startswith("/login"):
        refused.update((401, 403))
        redirected.add(303)
    if described.path == "/v1/config":
        redirected.add(304)
    responses: dict[str, Any] = {}
    if described.answer is not None:
        responses[str(described.status)] = {"description": "Done", "content": _content(described.answer, schemas)}
    for status in sorted(redirected):
        responses[str(status)] = {"description": _DESCRIPTIONS[status]}
    problem: dict[str, Any] = {"application/problem+json": {"schema": schemas[Problem]}}
    if not described.path.startswith("/v1/"):
        problem[HTML] = _TEXT
    for status in sorted(refused):
        responses[str(status)] = {"description": _DESCRIPTIONS[status], "content": problem}
    return responses


def _content(answer: Any, schemas: dict[Any, Any]) -> dict[str, Any]:
    if isinstance(answer, tuple):
        return {media_type.partition(";")[0]: _TEXT for media_type in answer}
    return {"application/json": {"schema": schemas[answer]}}


def _in_json_schema(value: Any) -> Any:
    """Patterns as JSON Schema writes them: there `$` is the very end, which is `\\Z` here."""
    if isinstance(value, dict):
        return {key: _in_json_schema(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json_schema(item) for item in value]
    return f"{value[:-2]}$" if isinstance(value, str) and value.endswith(r"\Z") else value
