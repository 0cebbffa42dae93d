"""`python -m tests.lab.echo HOST COUNT INTERVAL`: sent, received and mean RTT as JSON (Debian's minimal image has no ping)."""

import asyncio
import ipaddress
import json
import socket
import sys

from campus_agent.measure.link.icmp import Pinger


async def main(host: str, count: int, interval_seconds: float) -> None:
    """Echo and tell."""
    family = socket.AF_INET6 if ipaddress.ip_address(host).version == 6 else socket.AF_INET
    with Pinger(host, family) as pinger:
        await pinger.send_every(interval_seconds, count)
        await pinger.settle(1.0)
    rtts = pinger.echoes.in_order()
    mean = sum(rtts) / len(rtts) if rtts else None
    print(json.dumps({"sent": pinger.echoes.sent, "received": len(rtts), "mean_rtt_seconds": mean}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
