"""Reads the files of an inventory in a separate process, within limits: a file of anybody's making costs the collector neither memory nor time.

`python -m campus_collector.inventory.worker` takes one request on standard input and gives one answer on standard output (msgpack).
"""

import os
import resource
import subprocess
import sys
import threading

import msgspec

from campus_base.messages import Message, message
from campus_collector.domain.inventory import Inventory
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.package import damaged
from campus_collector.inventory.read import Mistake, read
from campus_collector.inventory.sources import sheets_of_files

MAX_MEMORY_BYTES = 1024 * 1024 * 1024
MAX_CPU_SECONDS = 60
TIMEOUT_SECONDS = 150.0
WAIT_SECONDS = 60.0
"""For another file that is being read: they are read one after the other."""
_reading = threading.Lock()


class Request(msgspec.Struct, frozen=True):
    """The files by name, and the inventory in force."""

    files: list[tuple[str, bytes]]
    before: Inventory


class Answer(msgspec.Struct, frozen=True):
    """What the files say; or, in both languages, why they cannot be read."""

    inventory: Inventory = Inventory()
    mistakes: tuple[Mistake, ...] = ()
    ignored: tuple[str, ...] = ()
    refusal: Message | None = None


def examine(request: Request) -> Answer:
    """Read the files here. Never raises for what they hold, short of MemoryError."""
    name = request.files[0][0] if request.files else ""
    try:
        sheets, ignored = sheets_of_files(request.files)
        inventory, mistakes = read(sheets, request.before)
    except Unreadable as error:
        return Answer(refusal=error.text)
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        OSError,
        RecursionError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        return Answer(refusal=damaged(name, error).text)
    return Answer(inventory, tuple(mistakes), tuple(ignored))


def examine_apart(request: Request) -> Answer:
    """Read the files in a child with limits on memory and time. Raises Unreadable."""
    name = request.files[0][0] if request.files else ""
    command = [sys.executable, "-P", "-m", "campus_collector.inventory.worker"]
    if not _reading.acquire(timeout=WAIT_SECONDS):
        raise Unreadable(message("{name}: another file is being read; try again", name=name))
    try:
        done = subprocess.run(
            command,
            input=msgspec.msgpack.encode(request),
            capture_output=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
            env={key: os.environ[key] for key in ("PATH", "PYTHONPATH", "HOME", "TZ") if key in os.environ}
            | {"LC_ALL": "C.UTF-8"},
        )
        answer = msgspec.msgpack.decode(done.stdout, type=Answer)
    except (subprocess.TimeoutExpired, msgspec.MsgspecError):  # killed at a limit: there is no answer, or half of one
        raise _beyond_limits(name) from None
    finally:
        _reading.release()
    if answer.refusal is not None:
        raise Unreadable(answer.refusal)
    return answer


def _beyond_limits(name: str) -> Unreadable:
    megabytes = MAX_MEMORY_BYTES // 1024**2
    return Unreadable(
        message(
            "{name}: reading it takes more than {megabytes} MB or {max_cpu_seconds} s; is it the right file?",
            name=name,
            megabytes=megabytes,
            max_cpu_seconds=MAX_CPU_SECONDS,
        )
    )


def limit(kind: int, most: int) -> None:
    """Lower a limit of this process; one that is lower already stays."""
    hard = resource.getrlimit(kind)[1]
    most = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(kind, (most, most))


def main() -> int:
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_AS, MAX_MEMORY_BYTES)
    limit(resource.RLIMIT_CPU, MAX_CPU_SECONDS)
    request = msgspec.msgpack.decode(sys.stdin.buffer.read(), type=Request)
    try:
        answer = msgspec.msgpack.encode(examine(request))
    except MemoryError:
        name = request.files[0][0] if request.files else ""
        answer = msgspec.msgpack.encode(Answer(refusal=_beyond_limits(name).text))
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
