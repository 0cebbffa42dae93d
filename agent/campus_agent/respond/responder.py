"""Run the classroom's end: our engine in this process; the iperf3 server and the stream's reflector in children that are replaced when they end."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campus_agent.respond.iperf3_server import EXIT_BROKEN
from campus_base.settings import read_secret

log = logging.getLogger(__name__)

RESTART_SECONDS = (0.2, 1.0, 5.0, 30.0)


@dataclass(frozen=True, slots=True)
class RespondSettings:
    """Which ports (0 = off) at which addresses, which key. Our engine needs the key beyond loopback."""

    port: int
    engine_listen: str
    iperf3_port: int
    listen: str
    test_key_file: Path | None
    capacity_bits_per_second: float | None = None
    stream_port: int = 0


async def respond(settings: RespondSettings) -> None:
    """Serve until SIGTERM or SIGINT. Raises OSError when a port is taken, ValueError for settings that are not safe."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    jobs: list[asyncio.Future[Any]] = [asyncio.ensure_future(stop.wait())]
    if settings.port:
        from campus_agent.measure.burst.server import ResponderLimits, ResponderSettings, limits_of, serve

        key = read_secret(settings.test_key_file).reveal().encode() if settings.test_key_file else None
        capacity = settings.capacity_bits_per_second
        limits = ResponderLimits() if capacity is None else limits_of(capacity)
        engine = ResponderSettings(settings.engine_listen, settings.port, key, limits)
        jobs.append(asyncio.ensure_future(serve(engine, lambda port: log.info("engine listens", extra={"port": port}))))
    if settings.iperf3_port:
        jobs.append(asyncio.ensure_future(keep_iperf3(settings.iperf3_port, settings.listen)))
    if settings.stream_port:
        jobs.append(asyncio.ensure_future(keep_reflector(settings)))
    try:
        done, _ = await asyncio.wait(jobs, return_when=asyncio.FIRST_COMPLETED)
        for job in done:
            job.result()
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


async def keep_iperf3(port: int, listen: str) -> None:
    await _keep("iperf3", port, "campus_agent.respond.iperf3_server", str(port), _any(listen))


async def keep_reflector(settings: RespondSettings) -> None:
    """The reflector of the lesson stream, where our engine listens: beyond loopback both need the key."""
    port, key_file = settings.stream_port, settings.test_key_file
    arguments = (str(port), settings.engine_listen, str(key_file or ""))
    await _keep("stream reflector", port, "campus_agent.respond.stream_reflector", *arguments)


async def _keep(name: str, port: int, module: str, *arguments: str) -> None:
    """Keep one process of a module running; wait longer each time it fails at once."""
    failures = 0
    while True:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", module, *arguments, str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
        )
        log.info("%s listens", name, extra={"port": port, "pid": process.pid})
        try:
            code = await process.wait()  # what it has to say it writes to our standard error
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
        failures = failures + 1 if code else 0
        if code:
            word = "cannot serve" if code == EXIT_BROKEN else "ended"
            log.error("%s %s", name, word, extra={"code": code})
        await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)] if failures else 0)


def _any(listen: str) -> str:
    """libiperf listens on every address, both families, when it is given none."""
    return "" if listen in ("", "::", "0.0.0.0") else listen  # noqa: S104
