"""A room is up when every required device of it is; what our own side broke says nothing of the equipment."""

import asyncio

import pytest

from campus_agent.config.model import Device
from campus_agent.measure.equipment.task import DeviceSeen
from campus_agent.measure.probes import devices as probe
from campus_wire.failures import Failure, FailureKind, Operation, Validity

GONE = Failure(Operation.READ, FailureKind.TIMEOUT)
NO_SECRET = Failure(Operation.PREPARE, FailureKind.PERMISSION_DENIED)


def device(name: str, room: str = "r1", required: bool = True) -> Device:
    return Device(name, name, room, "web-http", "127.0.0.1", required, {}, {})


@pytest.mark.parametrize(
    ("seen", "up", "down", "validity"),
    [
        ({"a": None, "b": None, "c": None}, True, [], Validity.OK),
        ({"a": None, "b": GONE, "c": None}, False, ["b"], Validity.OK),
        ({"a": None, "b": None, "c": GONE}, True, [], Validity.OK),  # c is not required
        ({"a": None, "b": NO_SECRET, "c": None}, None, [], Validity.NOT_MEASURED),
        ({"a": GONE, "b": NO_SECRET, "c": None}, False, ["a"], Validity.OK),
    ],
)
def test_a_room(seen: dict[str, Failure | None], up: bool | None, down: list[str], validity: Validity) -> None:
    devices = [device("a"), device("b"), device("c", required=False), device("z", room="r2")]
    answers = [DeviceSeen(name, up=why is None, failure=why) for name, why in seen.items()] + [DeviceSeen("z", up=True)]
    findings = [probe.device_finding(*pair) for pair in zip(devices, answers, strict=True)]
    first, second = probe.room_findings(devices, findings)
    assert (first.subject, first.validity) == ("r1", validity)
    assert (first.record.up if first.record else None) is up
    assert (first.record.down if first.record else []) == down
    assert second.record is not None
    assert second.record.up


def test_a_round_through_the_worker() -> None:
    (seen,) = asyncio.run(probe.poll([device("a")], None))
    assert not seen.up
    assert seen.failure is not None
    assert seen.failure.kind is FailureKind.CONNECTION_REFUSED


def test_a_worker_that_hangs_costs_one_round(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(probe, "START_SECONDS", 0.01 - probe.DEVICE_SECONDS)
    (seen,) = asyncio.run(probe.poll([device("a")], None))
    finding = probe.device_finding(device("a"), seen)
    assert (finding.validity, finding.record) == (Validity.NOT_MEASURED, None)
    assert finding.failure is not None
    assert finding.failure.kind is FailureKind.WORKER_DIED
