"""Where is the other end of a throughput test, and by which interface does this gateway reach it?"""

from campus_agent.measure.link.connect import reachable
from campus_agent.measure.link.path import Link, link_to
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.request import ThroughputRequest

RESOLVE_SECONDS = 5.0
CONNECT_SECONDS = 1.5
"""To find out which address of a name answers, where it has several: libiperf tries only the first."""
LOCATE_SECONDS = RESOLVE_SECONDS + 2 * CONNECT_SECONDS


async def locate(request: ThroughputRequest) -> tuple[Address, Link | None]:
    """The address that answers, and the interface towards it (None: no telling). Raises ProbeFailed."""
    address = await reachable(request.host, request.port, RESOLVE_SECONDS, CONNECT_SECONDS)
    return address, link_to(address.text)
