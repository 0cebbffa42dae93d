"""Recorders by their published walks, and SNMP agents whose messages are right and whose answers are not."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from campus_agent.measure.equipment.snmp import MAX_ROWS
from campus_agent.measure.equipment.task import DeviceSeen, DeviceSpec
from campus_wire.failures import FailureKind
from tests.agent.measure.equipment.peers import snmpd, udp_server
from tests.agent.measure.equipment.test_poll import polled, v2c
from tests.fakes.snmp_agent import Answer, Oid, agent, identifier, number, objects, text, ticks

# LibreNMS's published walks hikvision-nvr, hikvision-cam and dahua-nvr, as far as the profiles ask.
HIKVISION_RECORDER = {
    "1.3.6.1.2.1.1.1.0": text("Hikvision company products"),
    "1.3.6.1.2.1.1.3.0": ticks(85447143),
    "1.3.6.1.4.1.50001.1.100.0": number(2),
    "1.3.6.1.4.1.50001.1.241.1.4.1.0": number(2715648),
    "1.3.6.1.4.1.50001.1.241.1.5.1.0": number(3815447),
}
HIKVISION_CAMERA = {
    "1.3.6.1.2.1.1.3.0": ticks(100),
    "1.3.6.1.4.1.39165.1.1.0": text("DS-2CD2185FWD-I"),
    "1.3.6.1.4.1.39165.1.3.0": text("V5.5.3 build 171025"),
    "1.3.6.1.4.1.39165.1.7.0": text("15 PERCENT"),
    "1.3.6.1.4.1.39165.1.8.0": text("0.0 GB"),
    "1.3.6.1.4.1.39165.1.9.0": text("0 PERCENT"),
}
DAHUA_RECORDER = {
    "1.3.6.1.2.1.1.1.0": text("DH-NVR4108HS-8P-4KS2"),
    "1.3.6.1.2.1.1.3.0": ticks(24641813),
    "1.3.6.1.4.1.1004849.2.1.1.1.0": text("3.212.0000.1"),
    "1.3.6.1.4.1.1004849.2.1.2.8.0": number(1),
    "1.3.6.1.4.1.1004849.2.1.3.0": number(6),
}


def seen(folder: Path, profile: str, answer: Answer) -> DeviceSeen:
    with udp_server(agent(answer)) as port:
        (device,) = polled(DeviceSpec("x", "127.0.0.1", profile, v2c(folder, port)))
    return device


@pytest.mark.parametrize(
    ("walk", "profile", "readings", "words"),
    [
        (HIKVISION_RECORDER, "recorder-hikvision-like",
         {"uptime_seconds": 854471.43, "storage_free_ratio": 2715648 / 3815447, "storage_total_bytes": 3815447 * 2**20},
         {"firmware": "Hikvision company products"}),
        (HIKVISION_CAMERA, "recorder-hikvision-like", {"uptime_seconds": 1.0, "load_ratio": 0.15}, {"firmware": "V5.5.3 build 171025"}),
        (DAHUA_RECORDER, "recorder-dahua-like", {"uptime_seconds": 246418.13, "load_ratio": 0.06}, {"firmware": "3.212.0000.1"}),
    ],
    ids=["Hikvision recorder", "Hikvision camera", "Dahua recorder"],
)  # fmt: skip
def test_a_published_walk_of(
    tmp_path: Path, walk: dict[str, object], profile: str, readings: dict[str, float], words: dict[str, str]
) -> None:
    device = seen(tmp_path, profile, objects(walk))
    assert device.up
    assert device.readings == {name: pytest.approx(value) for name, value in readings.items()}
    assert device.words == words
    assert device.failed == {}, "what a model has not is no failure"


def test_a_text_that_is_no_number_is_a_failed_reading(tmp_path: Path) -> None:
    for odd in ("PERCENT 15", "", "1.2.3 PERCENT", "900 PERCENT"):
        device = seen(
            tmp_path, "recorder-hikvision-like", objects(HIKVISION_CAMERA | {"1.3.6.1.4.1.39165.1.7.0": text(odd)})
        )
        assert device.failed["load_ratio"].kind is FailureKind.PROTOCOL_ERROR, odd
        assert "load_ratio" not in device.readings


HOST = {"1.3.6.1.2.1.25.1.1.0": ticks(100), "1.3.6.1.2.1.1.1.0": text("Host")}
STORAGE: Oid = (1, 3, 6, 1, 2, 1, 25, 2, 3, 1)


def lying(walk: Callable[[Oid, int], list[tuple[Oid, object]]]) -> Answer:
    """Honest about single objects; tables as the test says, for each column asked and each row."""

    def answer(kind: str, names: list[Oid], rows: int) -> list[tuple[Oid, object]]:
        if kind == "get":
            return objects(HOST)(kind, names, rows)
        return [binding for row in range(rows) for name in names for binding in walk(name, row)]

    return answer


def again(name: Oid, row: int) -> list[tuple[Oid, object]]:
    return [((*name, 1) if len(name) < 13 else name, number(1))]


def backwards(name: Oid, row: int) -> list[tuple[Oid, object]]:
    return [((*name[:12], 1_000 - row), number(1))]


def for_ever(name: Oid, row: int) -> list[tuple[Oid, object]]:
    column = name[: 12 if name[7] == 3 else 11]
    start = name[len(column)] if len(name) > len(column) else 0
    return [((*column, start + row + 1), number(1))]


def nothing(name: Oid, row: int) -> list[tuple[Oid, object]]:
    return []


@pytest.mark.parametrize("walk", [again, backwards, for_ever], ids=lambda walk: walk.__name__)
def test_a_walk_that_never_ends_ends(tmp_path: Path, walk: Callable[[Oid, int], list[tuple[Oid, object]]]) -> None:
    """Identifiers that stay, that fall, and that rise for ever: bounded by rows and by time."""
    began = time.monotonic()
    device = seen(tmp_path, "host-resources", lying(walk))
    assert time.monotonic() - began < 60
    assert device.up
    assert device.readings["uptime_seconds"] == 1.0
    assert device.words["firmware"] == "Host"
    for reading in ("load_ratio", "storage_free_ratio", "storage_total_bytes"):
        failure = device.failed[reading]
        if walk is for_ever and failure.kind is FailureKind.TIMEOUT:  # a busy machine comes to the time's bound first
            assert "not read within" in failure.detail
            continue
        assert failure.kind is FailureKind.PROTOCOL_ERROR
        assert (f"more than {MAX_ROWS} rows" if walk is for_ever else "that does not go on") in failure.detail


def test_empty_answers_are_failed_readings(tmp_path: Path) -> None:
    device = seen(tmp_path, "host-resources", lying(nothing))
    assert device.up
    assert device.failed["load_ratio"].kind is FailureKind.PROTOCOL_ERROR
    assert device.readings["uptime_seconds"] == 1.0


def test_one_endless_column_costs_only_what_needs_it(tmp_path: Path) -> None:
    """The processors' column turns in a circle; the disks beside it in the same answers are read."""
    disk = {
        2: identifier("1.3.6.1.2.1.25.2.1.4"),
        3: text("/"),
        4: number(4096),
        5: number(1_000_000),
        6: number(250_000),
    }

    def walk(name: Oid, row: int) -> list[tuple[Oid, object]]:
        if name[:10] != STORAGE:
            return again(name, row)
        if row or len(name) > 11:
            return [((2, 1), number(0))]
        return [((*name, 1), disk[name[10]])]

    device = seen(tmp_path, "host-resources", lying(walk))
    assert device.readings["storage_free_ratio"] == 0.75
    assert device.readings["storage_total_bytes"] == 4096 * 1_000_000
    assert device.failed["load_ratio"].kind is FailureKind.PROTOCOL_ERROR


@pytest.mark.parametrize("share", [0.1, 0.6, 0.98])
@pytest.mark.parametrize("padding", [b"", b"\xff"], ids=["cut", "cut and padded"])
def test_messages_that_are_cut_never_hold_up_a_healthy_agent(tmp_path: Path, share: float, padding: bytes) -> None:
    honest = agent(objects(HIKVISION_RECORDER))

    def cut(data: bytes) -> bytes:
        whole = honest(data)
        kept = int(len(whole) * share)
        return whole[:kept] + padding * (len(whole) - kept)

    began = time.monotonic()
    with snmpd(tmp_path) as good, udp_server(cut) as bad:
        broken, healthy = polled(
            DeviceSpec("bad", "127.0.0.1", "recorder-hikvision-like", v2c(tmp_path, bad)),
            DeviceSpec("good", "127.0.0.1", "switch-generic", v2c(tmp_path, good)),
        )
    assert time.monotonic() - began < 60
    assert healthy.up
    assert healthy.failed == {}
    assert "storage_free_ratio" not in broken.readings
