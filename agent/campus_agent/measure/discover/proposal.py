"""From what was found to what a person may put into the inventory: the likely profile of each host, with its confidence; problems. Pure."""

import csv
import io
from collections.abc import Sequence
from typing import Any

from campus_agent.measure.discover.discovery import DhcpServer, Discovery, Host
from campus_base.messages import Message, message

HEADINGS = ("school_id", "room_id", "device_id", "device", "profile", "host", "required")
_BY_PORT = (
    (161, "host-resources", 0.4),
    (554, "stream-rtsp", 0.6),
    (80, "web-http", 0.3),
    (443, "web-http", 0.3),
)
"""What an open port alone suggests, best first; SNMP is asked by UDP and seldom seen, so it says least where it is seen."""


def likely_profile(host: Host) -> tuple[str, float] | None:
    """A profile for this host and how sure that is (0-1); None for one that is no equipment as far as can be seen."""
    if host.camera is not None:
        return "camera-onvif", 0.9 if 554 in host.ports else 0.8
    if 5301 in host.ports or 5201 in host.ports:
        return None
    if host.lldp_name:
        return "switch-generic", 0.8
    for port, profile, confidence in sorted(_BY_PORT, key=lambda row: -row[2]):
        if port in host.ports:
            return profile, confidence
    return None


def proposals(hosts: Sequence[Host]) -> list[dict[str, Any]]:
    """Each host that may be equipment."""
    rows = []
    for host in hosts:
        likely = likely_profile(host)
        if likely is not None:
            profile, confidence = likely
            rows.append(
                {
                    "host": host.address,
                    "mac": host.mac,
                    "profile": profile,
                    "confidence": confidence,
                    "name": _name(host),
                }
            )
    return rows


def classroom_endpoints(hosts: Sequence[Host]) -> list[str]:
    """Hosts that answer throughput tests."""
    return [host.address for host in hosts if 5301 in host.ports or 5201 in host.ports]


def as_csv(school: str, rows: Sequence[dict[str, Any]]) -> str:
    """Lines for `devices.csv` of the inventory; the room is for the person to fill in."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEADINGS)
    for number, row in enumerate(rows, 1):
        writer.writerow([school, "", f"dev-{number}", escape_formula(row["name"]), row["profile"], row["host"], 1])
    return out.getvalue()


def problems(discovery: Discovery) -> list[Message]:
    """What is wrong with this network, as far as it shows."""
    texts = []
    by_link: dict[str, list[DhcpServer]] = {}
    for server in discovery.dhcp:
        by_link.setdefault(server.interface, []).append(server)
    for interface, servers in by_link.items():
        if len({server.server for server in servers}) > 1:
            listed = ", ".join(f"{server.server} ({server.mac})" for server in servers)
            texts.append(
                message(
                    "{interface}: {servers} DHCP servers answer: {listed}. One of them does not belong here (often a"
                    " home router plugged in by its wrong port): machines get wrong addresses at random.",
                    interface=interface,
                    servers=len(servers),
                    listed=listed,
                )
            )
    return texts


def _name(host: Host) -> str:
    if host.camera is not None:
        return " ".join(part for part in (host.camera.name, host.camera.hardware) if part)
    return host.lldp_name or ""


def escape_formula(text: str) -> str:
    """Printable, and no spreadsheet takes it for a formula, whatever a device calls itself."""
    text = "".join(letter for letter in text if letter.isprintable())
    return f"'{text}" if text[:1] in ("=", "+", "-", "@", "\t") else text
