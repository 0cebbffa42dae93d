"""`campus-agent discover`: our own links, the worker, and its findings for a person, a program or a spreadsheet."""

import ipaddress
from collections.abc import Callable
from typing import Any

import msgspec

from campus_agent.measure.discover.found import Found, Task
from campus_agent.measure.discover.proposal import classroom_endpoints, problems, proposals
from campus_agent.measure.worker import run_worker
from campus_base.language import Language, Text


async def discover(task: Task, on_progress: Callable[[Any], None]) -> Found:
    """Raises ProbeFailed (no permission), TimeoutError."""
    hosts = sum(ipaddress.ip_interface(one).network.num_addresses for nets in task.links.values() for one in nets)
    sweep = min(hosts, task.max_hosts * len(task.links)) * (1 / task.packets_per_second + 0.05)
    body = await run_worker("discover", task, 60 + 2 * sweep + len(task.links) * (task.seconds + 8), on_progress)
    return msgspec.json.decode(body, type=Found)


def as_json(found: Found) -> dict[str, Any]:
    """All of it, with what is proposed and what is wrong."""
    return {
        **msgspec.to_builtins(found),
        "proposals": proposals(found.hosts),
        "classroom_endpoints": classroom_endpoints(found.hosts),
        "problems": [{"en": one.en, "zh": one.zh} for one in problems(found)],
    }


def in_words(found: Found, language: Language) -> str:
    """The same for a person."""
    t = Text
    text = t(
        "{hosts} host(s), {dhcp} DHCP server(s), {neighbours} LLDP neighbour(s).",
        "主机 {hosts} 台，DHCP 服务器 {dhcp} 台，LLDP 邻居 {neighbours} 个。",
    )
    lines = [text.in_(language, hosts=len(found.hosts), dhcp=len(found.dhcp), neighbours=len(found.neighbours))]
    guessed = {row["host"]: row for row in proposals(found.hosts)}
    for host in found.hosts:
        row = guessed.get(host.address)
        what = f"{row['profile']} ({row['confidence']:.0%}) {row['name']}" if row else ""
        ports = ",".join(map(str, host.ports))
        lines.append(f"  {host.address:<15} {host.mac}  {ports:<18} {what}".rstrip())
    for one in found.neighbours:
        lines.append(
            f"  {one.interface}: {one.name} {t('port', '端口').in_(language)} {one.port} {one.address}".rstrip()
        )
    for one_server in found.dhcp:
        lines.append(f"  DHCP {one_server.server} ({one_server.mac}) → {one_server.offered}")
    for network in found.left_out:
        lines.append(
            t("  {network} is too large and was not swept", "  {network} 范围过大，未扫描").in_(
                language, network=network
            )
        )
    for name, why in found.failed.items():
        text = t("  {name} could not be used: {why}", "  {name} 无法使用：{why}")
        lines.append(text.in_(language, name=name, why=why))
    lines += [f"! {problem.in_(language)}" for problem in problems(found)]
    return "\n".join(lines)
