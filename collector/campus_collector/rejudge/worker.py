"""A process that judges parts, one after the other: `python -m campus_collector.rejudge.worker` reads them on standard input and writes their answers.

A message is its length, four bytes with the highest first, and its bytes.
"""

import resource
import signal
import sys
from typing import IO

from campus_collector.rejudge.part import judge_part

LENGTH_BYTES = 4


def write_message(stream: IO[bytes], body: bytes) -> None:
    """Raises BrokenPipeError when nobody reads."""
    stream.write(len(body).to_bytes(LENGTH_BYTES, "big") + body)
    stream.flush()


def read_message(stream: IO[bytes]) -> bytes | None:
    """None when the other end is gone, or went in the middle of it."""
    size = stream.read(LENGTH_BYTES)
    if len(size) < LENGTH_BYTES:
        return None
    body = stream.read(int.from_bytes(size, "big"))
    return body if len(body) == int.from_bytes(size, "big") else None


def main() -> int:
    """Until standard input ends."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    while (wanted := read_message(sys.stdin.buffer)) is not None:
        write_message(sys.stdout.buffer, judge_part(wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
