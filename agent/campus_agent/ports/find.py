"""Which port does a classroom's machine hang on? From the tables of the switches. Pure.

The inventory's word comes first, then the neighbour the switch has heard (LLDP), then where its address was seen (forwarding table). A port
behind which many addresses are is a line to another switch, and says nothing of one classroom.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from campus_agent.ports.reading import Place

MOST_ADDRESSES = 4
"""A classroom has a computer, a whiteboard, perhaps a camera behind a small hub; more is a line to a switch."""


@dataclass(frozen=True, slots=True)
class Tables:
    """What one switch told: names by ifIndex, the bridge's ports, where it saw addresses, whom it heard."""

    names: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    """ifIndex to (ifName, ifDescr)."""
    bridge_ports: Mapping[int, int] = field(default_factory=dict)
    """dot1dBasePort to ifIndex."""
    addresses: Sequence[tuple[str, int]] = ()
    """(address, dot1dBasePort) of every entry, each VLAN its own."""
    neighbours: Sequence[tuple[str, int]] = ()
    """(address a neighbour calls itself by, LLDP's local port number)."""
    lldp_ports: Mapping[int, str] = field(default_factory=dict)
    """LLDP's local port number to the name the switch gives it."""


def by_name(tables: Tables, name: str) -> int | None:
    """The port the inventory names: by ifName, ifDescr, or ifIndex."""
    for index, names in tables.names.items():
        if name.lower() in (one.lower() for one in names if one):
            return index
    return int(name) if name.isascii() and name.isdigit() and int(name) in tables.names else None


def by_address(switches: Mapping[str, Tables], mac: str) -> Place | None:
    """Where an address hangs; None when no switch knows, or only lines between switches lead there."""
    heard = [
        (switch, index)
        for switch, tables in switches.items()
        for address, port in tables.neighbours
        if address == mac and (index := _lldp_index(tables, port)) is not None
    ]
    if len(heard) == 1:
        return Place(heard[0][0], heard[0][1], "lldp", mac)
    seen: list[tuple[int, str, int]] = []
    for switch, tables in switches.items():
        crowds = Counter(port for _, port in set(tables.addresses))
        for address, port in set(tables.addresses):
            index = tables.bridge_ports.get(port)
            if address == mac and index is not None and crowds[port] <= MOST_ADDRESSES:
                seen.append((crowds[port], switch, index))
    if not seen:
        return None
    _, switch, index = min(seen)
    return Place(switch, index, "forwarding_table", mac)


def _lldp_index(tables: Tables, port: int) -> int | None:
    """LLDP numbers ports its own way; the name leads to ifIndex, else the number is taken for a bridge port."""
    name = tables.lldp_ports.get(port, "")
    return by_name(tables, name) if name else tables.bridge_ports.get(port)


def address_in(index: str) -> str:
    """The address that ends a row's index in the forwarding tables: six numbers; "" for none."""
    parts = index.split(".")[-6:]
    if len(parts) != 6 or not all(part.isdigit() and int(part) < 256 for part in parts):
        return ""
    return ":".join(f"{int(part):02x}" for part in parts)


def address_of(octets: bytes) -> str:
    """Six octets as an address, or the text of one; "" for anything else."""
    if len(octets) == 6:
        return ":".join(f"{one:02x}" for one in octets)
    text = octets.decode("ascii", "replace").strip().lower().replace("-", ":")
    return text if re.fullmatch(r"([0-9a-f]{2}:){5}[0-9a-f]{2}", text) else ""


def neighbours_of_gateway(proc_net_arp: str) -> dict[str, str]:
    """Addresses the gateway's kernel knows: IPv4 to hardware address, complete entries only (/proc/net/arp)."""
    found = {}
    for line in proc_net_arp.splitlines()[1:]:
        parts = line.split()
        if len(parts) >= 4 and parts[2] != "0x0" and parts[3] != "00:00:00:00:00:00":
            found[parts[0]] = parts[3].lower()
    return found
