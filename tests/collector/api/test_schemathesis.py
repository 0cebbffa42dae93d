"""What the OpenAPI document says, held against the running collector by schemathesis: no 5xx, no status or content that is not documented."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

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
ANSWERED: Counter[int] = Counter()
schema = schemathesis.openapi.from_dict(document())


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
        ANSWERED[response.status_code] += 1
        case.validate_response(response, checks=CHECKS)
        assert response.headers["x-content-type-options"] == ["nosniff"]


def test_answers_of_many_kinds_were_among_them() -> None:
    assert {200, 201, 400, 401, 403, 404, 409} <= set(ANSWERED), ANSWERED
