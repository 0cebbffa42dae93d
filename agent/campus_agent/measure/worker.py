"""Short-lived processes that carry heavy or crash-prone libraries, so that the resident agent stays small.

One task per process: `python -m campus_agent.measure.worker NAME` reads one JSON object on standard input and writes JSON lines on
standard output: any number of `{"progress": ...}`, then one `{"result": ...}` or `{"failure": ...}`. The parent kills it at its
deadline; the kernel kills it when the parent dies.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import msgspec

from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import Failure, FailureKind, Operation

log = logging.getLogger(__name__)

WORKERS = {
    "iperf3": "campus_agent.measure.iperf3.worker",
    "burst": "campus_agent.measure.burst.worker",
    "equipment": "campus_agent.measure.equipment.worker",
    "identify": "campus_agent.measure.equipment.identify.worker",
    "ports": "campus_agent.measure.ports.worker",
    "discover": "campus_agent.measure.discover.worker",
}
"""Started by name, so that the resident agent never imports them. Each has `Task`, the type of its task, and `work(task, progress)`."""
STDERR_SECONDS, STDERR_BYTES, LAST_LINE_LETTERS = 1.0, 8192, 250
MAX_LINE_BYTES = 8 * 1024 * 1024
_PR_SET_PDEATHSIG = 1  # linux/prctl.h


class _Line(msgspec.Struct):
    progress: msgspec.Raw = msgspec.Raw()
    result: msgspec.Raw = msgspec.Raw()
    failure: Failure | None = None


async def run_worker(
    name: str,
    task: msgspec.Struct,
    deadline_seconds: float,
    on_progress: Callable[[Any], None] | None = None,
    progress_type: Any = dict,
) -> bytes:
    """The worker's result as JSON. Raises ProbeFailed; TimeoutError at the deadline. The process is gone on return."""
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "campus_agent.measure.worker", name, str(os.getpid())),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            limit=MAX_LINE_BYTES,
            env=_environment(),
        )
    except (OSError, RuntimeError) as error:  # no process, file or thread is to be had; RuntimeError is a thread's
        log.exception("worker %s could not be started", name)
        raise ProbeFailed(Operation.PREPARE, FailureKind.WORKER_DIED, f"could not be started: {error}"[:300]) from None
    try:
        async with asyncio.timeout(deadline_seconds):
            return await _exchange(process, msgspec.json.encode(task), on_progress, progress_type)
    except (msgspec.MsgspecError, ValueError) as error:  # a line that is no JSON of ours, or has no end
        raise ProbeFailed(Operation.TRANSFER, FailureKind.WORKER_DIED, f"no answer: {error}"[:300]) from None
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()


async def _exchange(
    process: asyncio.subprocess.Process,
    task: bytes,
    on_progress: Callable[[Any], None] | None,
    progress_type: Any,
) -> bytes:
    if process.stdin is None or process.stdout is None or process.stderr is None:
        raise RuntimeError("a worker is always started with pipes")
    errors = bytearray()
    reading = asyncio.ensure_future(_keep_end(process.stderr, errors))
    try:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(task)
            await process.stdin.drain()
            process.stdin.close()
        decoder = msgspec.json.Decoder(_Line)
        async for line in process.stdout:
            message = decoder.decode(line)
            if message.failure is not None:
                raise ProbeFailed(message.failure.operation, message.failure.kind, message.failure.detail)
            if bytes(message.result):
                return bytes(message.result)
            if on_progress is not None and bytes(message.progress):
                on_progress(msgspec.json.decode(message.progress, type=progress_type))
        code = await process.wait()
        await asyncio.wait([reading], timeout=STDERR_SECONDS)  # a child of its own may hold the pipe open
        raise ProbeFailed(Operation.TRANSFER, FailureKind.WORKER_DIED, f"exit {code}: {last_line(errors)}".strip())
    finally:
        reading.cancel()


async def _keep_end(stream: asyncio.StreamReader, end: bytearray) -> None:
    """Read to the end, so that the writer never waits; keep the last of it."""
    while part := await stream.read(4096):
        end += part
        del end[:-STDERR_BYTES]


def last_line(output: bytes | bytearray) -> str:
    """The last line that is not empty, bounded, without control characters: the cause of a traceback stands there."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return "".join(letter if letter.isprintable() else " " for letter in lines[-1][:LAST_LINE_LETTERS]) if lines else ""


def _environment() -> dict[str, str]:
    """What a worker may see: how to find Python and its modules, nothing that could be secret."""
    names = ("PATH", "PYTHONPATH", "HOME", "LD_LIBRARY_PATH", "TZ")
    return {key: os.environ[key] for key in names if key in os.environ} | {"LC_ALL": "C.UTF-8"}


def serve(name: str) -> None:
    """The worker's side: one task in, lines out."""
    out = os.fdopen(os.dup(1), "wb", buffering=0)  # libiperf takes file descriptor 1 for itself

    def send(**line: Any) -> None:
        out.write(msgspec.json.encode(line) + b"\n")

    from importlib import import_module

    module = import_module(WORKERS[name])
    task = msgspec.json.decode(sys.stdin.buffer.read(), type=module.Task)
    try:
        send(result=module.work(task, lambda progress: send(progress=progress)))
    except ProbeFailed as failed:
        send(failure=failed.failure)


def set_parent_death_signal(parent_pid: int) -> None:
    """Ask the kernel to end this process when its parent ends, in whatever way."""
    import ctypes  # not in the resident agent

    libc = ctypes.CDLL(None, use_errno=True)
    libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent_pid:  # it ended before the call above
        os._exit(1)


if __name__ == "__main__":
    set_parent_death_signal(int(sys.argv[2]))
    serve(sys.argv[1])
