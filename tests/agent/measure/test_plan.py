"""What a gateway says of itself beside its results."""

from pathlib import Path

import msgspec
import pytest

from campus_agent.config.model import Endpoint
from campus_agent.measure.plan import endpoints_of, free_bytes
from campus_wire.records import AgentState
from tests.agent.measure.runs import CONFIG


def test_classrooms_are_named_by_what_answers_there() -> None:
    rooms = tuple(
        Endpoint(id, id, "192.0.2.1", 5301, engine, 100_000_000)
        for id, engine in (("a", "campus"), ("b", "iperf3"), ("c", "campus"))
    )
    assert endpoints_of(msgspec.structs.replace(CONFIG, classrooms=rooms)) == {"campus": ["a", "c"], "iperf3": ["b"]}
    assert endpoints_of(msgspec.structs.replace(CONFIG, classrooms=())) == {}


def test_free_space_is_that_of_the_folder(tmp_path: Path) -> None:
    assert (free_bytes(tmp_path) or 0) > 0
    assert free_bytes(tmp_path / "none") is None


@pytest.mark.parametrize(
    "endpoints",
    [{"Campus": []}, {"a" * 21: []}, {"campus": ["../x"]}, {"campus": ["c1"] * 1001}, {f"k{n}": [] for n in range(9)}],
)
def test_a_collector_bounds_what_is_said(endpoints: dict[str, list[str]]) -> None:
    body = msgspec.json.encode({"version": "0.2.1", "endpoints": endpoints})
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(body, type=AgentState)
