"""The text of `snmpwalk -On`: its forms, and whatever else is in a file that came by mail."""

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from campus_agent.measure.equipment.identify.walk import MAX_OBJECTS, parse_walk
from campus_agent.measure.equipment.profile import OID_PATTERN
from campus_agent.measure.equipment.readings import Value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('STRING: "V5.5.3 build 171025"', b"V5.5.3 build 171025"),
        ("STRING: Linux nvr 4.9", b"Linux nvr 4.9"),
        ('"unnamed"', b"unnamed"),
        ('"\udcff\udcfe"', b"\xff\xfe"),
        ('""', b""),
        ("INTEGER: up(1)", 1),
        ("INTEGER: 4096 Bytes", 4096),
        ("INTEGER: -5", -5),
        ("Gauge32: 97", 97),
        ("Counter64: 18446744073709551615", 2**64 - 1),
        ("Timeticks: (123456) 0:20:34.56", 123456),
        ("OID: .1.3.6.1.2.1.25.2.1.4", "1.3.6.1.2.1.25.2.1.4"),
        ("OID: iso.3.6.1", "1.3.6.1"),
        ("IpAddress: 10.0.1.50", bytes((10, 0, 1, 50))),
        ("Hex-STRING: 07 EA 0B 1D 06 00 00 00 \n2B 08 00 ", bytes.fromhex("07ea0b1d060000002b0800")),
        ("STRING: 2026-11-29,6:0:0.0,+8:0", bytes.fromhex("07ea0b1d060000002b0800")),
        ('STRING: "two\nlines"', b"two\nlines"),
        ("Wrong Type (should be INTEGER): Gauge32: 3", 3),
    ],
)
@pytest.mark.parametrize("begin", [".1.3.6.1.4.1.9.1.0", "iso.3.6.1.4.1.9.1.0", "1.3.6.1.4.1.9.1.0"])
def test_a_value(begin: str, text: str, value: Value) -> None:
    walk = parse_walk(f"{begin} = {text}\n.1.3.6.1.2.1.1.3.0 = Timeticks: (1) 0:00:00.01\r\n")
    assert walk.objects == {"1.3.6.1.4.1.9.1.0": value, "1.3.6.1.2.1.1.3.0": 1}
    assert walk.unread == ()


def test_what_is_not_there_is_no_object_and_what_is_not_understood_is_named_by_its_line() -> None:
    walk = parse_walk(
        "# from the maker\n\n.1.3.6.1.4.1.9.1.0 = No Such Object available on this agent at this OID\n"
        ".1.3.6.1.4.1.9.2.0 = INTEGER: many\nsysDescr.0 = STRING: x\n.1.3.6.1.4.1.9.3.0 = Opaque: Float: 2.5\n"
    )
    assert walk.objects == {}
    assert walk.unread[0] == 4


def test_a_walk_without_end_is_cut() -> None:
    walk = parse_walk("\n".join(f".1.3.6.1.4.1.9.{n} = INTEGER: 1" for n in range(MAX_OBJECTS + 5)))
    assert (len(walk.objects), walk.cut) == (MAX_OBJECTS, True)


@settings(max_examples=150, deadline=None)
@given(st.text(alphabet=st.sampled_from('.0123456789 =:"()\n\riso-STRINGHex,A\u0663\ud800'), max_size=300))
@example(".1.3.6 = INTEGER: (" * 40)
@example(".1.3.6.1 = STRING: 99999-99-99,99:99:99.9,+99:99")
@example(".1.3.6.1 = IpAddress: 1.2.3.٤")
def test_any_text_is_read_to_its_end(text: str) -> None:
    walk = parse_walk(text)
    assert all(re.fullmatch(OID_PATTERN, oid) for oid in walk.objects)
    assert all(isinstance(value, int | bytes | str) for value in walk.objects.values())


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.integers(1, 10**6), st.binary(max_size=40) | st.integers(-(2**31), 2**31), max_size=12))
def test_what_is_written_is_read(values: dict[int, bytes | int]) -> None:
    lines = [
        f".1.3.6.1.4.1.9.{number} = "
        + (f"INTEGER: {value}" if isinstance(value, int) else f"Hex-STRING: {value.hex(' ').upper()} ")
        for number, value in values.items()
    ]
    assert parse_walk("\n".join(lines)).objects == {
        f"1.3.6.1.4.1.9.{number}": value for number, value in values.items()
    }
