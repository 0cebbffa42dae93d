"""Which port is a classroom's machine connected to? From the tables of the switches. Pure.

The inventory's word comes first, then the neighbour the switch has heard (LLDP), then where its address was seen (forwarding table). A port
behind which many addresses are is a line to another switch, and says nothing of one classroom.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campus_agent.measure.ports.reading import PortLocation
from campus_wire.digits import ascii_integer

ALIAS, COMPONENT, HARDWARE_ADDRESS, INTERFACE_NAME, LOCAL = 1, 2, 3, 5, 7
"""LldpPortIdSubtype (IEEE 802.1AB-2005)."""
HIGHEST_INDEX = 2**31 - 1
_TYPES = {
    "ethernet": ("e", "et", "eth"),
    "fastethernet": ("f", "fa", "fe"),
    "gigabitethernet": ("g", "gi", "ge", "gig", "gige", "gigaethernet"),
    "tengigabitethernet": ("te", "xe", "xge", "tge", "ten-gigabitethernet", "xgigabitethernet", "tengige"),
}
"""How Cisco, H3C, Huawei and Ruijie shorten the types of ports."""
MOST_ADDRESSES = 4
"""A classroom has a computer, a whiteboard, perhaps a camera behind a small hub; more is a line to a switch."""


@dataclass(frozen=True, slots=True)
class Tables:
    """One switch's tables: names by ifIndex, the bridge's ports, the ports of addresses, LLDP neighbours."""

    names: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """ifIndex to (ifName, ifDescr)."""
    bridge_ports: Mapping[int, int] = field(default_factory=dict)
    """dot1dBasePort to ifIndex."""
    addresses: Sequence[tuple[str, int]] = ()
    """(address, dot1dBasePort) of every entry, each VLAN its own."""
    neighbours: Sequence[tuple[str, int]] = ()
    """(address a neighbour calls itself by, LLDP's local port number)."""
    lldp_ports: Mapping[int, str] = field(default_factory=dict)
    """LLDP's local port number to the identifier the switch gives it, whose kind stands in `lldp_kinds` (LldpPortIdSubtype)."""
    lldp_kinds: Mapping[int, int] = field(default_factory=dict)
    lldp_descriptions: Mapping[int, str] = field(default_factory=dict)
    hardware: Mapping[int, str] = field(default_factory=dict)
    """ifIndex to the port's own address (ifPhysAddress)."""
    aliases: Mapping[int, str] = field(default_factory=dict)
    """ifIndex to what an administrator calls it (ifAlias)."""


def by_name(tables: Tables, name: str) -> int | None:
    """The port the inventory names: by ifName, ifDescr, or ifIndex."""
    index = _named(tables, name)
    if index is not None:
        return index
    number = ascii_integer(name, HIGHEST_INDEX)
    return number if number in tables.names else None


def _named(tables: Tables, name: str) -> int | None:
    """The only port of this ifName or ifDescr, whatever its case and however its type is shortened (Gi0/3, GigabitEthernet0/3)."""
    for alike in (str.lower, _long_form):
        indexes = {
            index for index, names in tables.names.items() if alike(name) in (alike(known) for known in names if known)
        }
        if indexes:
            return indexes.pop() if len(indexes) == 1 else None
    return None


def _long_form(name: str) -> str:
    """A port's name with its type written out, without blanks."""
    match = re.fullmatch(r"([a-z-]+)([0-9].*)", name.lower().replace(" ", ""))
    if match is None:
        return name.lower()
    kind = next((whole for whole, shorts in _TYPES.items() if match[1] == whole or match[1] in shorts), match[1])
    return kind + match[2]


def by_address(switches: Mapping[str, Tables], mac: str) -> PortLocation | None:
    """The port that an address is connected to; None when no switch has it, or only on lines between switches."""
    heard = [
        (switch, index)
        for switch, tables in switches.items()
        for address, port in tables.neighbours
        if address == mac and (index := _lldp_index(tables, port)) is not None
    ]
    if len(heard) == 1:
        return PortLocation(heard[0][0], heard[0][1], "lldp", mac)
    candidates: list[tuple[int, str, int]] = []
    for switch, tables in switches.items():
        crowds = Counter(port for _, port in set(tables.addresses))
        for address, port in set(tables.addresses):
            index = tables.bridge_ports.get(port)
            if address == mac and index is not None and crowds[port] <= MOST_ADDRESSES:
                candidates.append((crowds[port], switch, index))
    if not candidates:
        return None
    _, switch, index = min(candidates)
    return PortLocation(switch, index, "forwarding_table", mac)


def _lldp_index(tables: Tables, port: int) -> int | None:
    """The ifIndex of LLDP's local port number: by what the switch calls the port there, else by the number where it can mean one port only."""
    text = tables.lldp_ports.get(port, "")
    kind = tables.lldp_kinds.get(port)
    if text and kind in (None, INTERFACE_NAME, LOCAL, COMPONENT):
        index = _named(tables, text)
        if index is not None:
            return index
    if text and kind in (None, HARDWARE_ADDRESS):
        index = _only(tables.hardware, text)
        if index is not None:
            return index
    if text and kind in (None, ALIAS):
        index = _only(tables.aliases, text)
        if index is None:  # some call the name so
            index = _named(tables, text)
        if index is not None:
            return index
    description = tables.lldp_descriptions.get(port, "")
    index = _named(tables, description) if description else None
    if index is not None:
        return index
    index = _by_number(tables, port)
    number = ascii_integer(text, HIGHEST_INDEX)
    named = _by_number(tables, number) if number is not None else None
    return index if named in (None, index) else None  # two numbers that mean two ports: none rather than the wrong one


def _only(column: Mapping[int, str], text: str) -> int | None:
    """The only row that says this."""
    indexes = [index for index, value in column.items() if value and value.lower() == text.lower()]
    return indexes[0] if len(indexes) == 1 else None


def _by_number(tables: Tables, port: int) -> int | None:
    """Switches number their LLDP ports by bridge port or by ifIndex (IEEE 802.1AB allows both): None where these are two different ports.

    Without a table of bridge ports nothing tells a port from a VLAN or a management interface.
    """
    as_bridge_port = tables.bridge_ports.get(port)
    as_if_index = port if port in tables.bridge_ports.values() else None
    indexes = {index for index in (as_bridge_port, as_if_index) if index is not None}
    return indexes.pop() if len(indexes) == 1 else None


def address_in(index: str) -> str:
    """The address that ends a row's index in the forwarding tables: six numbers; "" for none."""
    parts = index.split(".")[-6:]
    octets = [octet for octet in (ascii_integer(part, 255) for part in parts) if octet is not None]
    return ":".join(f"{octet:02x}" for octet in octets) if len(octets) == 6 else ""


def address_of(data: bytes) -> str:
    """Six octets as an address, or the text of one; "" for anything else."""
    if len(data) == 6:
        return ":".join(f"{octet:02x}" for octet in data)
    text = data.decode("ascii", "replace").strip().lower().replace("-", ":")
    return text if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text) else ""


def neighbours_of_gateway(proc_net_arp: str) -> dict[str, str]:
    """Addresses in the gateway's kernel: IPv4 to hardware address, complete entries only (/proc/net/arp)."""
    addresses = {}
    for line in proc_net_arp.splitlines()[1:]:
        parts = line.split()
        if len(parts) >= 4 and parts[2] != "0x0" and parts[3] != "00:00:00:00:00:00":
            addresses[parts[0]] = parts[3].lower()
    return addresses
