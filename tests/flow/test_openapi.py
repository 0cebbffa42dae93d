"""What the OpenAPI document says, held against the running collector by schemathesis: no 5xx, no status or content that is not documented."""

from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from jsonschema import Draft202012Validator
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from campus_collector.domain.people import Person
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.app import operations
from campus_collector.http.openapi import document
from tests.collector.http.api.test_problems import PROBLEM
from tests.collector.world import World, collector, throughput

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
OF_AGENTS = ("/v1/slots", "/v1/slots/{slot}/release", "/v1/config", "/v1/enroll", "/v1/token")


def without_security() -> dict[str, Any]:
    """The document without its security schemes: else tokens are made up for them, and every answer is a refusal."""
    answer = deepcopy(document(operations()))
    for verbs in answer["paths"].values():
        for operation in verbs.values():
            operation.pop("security", None)
    return answer


schema = schemathesis.openapi.from_dict(without_security())


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, list[str]]]:
    """A collector with something in it; the tokens of an admin and of an agent."""
    with collector(tmp_path_factory.mktemp("county")) as world:
        world.send(throughput())
        world.service.store.ledger.put([(PROBLEM, [])])
        token = new_token()
        world.service.store.people.put(Person("管理员", "admin", ""), datetime.now(UTC), "console", token_hash(token))
        yield world, [token, world.token]


@schema.parametrize()
@settings(
    max_examples=20, deadline=None, derandomize=True, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip
def test_every_answer_is_documented(case: schemathesis.Case, county: tuple[World, list[str]]) -> None:
    world, (admin, agent) = county
    tokens = (agent,) if case.path == "/v1/token" else (admin, agent)  # its token must not be spent
    for token in (*tokens, None):
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        response = case.call(base_url=f"http://127.0.0.1:{world.port}", headers=headers, allow_redirects=False)
        of_agents = case.path in OF_AGENTS or (case.method, case.path) == ("POST", "/v1/results")
        if token is not None and case.path.startswith("/v1/") and (token == agent) == of_agents:
            assert response.status_code != 401, "the token is heard: what is looked at is more than refusals"
        case.validate_response(response, checks=CHECKS)
        assert response.headers["x-content-type-options"] == ["nosniff"]


READ = (
    "/v1/schools",
    "/v1/schools/s001",
    "/v1/compliance",
    "/v1/results?school=s001",
    "/v1/problems",
    "/v1/problems/1",
    "/healthz",
    "/readyz",
)


def schema_of(path: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """The schema of a path's good answer, and the whole document that its references point into."""
    answer = deepcopy(document(operations()))
    plain = path.partition("?")[0].replace("s001", "{school}").replace("/1", "/{number}") if "/v1/" in path else path
    content = answer["paths"][plain]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return content, answer


def broken(value: Any, root: bool = True) -> Iterator[Any]:
    """The same answer with one field lost, renamed, or of another type; one for each field of its first elements."""
    if isinstance(value, list) and value:
        yield from ([each, *value[1:]] for each in broken(value[0], False))
    if isinstance(value, dict):
        for key, item in value.items():
            yield {name: each for name, each in value.items() if name != key}
            yield {(f"{name}_new" if name == key else name): each for name, each in value.items()}
            yield value | {key: [{}]}
            yield from (value | {key: each} for each in broken(item, False))


@pytest.mark.parametrize("path", READ)
def test_an_answer_fits_its_schema_and_no_longer_when_a_field_changes(
    county: tuple[World, list[str]], path: str
) -> None:
    world, (admin, _) = county
    answer = world.get(path, Authorization=f"Bearer {admin}").json
    schema_, actual = schema_of(path)
    validator = Draft202012Validator(schema_ | {"components": actual["components"]})
    assert not list(validator.iter_errors(answer))
    free = ("results", "verdicts", "values", "failure", "down", "up", "success", "first_byte_seconds")
    checked = 0
    for each in broken(answer):
        if _differs_only_in(answer, each, free):
            continue
        checked += 1
        assert list(validator.iter_errors(each)), str(each)[:500]
    assert checked or path.startswith("/v1/results")


def _differs_only_in(before: Any, after: Any, free: tuple[str, ...]) -> bool:
    """Is the difference in a part whose fields depend on the kind of result, or are not ours to fix?"""
    if isinstance(before, list) and isinstance(after, list):
        return any(_differs_only_in(x, y, free) for x, y in zip(before, after, strict=False) if x != y)
    if isinstance(before, dict) and isinstance(after, dict):
        changed = {key for key in before.keys() | after.keys() if before.get(key, ...) != after.get(key, ...)}
        extra = {"evidence_en", "evidence_zh", "reopened", "contradicted", "claimed_on", "last_failing_on", "id"} & set(
            before
        )
        extra = extra if "evidence_en" in before else {"verdict"} if "outcome" in before else set()
        if changed & (set(free) | extra):
            return True
        if len(changed) == 1 and (key := next(iter(changed))) in before and key in after:
            return _differs_only_in(before[key], after[key], free)
    return False
