"""What does the gateway pay for the lesson stream? Processor time and memory of one run, beside those of a bare loop that sends as often.

The reflector is a process of its own; one recorder (loopback) is asked once a second.
"""

import asyncio
import resource
import socket
import subprocess
import sys
import time

from campus_agent.clock.clock import system_clock
from campus_agent.measure.link.resolve import Address
from campus_agent.measure.stream.observer import Observed, StreamObserver
from campus_agent.measure.stream.run import StreamRun
from campus_agent.measure.stream.sender import Echo, StreamSocket
from tests.bench.reflector import KEY, SERVE

SECONDS, INTERVAL = 60.0, 0.05
LOOPBACK = Address("127.0.0.1", socket.AF_INET, 0.0)


async def bare(seconds: float) -> float:
    """The share of a core that only sending takes."""
    loop, sock = asyncio.get_running_loop(), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    sock.bind(("127.0.0.1", 0))
    address = sock.getsockname()

    def step() -> None:
        sock.sendto(bytes(112), address)
        sock.recv(2048)
        nonlocal timer
        timer = loop.call_later(INTERVAL, step)

    timer = loop.call_later(0, step)
    began = time.process_time()
    await asyncio.sleep(seconds)
    timer.cancel()
    sock.close()
    return (time.process_time() - began) / seconds


async def stream(port: int, seconds: float) -> tuple[float, list[Observed]]:
    """The share of a core of a whole run, and what it observed."""
    clock, reports = system_clock(), list[Observed]()
    now = clock.monotonic()
    wall_at_zero = time.time() - now

    async def report(observed: Observed | None) -> None:
        reports.extend([observed] if observed is not None else [])

    async def may_go_on() -> bool:
        return clock.monotonic() < now + seconds

    sock = StreamSocket(LOOPBACK, port, KEY, 112, clock, wall_at_zero)
    with Echo(LOOPBACK, clock) as echo:
        observer = StreamObserver(INTERVAL, ("rec-1",), lambda begin: "id", now, wall_at_zero)
        run = StreamRun(sock, {"rec-1": echo}, None, observer, clock, INTERVAL)
        began = time.process_time()
        await run.until_over(report, may_go_on)
    sock.close()
    return (time.process_time() - began) / (clock.monotonic() - now), reports


def main() -> None:
    """Print the figures."""
    with subprocess.Popen([sys.executable, "-c", SERVE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        share, reports = asyncio.run(stream(port, SECONDS))
        process.kill()
    print(
        f"lesson stream: {share:.2%} of a core; a loop that only sends and receives: {asyncio.run(bare(SECONDS / 3)):.2%}"
    )
    lost = sum(row.lost_up + row.lost_down for observed in reports for row in observed.minutes)
    sent = sum(row.sent for observed in reports for row in observed.minutes)
    print(
        f"sent {sent}, lost {lost}; largest resident size {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.1f} MB"
    )


if __name__ == "__main__":
    main()
