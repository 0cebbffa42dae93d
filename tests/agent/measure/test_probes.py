"""The list of probes: a new kind is one file and one line; and whatever goes wrong in a run is a result."""

import asyncio
import json
import shutil
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import campus_agent
from campus_agent.measure.probe import Finding, Probe, ProbeFailed, Run
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import Runner
from campus_agent.spool.spool import open_spool
from campus_wire.codec import decode_result, encode_result
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import KINDS, DeviceRecord, ServiceRecord
from tests.agent.measure.runs import CONFIG, run, stamp
from tests.flow.programs import ENVIRONMENT, logged, python, until

NEW_PROBE = '''
"""How long does the system take to give the gateway's own name?"""

import socket
from time import monotonic

from campus_agent.measure.probe import Finding, Probe
from campus_agent.schedule.jobs import Job
from campus_wire.records import ServiceRecord


async def measure(settings, run):
    began = monotonic()
    socket.gethostname()
    return [Finding(ServiceRecord(url=settings, success=True, total_seconds=monotonic() - began))]


PROBE = Probe(
    name="own-name",
    kind="service",
    jobs=lambda config: [Job("own-name", "own-name", 60.0)],
    settings=lambda config, subject, max_bytes: f"name:{config.school}",
    measure=measure,
    deadline_seconds=lambda settings: 5.0,
)
'''


def test_a_new_kind_is_one_file_and_one_line(tmp_path: Path) -> None:
    """In a copy of the tree; the program that a gateway runs measures by it and spools its result."""
    tree = tmp_path / "tree"
    for name in ("campus_agent", "campus_base", "campus_wire"):
        shutil.copytree(Path(campus_agent.__file__).parents[1] / name, tree / name)
    probes = tree / "campus_agent" / "measure" / "probes"
    (probes / "own_name.py").write_text(NEW_PROBE)
    listed = (probes / "__init__.py").read_text()
    (probes / "__init__.py").write_text(listed.replace('    "host",\n', '    "host",\n    "own_name",\n'))
    config = tmp_path / "agent.toml"
    config.write_text('[agent]\nschool = "s001"\nstate_dir = "state"\n[cycle]\nnetwork_seconds = 0\n')
    log = tmp_path / "log"
    environment = ENVIRONMENT | {"PYTHONPATH": str(tree)}
    with log.open("wb") as out:
        command = python("campus_agent", "run", "--config", str(config))
        process = subprocess.Popen(command, env=environment, stdout=out, stderr=out, cwd=tree)
    try:
        until(lambda: [line for line in logged(log, "measured") if line["subject"] == "own-name"], 60, "measured")
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    with open_spool(tmp_path / "state") as spool:
        results = [json.loads(entry.body) for entry in spool.peek(100, 10**6)]
    (result,) = [result for result in results if result["subject"] == "own-name"]
    assert (result["kind"], result["school"], result["validity"]) == ("service", "s001", "ok")
    assert result["record"]["url"] == "name:s001"


def test_the_list_is_true() -> None:
    for name, probe in PROBES.items():
        assert probe.name == name
        assert probe.kind in KINDS
        assert not probe.preceded_by or probe.preceded_by in PROBES
    assert {probe.kind for probe in PROBES.values()} == set(KINDS) - {"room", "interruption"}, (
        "rooms are concluded from their devices, interruptions from the lesson stream"
    )


def raises(error: Exception) -> Callable[..., Any]:
    def broken(*_: Any) -> Any:
        raise error

    return broken


async def hangs(settings: None, run: Run) -> list[Finding[ServiceRecord]]:
    run.spent_bytes["down"] = 1000
    await asyncio.sleep(60)
    return []


def probe(**more: Any) -> Probe[None]:
    values: dict[str, Any] = {
        "name": "odd",
        "kind": "service",
        "settings": lambda *_: None,
        "measure": hangs,
        "deadline_seconds": lambda _: 0.05,
    }
    return Probe(**values | more)


@pytest.mark.parametrize(
    ("changes", "operation", "kind", "detail"),
    [
        ({}, Operation.UNKNOWN, FailureKind.TIMEOUT, "not finished within 0 s"),
        ({"measure": raises(OSError(24, "Too many open files"))}, Operation.UNKNOWN, FailureKind.UNKNOWN, "Too many"),
        ({"measure": raises(KeyError("x"))}, Operation.UNKNOWN, FailureKind.UNKNOWN, "internal error: KeyError: 'x'"),
        ({"settings": raises(OSError(24, "Too many open files"))}, Operation.PREPARE, FailureKind.UNKNOWN, "Too many"),
        ({"deadline_seconds": raises(ZeroDivisionError())}, Operation.PREPARE, FailureKind.UNKNOWN, "ZeroDivision"),
        (
            {"measure": raises(ProbeFailed(Operation.TRANSFER, FailureKind.WORKER_DIED, "exit -9"))},
            *(Operation.TRANSFER, FailureKind.WORKER_DIED, "exit -9"),
        ),
    ],
)
def test_whatever_goes_wrong_is_a_result(
    changes: dict[str, Any], operation: Operation, kind: FailureKind, detail: str
) -> None:
    spent: list[int] = []
    (result,) = asyncio.run(Runner(CONFIG, stamp).run(probe(**changes), "web", charge=spent.append))
    assert (result.subject, result.school, result.validity) == ("web", "s001", Validity.NOT_MEASURED)
    assert result.failure is not None
    assert (result.failure.operation, result.failure.kind) == (operation, kind)
    assert detail in result.failure.detail
    assert spent == [0 if changes else 1000]


def test_a_run_may_have_findings_of_several_subjects_and_kinds() -> None:
    async def measure(settings: None, run: Run) -> list[Finding[Any]]:
        return [Finding(subject="a", validity=Validity.INCONCLUSIVE, seconds=3.0), Finding(kind="room", subject="r1")]

    first, second = asyncio.run(Runner(CONFIG, stamp).run(probe(measure=measure), "all"))
    assert (type(first).__name__, first.subject, first.duration_seconds) == ("ServiceResult", "a", 3.0)
    assert (type(second).__name__, second.subject) == ("RoomResult", "r1")


def test_a_skip_is_a_result_of_each_subject_that_would_have_had_one() -> None:
    several = msgspec.structs.replace(
        probe(), unmeasured=lambda config, subject: [Finding(subject="a"), Finding(subject="b")]
    )
    reason = Finding[Any](
        None, Validity.NOT_MEASURED, Failure(Operation.PREPARE, FailureKind.BUSY), "why", SkipReason.LESSON
    )
    results = Runner(CONFIG, stamp).not_measured(several, "all", reason)
    assert [result.subject for result in results] == ["a", "b"]
    assert {(result.skipped, result.validity, result.detail, result.record) for result in results} == {
        (SkipReason.LESSON, Validity.NOT_MEASURED, "why", None)
    }


@pytest.mark.parametrize(
    "words",
    [{"model": "x" * 5000}, {f"reading{n}": "x" for n in range(40)}, {"firmware": "\ud800"}],
    ids=["long", "many", "surrogate"],
)
def test_a_record_that_breaks_the_bounds_of_the_wire_is_a_result_that_says_so(words: dict[str, str]) -> None:
    async def measure(*_: object) -> list[Finding[DeviceRecord]]:
        return [Finding(DeviceRecord(room="r1", profile="switch-generic", up=True, words=words), kind="device")]

    probe = msgspec.structs.replace(PROBES["devices"], measure=measure, deadline_seconds=lambda _: 10.0)
    result = run(probe, None, "rec-1")
    assert result.record is None
    assert result.validity is Validity.NOT_MEASURED
    assert result.failure is not None
    assert "cannot be sent" in result.failure.detail
    assert decode_result(encode_result(result)) == result
