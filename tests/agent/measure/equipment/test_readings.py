"""From answers to readings: what makes no sense is a failed reading, never a crash and never a figure."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.equipment.profile import HttpReading, Limit, find_profile
from campus_agent.measure.equipment.readings import Nonsense, Readings, date_and_time, read_json, read_snmp, remarks

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
HOST = find_profile("host-resources")
UPS = find_profile("ups-generic")
UPTIME, DATE, LOAD, DESCRIPTION = (
    "1.3.6.1.2.1.25.1.1.0",
    "1.3.6.1.2.1.25.1.2.0",
    "1.3.6.1.2.1.25.3.3.1.2",
    "1.3.6.1.2.1.1.1.0",
)
TYPE, UNIT, SIZE, USED = (f"1.3.6.1.2.1.25.2.3.1.{n}" for n in (2, 4, 5, 6))
DISK, MEMORY = "1.3.6.1.2.1.25.2.1.4", "1.3.6.1.2.1.25.2.1.2"
COLUMNS: dict[str, dict[str, Any]] = {
    LOAD: {"1": 10, "2": 30},
    TYPE: {"1": MEMORY, "31": DISK, "32": DISK},
    UNIT: {"1": 1024, "31": 4096, "32": 4096},
    SIZE: {"1": 1000, "31": 1_000_000, "32": 500_000},
    USED: {"1": 999, "31": 100_000, "32": 495_000},
}


def snmp(profile: Any, objects: dict[str, Any], columns: dict[str, dict[str, Any]]) -> Readings:
    readings = Readings()
    read_snmp(profile.snmp, objects, columns, NOW, readings)
    return readings


def test_a_healthy_recorder_with_a_full_disk() -> None:
    date = b"\x07\xea\x0b\x18\x10\x00\x05\x00+\x08\x00"  # 2026-11-24 16:00:05 +08:00
    actual = snmp(HOST, {UPTIME: 360_000, DATE: date, DESCRIPTION: b"Recorder 7.1"}, COLUMNS)
    assert actual.numbers == {
        "uptime_seconds": 3600.0,
        "clock_offset_seconds": 5.0,
        "load_ratio": pytest.approx(0.2),
        "storage_free_ratio": pytest.approx(0.01),
        "storage_total_bytes": 1_500_000 * 4096.0,
    }
    assert actual.words == {"firmware": "Recorder 7.1"}
    assert actual.failed == {}
    assert remarks(HOST.limits, actual) == ["storage_free_ratio 0.01"]


def test_nonsense_is_a_failed_reading() -> None:
    columns = COLUMNS | {LOAD: {"1": 900}, SIZE: {"31": b"big"}}
    actual = snmp(HOST, {UPTIME: b"long ago", DATE: b"\x07", DESCRIPTION: None}, columns)
    assert actual.numbers == {}
    assert set(actual.failed) == {
        "uptime_seconds", "clock_offset_seconds", "load_ratio", "storage_free_ratio", "storage_total_bytes", "firmware",
    }  # fmt: skip
    assert "9 is no load_ratio" in actual.failed["load_ratio"].detail
    assert (
        "HOST-RESOURCES-MIB::hrSystemDate.0: a DateAndTime of 1 octets" in actual.failed["clock_offset_seconds"].detail
    )


def test_a_disk_of_more_than_8_tb_comes_as_a_negative_size() -> None:
    columns = COLUMNS | {TYPE: {"31": DISK}, SIZE: {"31": -(2**31)}, USED: {"31": 2**30}}
    assert snmp(HOST, {}, columns).numbers["storage_free_ratio"] == 0.5


@pytest.mark.parametrize(("source", "expected"), [(5, 1.0), (3, 0.0), (9, None)])
def test_states_have_numbers(source: int, expected: float | None) -> None:
    actual = snmp(UPS, {"1.3.6.1.2.1.33.1.4.1.0": source}, {})
    assert actual.numbers.get("on_battery") == expected
    assert ("on_battery" in actual.failed) is (expected is None)


@pytest.mark.parametrize("offset", [b"+\x19\x00", b"-\xf8\x00", b"+\x08\x3c"])
def test_a_zone_that_is_nowhere_makes_no_clock_offset(offset: bytes) -> None:
    with pytest.raises(Nonsense, match="h from UTC"):
        date_and_time(bytes([7, 234, 11, 28, 22, 0, 0, 0]) + offset, UTC)


@given(st.binary(max_size=16))
def test_any_octets_as_a_date(octets: bytes) -> None:
    try:
        assert date_and_time(octets, UTC).tzinfo is not None
    except Nonsense:
        pass


values = st.none() | st.integers() | st.binary(max_size=30) | st.text(max_size=10)


@given(st.dictionaries(st.sampled_from([UPTIME, DATE, DESCRIPTION]), values), st.dictionaries(
    st.sampled_from([LOAD, TYPE, UNIT, SIZE, USED]), st.dictionaries(st.sampled_from(["1", "2"]), values.filter(lambda v: v is not None)))
)  # fmt: skip
def test_every_reading_is_had_or_failed_whatever_comes(
    objects: dict[str, Any], columns: dict[str, dict[str, Any]]
) -> None:
    actual = snmp(HOST, objects, columns)
    for each in HOST.snmp:
        had = each.reading in actual.numbers or each.reading in actual.words
        assert had != (each.reading in actual.failed)


WANTED = (
    HttpReading("storage_free_ratio", "disk.free", 0.01),
    HttpReading("recording", "state.rec", map=(("on", 1.0), ("off", 0.0), ("true", 1.0))),
    HttpReading("firmware", "versions.0"),
)


@pytest.mark.parametrize(
    ("body", "numbers", "words"),
    [
        ({"disk": {"free": 40}, "state": {"rec": "on"}, "versions": ["1.2"]}, {"storage_free_ratio": 0.4, "recording": 1.0}, {"firmware": "1.2"}),
        ({"disk": {"free": "40"}, "state": {"rec": True}, "versions": []}, {"recording": 1.0}, {}),
        ([], {}, {}),
        ("text", {}, {}),
        ({"disk": {"free": 4000}, "state": {"rec": "maybe"}, "versions": {"0": "x"}}, {}, {"firmware": "x"}),
    ],
)  # fmt: skip
def test_json_readings(body: Any, numbers: dict[str, float], words: dict[str, str]) -> None:
    found = Readings()
    read_json(WANTED, body, found)
    assert (found.numbers, found.words) == (numbers, words)
    assert set(found.failed) == {each.reading for each in WANTED} - set(numbers) - set(words)


def test_limits() -> None:
    readings = Readings(numbers={"load_ratio": 0.95, "stream_up": 0.0, "recording": 1.0})
    limits = (
        Limit("load_ratio", None, 0.9),
        Limit("stream_up", 1, None),
        Limit("recording", 1, 1),
        Limit("on_battery", None, 0),
    )
    assert remarks(limits, readings) == ["load_ratio 0.95", "stream_up 0"]
