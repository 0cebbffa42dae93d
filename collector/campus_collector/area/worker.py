"""The process in which a collector that serves prepares its closed months for the level above: their figures take memory that it would never give back.

`python -m campus_collector.area.worker` reads a `MonthsWanted` on standard input, and writes how many bundles were made.
"""

import os
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from campus_base.logs import configure_logging
from campus_base.messages import message
from campus_collector.area.key import SigningKey
from campus_collector.area.make import BundleSender
from campus_collector.area.outbox import Outbox
from campus_collector.domain.area import SchoolDetail
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.open import open_store

NICENESS = 5
"""Requests are answered first."""
WALL_SECONDS = 1800


class MonthsWanted(msgspec.Struct, frozen=True):
    """Where the store and the key are, and who sends."""

    store: str
    key_folder: str | None
    county: str
    name: str
    detail: SchoolDetail


def prepare(wanted: MonthsWanted) -> int:
    """How many bundles were made in this process. Raises NoSigningKey, StoreError."""
    place = PostgresUrl(wanted.store) if wanted.store.startswith(SCHEMES) else Path(wanted.store)
    with closing(open_store(place, must_exist=True)) as store:
        key = SigningKey(store, Path(wanted.key_folder) if wanted.key_folder is not None else None)
        sender = BundleSender(wanted.county, wanted.name, wanted.detail)
        return Outbox(store, key).prepare_months(sender, datetime.now(UTC))


def prepare_apart(wanted: MonthsWanted, started: Callable[[subprocess.Popen[bytes]], None]) -> int:
    """The same in a separate process, which `started` may kill. Raises StoreUnavailable when it ends without an answer."""
    command = [sys.executable, "-m", "campus_collector.area.worker"]
    failed = message("months for the level above could not be prepared: see the collector's log")
    try:
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            started(process)
            try:
                output, _ = process.communicate(msgspec.json.encode(wanted), WALL_SECONDS)
            finally:
                process.kill()
        return int(output)
    except (OSError, ValueError, subprocess.TimeoutExpired):  # ValueError: it ended without an answer
        raise StoreUnavailable(failed) from None


def main() -> int:
    """Do what standard input asks for."""
    configure_logging()
    os.nice(NICENESS)
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=MonthsWanted)
    print(prepare(wanted))
    return 0


if __name__ == "__main__":
    sys.exit(main())
