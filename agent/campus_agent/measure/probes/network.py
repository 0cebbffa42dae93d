"""The DHCP servers on the school's own links: once a day one DHCPDISCOVER a link, in a worker."""

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.measure.discover.discovery import DiscoverTask, Discovery
from campus_agent.measure.discover.links import NoLink, links
from campus_agent.measure.probe import AnyFinding, Finding, Probe, ProbeFailed, Run
from campus_agent.measure.worker import run_worker
from campus_agent.schedule.jobs import Job
from campus_wire.failures import FailureKind, Operation
from campus_wire.records import DhcpOffer, NetworkRecord

FIRST_SECONDS = 600.0
"""Some time after the start: a gateway that boots has other things to do."""
LINK_SECONDS = 12.0
START_SECONDS = 20.0
"""scapy takes its time on a small gateway."""
MARGIN_SECONDS = 5.0
MAX_OFFERS = 64


def jobs(config: AgentConfig) -> list[Job]:
    seconds = config.cycle.network_seconds
    return [Job("network", "lan", seconds, first_seconds=min(FIRST_SECONDS, seconds))] if seconds else []


def task_for(interface: str | None = None) -> DiscoverTask:
    """One link, or all. Raises ProbeFailed where there is none."""
    try:
        return DiscoverTask(links(interface), only_dhcp=True)
    except NoLink as error:
        raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, str(error)) from None


def worker_seconds(task: DiscoverTask) -> float:
    return START_SECONDS + LINK_SECONDS * len(task.links)


async def measure(task: DiscoverTask, run: Run) -> list[AnyFinding]:
    """Raises ProbeFailed without CAP_NET_RAW, and where no link could be used."""
    try:
        body = await run_worker("discover", task, worker_seconds(task))
    except TimeoutError:
        raise ProbeFailed(Operation.READ, FailureKind.WORKER_DIED, "the look did not end in time") from None
    answer = msgspec.json.decode(body, type=Discovery)
    if len(answer.failed) == len(task.links):
        why = "; ".join(f"{name}: {reason}" for name, reason in answer.failed.items())
        raise ProbeFailed(Operation.PREPARE, FailureKind.NETWORK_UNREACHABLE, why)
    offers = {(server.interface, server.server): server for server in answer.dhcp}
    record = NetworkRecord(
        [DhcpOffer(each.interface, each.server, each.mac, each.router) for each in offers.values()][:MAX_OFFERS]
    )
    return [Finding(record=record)]


PROBE = Probe(
    name="network",
    kind="network",
    jobs=jobs,
    settings=lambda config, subject, max_bytes: task_for(),
    measure=measure,
    deadline_seconds=lambda task: worker_seconds(task) + MARGIN_SECONDS,
)
