"""What every route takes and answers, as an OpenAPI 3.1 document; a test holds it against the routes."""

from functools import cache
from typing import Any

import msgspec

from campus_collector.domain.problem import STATES
from campus_collector.http.api.answers import ANSWERS
from campus_collector.http.api.problems import XLSX
from campus_collector.http.auth.middleware import OPEN_PATHS
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.actions import ACTIONS, MAX_TEXT
from campus_collector.ledger.listing import MAX_AGE_DAYS
from campus_collector.report.forms.render import MEDIA_TYPES
from campus_wire.records import (
    KINDS,
    AgentState,
    Announcement,
    AnyResult,
    CentralConfig,
    Enrolled,
    EnrollRequest,
    Problem,
    Receipt,
    Rotated,
    Slot,
    SlotRequest,
)

_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_WORDS = {
    303: "On to another page",
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
    503: "Not now; see Retry-After",
}
_STATES = [*STATES, "overdue", "contradicted", "all"]


@cache
def document() -> dict[str, Any]:
    """The whole document; worked out once, because it takes 60 ms and everybody may ask for it."""
    _, schemas = msgspec.json.schema_components(
        (
            AnyResult,
            Receipt,
            Problem,
            AgentState,
            Announcement,
            SlotRequest,
            Slot,
            EnrollRequest,
            Enrolled,
            Rotated,
            CentralConfig,
            *ANSWERS,
        ),
        ref_template="#/components/schemas/{name}",
    )
    schemas = _in_json_schema(schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": "CampusMeter collector", "version": "1"},
        "paths": _gated(_paths()),
        "components": {"schemas": schemas, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _in_json_schema(value: Any) -> Any:
    """Patterns as JSON Schema writes them: there `$` is the very end, which is `\\Z` here."""
    if isinstance(value, dict):
        return {key: _in_json_schema(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_in_json_schema(item) for item in value]
    return f"{value[:-2]}$" if isinstance(value, str) and value.endswith(r"\Z") else value


def _paths() -> dict[str, Any]:
    month = _query("month", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}, "YYYY-MM; this month when absent")
    language = _query("lang", {"type": "string", "enum": ["zh", "en"]}, "Chinese when absent")
    filters = [
        _query("town", {"type": "string"}, "one town only"),
        _query("school", {"type": "string"}, "one school only"),
        _query("target", {"type": "string", "enum": list(TARGET_NAMES)}, "one target only"),
        _query("state", {"type": "string", "enum": _STATES}, "still open when absent"),
        _query("older_than", {"type": "integer", "minimum": 0, "maximum": MAX_AGE_DAYS}, "open for so many days"),
    ]
    return {
        "/v1/results": {
            "post": {
                "summary": "Take a batch of results; each is stored once, or quarantined with the reason",
                "security": [{"token": []}],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _envelope()}}},
                "responses": _responses("Receipt", 400, 401, 408, 413, 415, 422, 503),
            },
            "get": {
                "summary": "Results of a school as they came, newest first",
                "parameters": [
                    _query("school", {"type": "string"}, "id of the school", required=True),
                    _query("subject", {"type": "string"}, "one subject only"),
                    _query("kind", {"type": "string", "enum": list(KINDS)}, "one kind only"),
                    _query("from", {"type": "string", "format": "date-time"}, "31 days back when absent"),
                    _query("to", {"type": "string", "format": "date-time"}, "now when absent"),
                    _query("limit", {"type": "integer", "minimum": 1, "maximum": 5000}, "500 when absent"),
                ],
                "responses": _responses("RawResultsAnswer", 400, 401, 404, 503),
            },
        },
        "/v1/slots": {
            "post": {
                "summary": "Reserve the uplink test server: the answer says in how many seconds it is this school's, and for how long",
                "security": [{"token": []}],
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/SlotRequest"}}},
                },
                "responses": _responses("Slot", 400, 401, 408, 413, 415, 503),
            }
        },
        "/v1/slots/{slot}/release": {
            "post": {
                "summary": "Give a slot back early",
                "security": [{"token": []}],
                "parameters": [{"name": "slot", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": _responses("ReleasedAnswer", 401, 404, 503),
            }
        },
        "/v1/schools": {
            "get": {
                "summary": "All schools",
                "parameters": [month],
                "responses": _responses("SchoolsAnswer", 400, 401, 503),
            }
        },
        "/v1/schools/{school}": {
            "get": {
                "summary": "One school: subjects, latest results, verdicts of the month",
                "parameters": [{"name": "school", "in": "path", "required": True, "schema": {"type": "string"}}, month],
                "responses": _responses("SchoolAnswer", 400, 401, 404, 503),
            }
        },
        "/v1/compliance": {
            "get": {
                "summary": "Verdicts of a month by area and by subject",
                "parameters": [
                    month,
                    _query("target", {"type": "string", "enum": list(TARGET_NAMES)}, "one target only"),
                    _query("town", {"type": "string"}, 'one town only; "" for the county'),
                ],
                "responses": _responses("ComplianceAnswer", 400, 401, 404, 503),
            }
        },
        "/v1/config": {
            "get": {
                "summary": "What the gateway of the token's school shall measure; ETag, 304",
                "security": [{"token": []}],
                "responses": _responses("CentralConfig", 401, 503) | {"304": {"description": "Not changed"}},
            }
        },
        "/v1/enroll": {
            "post": {
                "summary": "A one-time code for a gateway's token",
                "requestBody": {
                    "required": True,
                    "content": {"application/json": {"schema": {"$ref": "#/components/schemas/EnrollRequest"}}},
                },
                "responses": _responses("Enrolled", 400, 403, 408, 413, 415, 429, 503),
            }
        },
        "/v1/token": {
            "post": {
                "summary": "A new token for an agent's present one, which is refused once the new one was used",
                "security": [{"token": []}],
                "responses": _responses("Rotated", 401, 503),
            }
        },
        "/v1/problems": {
            "get": {
                "summary": "The problem ledger: what is still open, the most urgent first",
                "parameters": filters,
                "responses": _responses("ProblemsAnswer", 400, 401, 404, 503),
            }
        },
        "/v1/problems.{ending}": {
            "get": {
                "summary": "The same as a supervision list: csv or xlsx",
                "parameters": [_path("ending", {"type": "string", "enum": ["csv", "xlsx"]}), *filters, language],
                "responses": _responses(("text/csv", XLSX), 400, 401, 404, 503),
            }
        },
        "/v1/problems/{number}": {
            "get": {
                "summary": "One problem with its history",
                "parameters": [_path("number", {"type": "integer", "minimum": 1})],
                "responses": _responses("ProblemWithHistory", 400, 401, 404, 503),
            },
            "patch": {
                "summary": "Work on a problem: acknowledge, assign, set a date, note a measure, comment, claim it fixed. Measurements alone strike it off.",
                "security": [{"token": []}],
                "parameters": [_path("number", {"type": "integer", "minimum": 1})],
                "requestBody": {"required": True, "content": {"application/json": {"schema": _work()}}},
                "responses": _responses("ProblemAnswer", 400, 401, 403, 404, 408, 409, 413, 415, 503),
            },
        },
        "/v1/monthly/{month}.{form}": {
            "get": {
                "summary": "The monthly report: as it was issued when the month is closed, else as it is now",
                "parameters": [
                    _path("month", {"type": "string", "pattern": r"^\d{4}-\d{2}$"}),
                    _path("form", {"type": "string", "enum": ["html", "pdf", "xlsx", "docx"]}),
                    _query("town", {"type": "string"}, "an excerpt for one town"),
                    _query("school", {"type": "string"}, "an excerpt for one school"),
                    language,
                ],
                "responses": _responses(tuple(MEDIA_TYPES.values()), 400, 401, 404, 503),
            }
        },
        "/monthly": _page("All months with their reports"),
        "/monthly/excerpt": {"get": {"summary": "To one excerpt", "responses": _responses(None, 401, 404)}},
        "/metrics": {
            "get": {
                "summary": "For Prometheus, in its text format or OpenMetrics 1.0",
                "parameters": [
                    _query("scope", {"type": "string"}, "a part of the metrics; may be repeated"),
                    _query("town", {"type": "string"}, "one town's lines; empty: the county's own; may be repeated"),
                ],
                "responses": _responses("text/plain", 400, 401, 503),
            }
        },
        "/ca.pem": {
            "get": {
                "summary": "The private authority of this collector's certificate",
                "responses": _responses("application/x-pem-file", 404),
            }
        },
        "/healthz": {"get": {"summary": "Alive", "responses": _responses("StatusAnswer")}},
        "/readyz": {
            "get": {"summary": "Alive, and the store can be written", "responses": _responses("StatusAnswer", 503)}
        },
        "/openapi.json": {"get": {"summary": "This document", "responses": _responses(None, 401)}},
        "/": {"get": {"summary": "Overview page", "responses": _responses("text/html", 401, 503)}},
        "/policy": _page("The policy in plain words"),
        "/explain/{target}/{school}/{subject}": _page("How a verdict came about", "target", "school", "subject"),
        "/problems": _page("The ledger"),
        "/problems/{number}": _page("One problem", "number") | _form("Work on it", "number"),
        "/inventory": _page("The inventory") | _form("Look at a file"),
        "/inventory/apply": _form("Put it in force"),
        "/inventory.xlsx": {"get": {"summary": "The inventory", "responses": _responses((XLSX,), 401, 503)}},
        "/login": _page("Log in") | _form("Show a token, or a name and its password"),
        "/login/oidc": _page("To the county's OpenID provider, where one is configured"),
        "/login/oidc/return": _page("Back from it"),
        "/account": _page("A person's own account") | _form("Set a password"),
        "/people": _page("Who may do what; for an admin"),
        "/quarantine": _page("Results that were not accepted, with the reason"),
        "/fleet": _page("Every gateway with its version and state"),
        "/logout": _form("End the session"),
        "/schools/{school}": {
            "get": {
                "summary": "Page of one school",
                "parameters": [{"name": "school", "in": "path", "required": True, "schema": {"type": "string"}}],
                "responses": _responses("text/html", 401, 404, 503),
            }
        },
    }


def _gated(paths: dict[str, Any]) -> dict[str, Any]:
    """Reading needs a log-in or a token, except where it is open; a browser is sent to the log-in page; a town's reader sees that town."""
    for path, verbs in paths.items():
        for said in verbs.values():
            said["responses"].setdefault("405", {"description": _WORDS[405], "content": _PROBLEM})
            if path in OPEN_PATHS and not path.startswith("/login"):
                continue
            for status in (401, 403):
                said["responses"].setdefault(str(status), {"description": _WORDS[status], "content": _PROBLEM})
            said["responses"].setdefault("303", {"description": _WORDS[303]})
    return paths


def _envelope() -> dict[str, Any]:
    """As in campus_wire.records.Envelope, where results are still raw."""
    (results,), _ = msgspec.json.schema_components((AnyResult,), ref_template="#/components/schemas/{name}")
    return {
        "type": "object",
        "required": ["schema_version", "agent_id", "boot_id", "sent_at", "results"],
        "properties": {
            "schema_version": {"const": 1},
            "agent_id": {"type": "string", "maxLength": 100},
            "boot_id": {"type": "string", "maxLength": 64},
            "sent_at": {"type": "string", "format": "date-time"},
            "results": {"type": "array", "maxItems": 1000, "items": results},
            "agent": {"$ref": "#/components/schemas/AgentState"},
            "announcement": {"$ref": "#/components/schemas/Announcement"},
        },
    }


def _work() -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["action"],
        "additionalProperties": False,
        "properties": {
            "action": {"type": "string", "enum": list(ACTIONS)},
            "text": {"type": "string", "maxLength": MAX_TEXT},
            "responsible": {"type": "string", "maxLength": 100},
            "due_on": {"type": "string", "format": "date"},
        },
    }


def _path(name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _page(summary: str, *names: str) -> dict[str, Any]:
    return {
        "get": {
            "summary": summary,
            "parameters": [_path(name, {"type": "string"}) for name in names],
            "responses": _responses("text/html", 400, 401, 404, 503),
        }
    }


def _form(summary: str, *names: str) -> dict[str, Any]:
    """What a page sends; programs use /v1."""
    return {
        "post": {
            "summary": summary,
            "parameters": [_path(name, {"type": "string"}) for name in names],
            "requestBody": {
                "required": True,
                "content": {"application/x-www-form-urlencoded": {"schema": _form_schema()}},
            },
            "responses": _responses("text/html", 400, 401, 403, 404, 409, 411, 413, 422, 429, 503),
        }
    }


def _form_schema() -> dict[str, Any]:
    """Fields of a page's form are text; each page names its own."""
    return {"type": "object", "maxProperties": 20, "additionalProperties": {"type": "string"}}


def _query(name: str, schema: dict[str, Any], description: str, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "query", "required": required, "schema": schema, "description": description}


def _responses(good: str | tuple[str, ...] | None, *problems: int) -> dict[str, Any]:
    if isinstance(good, str) and "/" not in good:  # the name of a schema
        content: dict[str, Any] = {"application/json": {"schema": {"$ref": f"#/components/schemas/{good}"}}}
    elif good and (isinstance(good, tuple) or "/" in good):
        kinds = (good,) if isinstance(good, str) else good
        content = {kind.partition(";")[0]: {"schema": {"type": "string"}} for kind in kinds}
    else:
        content = {"application/json": {"schema": {"type": "object"}}}
    done = "201" if good in ("Enrolled", "Rotated") else "200"
    said: dict[str, Any] = {done: {"description": "Done", "content": content}}
    page = {"text/html": {"schema": {"type": "string"}}} if good == "text/html" else {}
    for status in problems:
        said[str(status)] = {"description": _WORDS[status], "content": _PROBLEM | page}
    return said
