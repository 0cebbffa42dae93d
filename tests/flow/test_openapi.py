"""What the OpenAPI document says, held against the running collector by schemathesis: no 5xx, no status or content that is not documented."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from campus_collector.api.openapi import document
from campus_collector.ingest.tokens import new_token, token_hash
from campus_collector.store.interface import Person
from tests.collector.ledger.test_routes import PROBLEM
from tests.collector.world import World, collector, throughput

CHECKS = (not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance)
OF_AGENTS = ("/v1/slots", "/v1/slots/{slot}/release", "/v1/config", "/v1/enroll", "/v1/token")


def without_security() -> dict[str, Any]:
    """The document without its security schemes: else tokens are made up for them, and every answer is a refusal."""
    said = document()
    for verbs in said["paths"].values():
        for operation in verbs.values():
            operation.pop("security", None)
    return said


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
