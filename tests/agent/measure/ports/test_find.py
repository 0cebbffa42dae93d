"""Which port is a classroom's? Neighbours, forwarding tables, and lines between switches."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.ports.find import Tables, address_in, address_of, by_address, by_name, neighbours_of_gateway
from campus_agent.measure.ports.reading import PortLocation

MAC = "02:00:0a:00:01:02"
NAMES = {1: ("Gi0/1", "Port 1"), 2: ("Gi0/2", "Port 2"), 24: ("Gi0/24", "Uplink")}
BRIDGE = {1: 1, 2: 2, 24: 24}


def others(number: int, port: int) -> list[tuple[str, int]]:
    return [(f"02:00:00:00:00:{each:02x}", port) for each in range(number)]


def test_by_the_forwarding_table() -> None:
    tables = Tables(NAMES, BRIDGE, [(MAC, 2), *others(2, 2)])
    assert by_address({"sw": tables}, MAC) == PortLocation("sw", 2, "forwarding_table", MAC)


def test_a_line_between_switches_is_no_classroom_s_port() -> None:
    core = Tables(NAMES, BRIDGE, [(MAC, 24), *others(30, 24)])
    assert by_address({"core": core}, MAC) is None
    floor = Tables(NAMES, BRIDGE, [(MAC, 1)])
    assert by_address({"core": core, "floor": floor}, MAC) == PortLocation("floor", 1, "forwarding_table", MAC)


def test_the_nearest_switch_wins() -> None:
    core = Tables(NAMES, BRIDGE, [(MAC, 24), *others(2, 24)])
    floor = Tables(NAMES, BRIDGE, [(MAC, 1)])
    actual = by_address({"core": core, "floor": floor}, MAC)
    assert actual is not None
    assert actual.switch == "floor"


def test_an_address_in_two_vlans_counts_once() -> None:
    tables = Tables(NAMES, BRIDGE, [(MAC, 2)] * 6)
    assert by_address({"sw": tables}, MAC) == PortLocation("sw", 2, "forwarding_table", MAC)


def test_a_neighbour_that_was_heard_comes_first() -> None:
    tables = Tables(NAMES, BRIDGE, [(MAC, 2)], [(MAC, 7)], {7: "Gi0/1"})
    assert by_address({"sw": tables}, MAC) == PortLocation("sw", 1, "lldp", MAC)
    unnamed = Tables(NAMES, BRIDGE, [], [(MAC, 2)])
    assert by_address({"sw": unnamed}, MAC) == PortLocation("sw", 2, "lldp", MAC)


def test_heard_on_two_ports_is_heard_on_none() -> None:
    tables = Tables(NAMES, BRIDGE, [(MAC, 2)], [(MAC, 1), (MAC, 24)])
    assert by_address({"sw": tables}, MAC) == PortLocation("sw", 2, "forwarding_table", MAC)


@pytest.mark.parametrize(
    ("name", "index"), [("Gi0/2", 2), ("gi0/2", 2), ("Port 2", 2), ("24", 24), ("25", None), ("x", None)]
)
def test_by_the_inventory_s_name(name: str, index: int | None) -> None:
    assert by_name(Tables(NAMES), name) == index


def test_addresses() -> None:
    assert address_in("7.2.0.10.0.1.2") == MAC
    assert address_in("2.0.10.0.1.2") == MAC
    assert address_in("1.2.3") == ""
    assert address_in("1.2.3.4.5.999") == ""
    assert address_of(bytes((2, 0, 10, 0, 1, 2))) == MAC
    assert address_of(b"02-00-0A-00-01-02") == MAC
    assert address_of(b"eth0") == ""


def test_the_gateway_s_neighbours() -> None:
    text = (
        "IP address       HW type     Flags       HW address            Mask     Device\n"
        "10.0.1.2         0x1         0x2         02:00:0A:00:01:02     *        eth0\n"
        "10.0.1.3         0x1         0x0         00:00:00:00:00:00     *        eth0\n"
    )
    assert neighbours_of_gateway(text) == {"10.0.1.2": MAC}
    assert neighbours_of_gateway("") == {}


@given(st.text(max_size=200))
def test_no_text_breaks_the_readers(text: str) -> None:
    neighbours_of_gateway(text)
    address_in(text)
    address_of(text.encode())
