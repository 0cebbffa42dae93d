"""Once a day: who gives out addresses on the school's own links? One DHCPDISCOVER a link, in a worker."""

from typing import Any

import msgspec

from campus_agent.measure.discover.found import Found, Task
from campus_agent.measure.discover.links import NoLink, links
from campus_agent.measure.probe import ProbeFailed
from campus_agent.measure.worker import run_worker
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import DhcpOffer, NetworkRecord, NetworkResult

SUBJECT = "lan"
LINK_SECONDS = 12.0
START_SECONDS = 20.0
"""scapy takes its time on a small gateway."""


async def audit(school: str, stamp: dict[str, Any], only: str | None = None) -> NetworkResult:
    """One result; without CAP_NET_RAW or a link it says so."""
    failure: Failure | None = None
    record: NetworkRecord | None = None
    try:
        own = links(only)
        body = await run_worker("discover", Task(own, only_dhcp=True), START_SECONDS + LINK_SECONDS * len(own))
        found = msgspec.json.decode(body, type=Found)
        if len(found.failed) == len(own):
            why = "; ".join(f"{name}: {reason}" for name, reason in found.failed.items())
            raise ProbeFailed(Operation.PREPARE, FailureKind.NETWORK_UNREACHABLE, why)
        record = record_of(found)
    except NoLink as error:
        failure = Failure(Operation.PREPARE, FailureKind.NOT_CONFIGURED, str(error)[:300])
    except ProbeFailed as failed:
        failure = failed.failure
    except TimeoutError:
        failure = Failure(Operation.READ, FailureKind.WORKER_DIED, "the look did not end in time")
    return NetworkResult(
        **stamp,
        subject=SUBJECT,
        school=school,
        duration_seconds=0.0,
        validity=Validity.NOT_MEASURED if failure else Validity.OK,
        failure=failure,
        record=record,
    )


def record_of(found: Found) -> NetworkRecord:
    """Each server of each link once. Pure."""
    offers = {(one.interface, one.server): one for one in found.dhcp}
    return NetworkRecord([DhcpOffer(one.interface, one.server, one.mac, one.router) for one in offers.values()][:64])
