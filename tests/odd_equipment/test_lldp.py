"""LLDP as switches send it, and what their LLDP tables mean: which port, or none rather than a wrong one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.discover.frames import Announced, announced
from campus_agent.measure.ports.find import ALIAS, HARDWARE_ADDRESS, INTERFACE_NAME, LOCAL, Tables, by_address, by_name
from campus_agent.measure.ports.speed import speed_of

MAC = "00:11:22:33:44:55"
HEAD = bytes.fromhex("0180c200000e 00e0fc001122")


def part(kind: int, value: bytes) -> bytes:
    return (kind << 9 | len(value)).to_bytes(2) + value


CHASSIS, PORT, LIFE = part(1, b"\x04" + HEAD[6:]), part(2, b"\x05GE1/0/3"), part(3, b"\x00\x78")
NAME, END = part(5, "教学楼-1".encode()), b"\0\0"
MANAGED = part(8, b"\x05\x01\x0a\x00\x01\xfe\x02\x00\x00\x00\x01\x00")
WHOLE = Announced("00:e0:fc:00:11:22", "教学楼-1", "GE1/0/3", "10.0.1.254")


@pytest.mark.parametrize(
    ("frame", "said"),
    [
        (b"\x88\xcc" + CHASSIS + PORT + LIFE + NAME + MANAGED + END, WHOLE),
        (b"\x88\xcc" + PORT + CHASSIS + LIFE + MANAGED + NAME + END, WHOLE),
        (b"\x81\x00\x00\x01\x88\xcc" + CHASSIS + PORT + LIFE + NAME + MANAGED + END, WHOLE),
        (b"\x88\xa8\x00\x01\x81\x00\x00\x02\x88\xcc" + CHASSIS + PORT + NAME + MANAGED, WHOLE),
        (b"\x88\xcc" + CHASSIS + part(2, b"\x03" + HEAD[6:]), Announced(WHOLE.mac, "", "00:e0:fc:00:11:22", "")),
        (b"\x88\xcc" + CHASSIS + part(5, "教学楼".encode("gbk")) + b"\xff\xff", Announced(WHOLE.mac, "教学楼", "", "")),
        (b"\x88\xcc" + END, None),
        (b"\x08\x00" + CHASSIS + PORT, None),
        (b"", None),
    ],
)
def test_what_a_frame_says(frame: bytes, said: Announced | None) -> None:
    assert announced(HEAD + frame) == said


@given(st.binary(max_size=120))
def test_no_frame_breaks_the_reader(octets: bytes) -> None:
    for frame in (octets, HEAD + b"\x88\xcc" + octets, HEAD + b"\x81\x00\x00\x01\x88\xcc" + octets):
        announced(frame)


VLAN_AND_PORT = {3: ("Vlanif3", "Vlanif3"), 19: ("GigabitEthernet1/0/3", "GigabitEthernet1/0/3")}
PLAIN = {3: ("GE3", "Port 3"), 4: ("GE4", "Port 4")}


@pytest.mark.parametrize(
    ("tables", "right"),
    [
        (Tables(PLAIN, {3: 3}, neighbours=[(MAC, 3)]), 3),
        (Tables(PLAIN, {}, neighbours=[(MAC, 3)]), None),  # nothing tells whose number it is
        (Tables(VLAN_AND_PORT, {3: 19}, neighbours=[(MAC, 3)]), 19),
        (Tables(VLAN_AND_PORT, {3: 19}, neighbours=[(MAC, 3)], lldp_ports={3: "3"}, lldp_kinds={3: LOCAL}), 19),
        (Tables(VLAN_AND_PORT, {}, neighbours=[(MAC, 3)], lldp_ports={3: "3"}, lldp_kinds={3: LOCAL}), None),
        (Tables(PLAIN, {3: 3, 4: 4}, neighbours=[(MAC, 4)], lldp_ports={4: "3"}, lldp_kinds={4: LOCAL}), None),
        (Tables(PLAIN, {3: 3, 4: 4}, neighbours=[(MAC, 4)], lldp_ports={4: "9"}, lldp_kinds={4: LOCAL}), 4),
        (Tables(PLAIN, {3: 4, 5: 3}, neighbours=[(MAC, 3)]), None),  # a bridge port and an ifIndex, of two ports
        (Tables(PLAIN, {3: 4, 5: 3}, neighbours=[(MAC, 3)], lldp_descriptions={3: "Port 3"}), 3),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "ge4"}, lldp_kinds={9: INTERFACE_NAME}), 4),
        (Tables(VLAN_AND_PORT, {}, neighbours=[(MAC, 9)], lldp_ports={9: "Gi1/0/3"}, lldp_kinds={9: INTERFACE_NAME}), 19),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "02:00:00:00:00:04"}, lldp_kinds={9: HARDWARE_ADDRESS},
                hardware={3: "02:00:00:00:00:03", 4: "02:00:00:00:00:04"}), 4),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "02:00:00:00:00:01"}, lldp_kinds={9: HARDWARE_ADDRESS},
                hardware={3: "02:00:00:00:00:01", 4: "02:00:00:00:00:01"}), None),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "一年级4班"}, lldp_kinds={9: ALIAS}, aliases={4: "一年级4班"}), 4),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "4"}, lldp_kinds={9: INTERFACE_NAME}), None),
        (Tables(PLAIN, {}, neighbours=[(MAC, 9)], lldp_ports={9: "9" * 5000}, lldp_kinds={9: LOCAL}), None),
    ],
)  # fmt: skip
def test_the_port_of_a_neighbour(tables: Tables, right: int | None) -> None:
    place = by_address({"sw": tables}, MAC)
    assert (place and place.if_index) == right


@pytest.mark.parametrize(("name", "index"), [("9" * 5000, None), ("\u00b2", None), ("gi 1/0/3", 19), ("3", 3)])
def test_names_of_the_inventory(name: str, index: int | None) -> None:
    assert by_name(Tables(VLAN_AND_PORT), name) == index


@pytest.mark.parametrize(
    ("high", "low", "speed"),
    [
        (1000, 1_000_000_000, 1e9),
        (100_000_000, 100_000_000, 1e8),  # bit/s in ifHighSpeed (D-Link)
        (1_000_000_000, 1_000_000_000, 1e9),
        (100_000, 100_000_000, 1e8),  # kbit/s
        (100_000_000, None, 1e8),
        (1000, 1000, 1e9),  # Mbit/s in ifSpeed
        (10_000, 2**32 - 1, 1e10),
        (10_000, 10_000_000_000 % 2**32, 1e10),  # what is left of it in 32 bits
        (2000, 2_000_000_000, 2e9),  # two ports together
        (0, 100_000_000, 1e8),
        (None, 100_000_000, 1e8),
        (100, None, 1e8),
        (1000, 100_000_000, None),  # who is right?
        (4_294_967_295, 2**32 - 1, None),
        (4294, 2**32 - 1, None),  # ifSpeed's limit in Mbit/s: ten gigabits, or a hundred
        (4295, 2**32 - 1, None),
        (0, 0, None),
        (None, None, None),
    ],
)
def test_the_speed_of_a_port(high: int | None, low: int | None, speed: float | None) -> None:
    assert speed_of(high, low) == speed
