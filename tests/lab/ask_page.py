"""Measure a classroom again and again by the page that waits there, as the daemon does; a result a line as JSON. Run on the gateway."""

import asyncio
import sys
import time
from pathlib import Path

from campus_agent.clock.clock import system_clock
from campus_agent.config.read import load_config
from campus_agent.measure.browser.engine import absent_pages
from campus_agent.measure.browser.messages import socket_path
from campus_agent.measure.probes import PROBES
from campus_agent.measure.runner import Runner
from campus_agent.measure.stamp import stamp
from campus_wire.codec import encode_result

MOST_WAIT_SECONDS = 60.0


async def main(file: Path, room: str, count: int) -> None:
    config, clock = load_config(file), system_clock()
    runner = Runner(config, lambda seconds: stamp(clock, None, seconds))
    for _ in range(count):
        end = time.monotonic() + MOST_WAIT_SECONDS
        while await absent_pages(str(socket_path(config.state_dir)), [room]) and time.monotonic() < end:  # noqa: ASYNC110
            await asyncio.sleep(0.2)
        for _ in range(20):
            (result,) = await runner.run(PROBES["throughput"], room)
            if result.failure is None or result.failure.kind != "busy":
                break
            await asyncio.sleep(0.2)  # the page is on its way back
        print(encode_result(result).decode(), flush=True)


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])))
