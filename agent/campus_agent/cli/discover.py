"""`campus-agent discover`: our own links, the worker, and its findings for a person, a program or a spreadsheet."""

import argparse
import asyncio
import ipaddress
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from campus_agent.cli.common import EXIT_NOT_MEASURED, EXIT_NOT_MET, json_option
from campus_agent.measure.discover.discovery import DiscoverTask, Discovery
from campus_agent.measure.discover.links import NoLink, links
from campus_agent.measure.discover.proposal import as_csv, classroom_endpoints, problems, proposals
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.worker import run_worker
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.terminal import redraw_line
from campus_base.wire_words import FAILURE_WORDS


def register(parser: CommandParser) -> None:
    json_option(parser)
    parser.add_argument("--interface", metavar="IF", help=parser.words(message("this one only (default: all)")))
    parser.add_argument(
        "--csv",
        action="store_true",
        help=parser.words(message("lines for devices.csv of the inventory")),
    )
    parser.add_argument("--school", default="", metavar="ID", help=parser.words(message("for these lines")))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    try:
        network = asyncio.run(discover(DiscoverTask(links(arguments.interface)), _show_progress))
    except NoLink as error:
        return failed(EXIT_USAGE, f"campus-agent discover: {error}")
    except ProbeFailed as error:
        reason = FAILURE_WORDS[error.failure.kind].in_(language)
        return failed(EXIT_NOT_MEASURED, f"campus-agent discover: {reason}: {error.failure.detail}")
    if sys.stderr.isatty():
        redraw_line("", sys.stderr)
    if arguments.csv:
        print(as_csv(arguments.school, proposals(network.hosts)), end="")
    else:
        print(json_line(as_json(network)) if arguments.json else in_words(network, language))
    return EXIT_NOT_MET if problems(network) else EXIT_OK


def _show_progress(step: dict[str, Any]) -> None:
    if sys.stderr.isatty():
        redraw_line(f"{step['network']} {step['asked']}/{step['of']}: {step['found']}", sys.stderr)


async def discover(task: DiscoverTask, on_progress: Callable[[Any], None]) -> Discovery:
    """Raises ProbeFailed (no permission), TimeoutError."""
    hosts = sum(
        ipaddress.ip_interface(address).network.num_addresses
        for addresses in task.links.values()
        for address in addresses
    )
    sweep = min(hosts, task.max_hosts * len(task.links)) * (1 / task.packets_per_second + 0.05)
    body = await run_worker("discover", task, 60 + 2 * sweep + len(task.links) * (task.seconds + 8), on_progress)
    return msgspec.json.decode(body, type=Discovery)


def as_json(network: Discovery) -> dict[str, Any]:
    """All of it, with what is proposed and what is wrong."""
    return {
        **msgspec.to_builtins(network),
        "proposals": proposals(network.hosts),
        "classroom_endpoints": classroom_endpoints(network.hosts),
        "problems": [{"en": problem.en, "zh": problem.zh} for problem in problems(network)],
    }


def in_words(network: Discovery, language: Language) -> str:
    text = message("{hosts} host(s), {dhcp} DHCP server(s), {neighbours} LLDP neighbour(s).")
    lines = [text.in_(language, hosts=len(network.hosts), dhcp=len(network.dhcp), neighbours=len(network.neighbours))]
    proposed = {row["host"]: row for row in proposals(network.hosts)}
    for host in network.hosts:
        row = proposed.get(host.address)
        what = f"{row['profile']} ({row['confidence']:.0%}) {row['name']}" if row else ""
        ports = ",".join(map(str, host.ports))
        lines.append(f"  {host.address:<15} {host.mac}  {ports:<18} {what}".rstrip())
    for neighbour in network.neighbours:
        text = message("  {interface}: {name} port {port} {address}")
        values = {
            "interface": neighbour.interface,
            "name": neighbour.name,
            "port": neighbour.port,
            "address": neighbour.address,
        }
        lines.append(text.in_(language, **values).rstrip())
    for server in network.dhcp:
        lines.append(f"  DHCP {server.server} ({server.mac}) → {server.offered}")
    for left_out in network.left_out:
        lines.append(message("  {network} is too large and was not swept").in_(language, network=left_out))
    for name, why in network.failed.items():
        text = message("  {name} could not be used: {why}")
        lines.append(text.in_(language, name=name, why=why))
    lines += [f"! {problem.in_(language)}" for problem in problems(network)]
    return "\n".join(lines)
