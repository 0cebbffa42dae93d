"""What programs read, and that the description of it is true."""

import json
import re
from pathlib import Path

import pytest
from starlette.routing import Route

from campus_collector.http.app import GROUPS, operations
from campus_collector.http.openapi import document
from tests.collector.world import World, days, throughput


def test_compliance_has_the_shape_of_design_section_10(world: World) -> None:
    world.send(*(throughput(at=at) for at in days(4, 2)))
    answer = world.get("/v1/compliance?month=2026-11&target=classroom_bandwidth&town=t01").json
    assert answer["month"] == "2026-11"
    assert answer["targets"] == [
        {
            "target": "classroom_bandwidth", "town": "t01", "met": 1, "not_met": 0,
            "insufficient": 1, "exempt": 0, "compliance_ratio": 0.5,
        }
    ]  # fmt: skip
    first = answer["subjects"][0]
    assert {name: first[name] for name in ("target", "town", "school", "subject", "verdict")} == {
        "target": "classroom_bandwidth", "town": "t01", "school": "s001", "subject": "c101", "verdict": "met",
    }  # fmt: skip
    assert (first["valid_results"], first["passing_results"], first["diagnosis"]) == (8, 8, "")


def test_a_school_shows_each_subject_with_its_latest_result(world: World) -> None:
    world.send(throughput(97e6, 100e6))
    answer = world.get("/v1/schools/s001?month=2026-11").json
    room = next(subject for subject in answer["subjects"] if subject["subject"] == "c101")
    assert room["latest"]["verdict"] == "not_met"
    assert room["latest"]["down"]["line_rate_bits_per_second"] == 97_000_000
    assert room["month"]["verdict"] == "insufficient"
    assert world.get("/v1/schools").json["schools"][0]["verdicts"]["classroom_bandwidth"] == {"insufficient": 2}


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/v1/schools/nobody", 404, "nobody"),
        ("/v1/compliance?month=2026-13", 400, "a month is written YYYY-MM"),
        ("/v1/compliance?target=weather", 400, "target must be one of classroom_bandwidth"),
        ("/v1/results", 400, "school is needed"),
        ("/v1/results?school=s001&kind=x", 400, "kind must be one of"),
        ("/v1/results?school=s001&from=yesterday", 400, "from must be a time like"),
        ("/v1/results?school=s001&to=0001-01-01T00:00:00Z", 400, "to must be a time"),
        ("/v1/results?school=s001&limit=0", 400, "limit must be 1 to 5000"),
        ("/v1/results?school=s001&limit=99999999999999999999", 400, "limit must be 1 to 5000"),
        ("/nowhere", 404, ""),
    ],
)
def test_bad_questions_get_a_clear_answer(world: World, path: str, status: int, detail: str) -> None:
    answer = world.get(path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert detail in answer.json.get("detail", "")


def test_health(world: World) -> None:
    assert world.get("/healthz").json == {"status": "ok"}
    assert world.get("/readyz").json == {"status": "ready"}


def test_the_description_names_every_route_and_every_status(world: World) -> None:
    answer = document(operations())["paths"]
    made: list[Route] = [route for group in GROUPS for route in group(world.service).routes()]
    methods: dict[str, set[str]] = {}
    for route in made:
        methods.setdefault(route.path.replace(":path}", "}"), set()).update(
            m.lower() for m in route.methods or () if m != "HEAD"
        )
    assert {path: set(each) for path, each in answer.items()} == methods
    package = Path(__file__).parents[4] / "collector/campus_collector/http"
    source = "".join((package / name).read_text() for name in ("api/results.py", "auth/agents.py"))
    raised = set(re.findall(r"HttpProblem\((\d{3})", source)) | {"400", "422"}
    assert raised <= set(answer["/v1/results"]["post"]["responses"])
    assert world.get("/openapi.json").json == json.loads(json.dumps(document(operations())))


def test_every_json_answer_and_body_has_a_schema_of_its_own() -> None:
    answer = document(operations())
    for path, verbs in answer["paths"].items():
        for operation in verbs.values():
            contents = [operation["responses"].get(status, {}).get("content", {}) for status in ("200", "201")]
            contents.append(operation.get("requestBody", {}).get("content", {}))
            for content in contents:
                schema = content.get("application/json", {}).get("schema")
                if schema is not None and path not in ("/openapi.json", "/help/{path}"):
                    assert schema["$ref"].rpartition("/")[2] in answer["components"]["schemas"], path


def test_every_answer_carries_security_headers(world: World) -> None:
    for path in ("/", "/metrics", "/v1/schools", "/nowhere"):
        headers = world.get(path).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in headers["content-security-policy"]
