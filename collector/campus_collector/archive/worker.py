"""The process in which a serving collector archives a closed month: its results take memory and a processor for a minute.

`python -m campus_collector.archive.worker` reads an `ArchiveWanted` on standard input and writes an `ArchiveDone`; it logs as the collector does.
"""

import logging
import os
import resource
import sys
from contextlib import closing
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from campus_base.logs import configure_logging
from campus_collector.archive.errors import NotArchived
from campus_collector.archive.service import Archives
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl
from campus_collector.judge.month import Month, parse_month
from campus_collector.judge.policy import load_policy
from campus_collector.store.archive.errors import ArchiveError
from campus_collector.store.errors import ArchiveLost, StoreBusy, StoreError
from campus_collector.store.open import open_store

log = logging.getLogger(__name__)
NICENESS = 10
"""Requests and reports come first."""


class ArchiveWanted(msgspec.Struct, frozen=True):
    """Where a collector's store, policy and archives are, and the month YYYY-MM that is due."""

    store: str
    policy_file: str
    timezone: str
    county: str
    directory: str
    month: str
    leaves: bool = False
    """Is it to leave the database? Else to be archived."""


class ArchiveDone(msgspec.Struct, frozen=True):
    """Was it done, and if not: why, where that is known."""

    archived: bool = False
    why: str = ""


def main() -> int:
    """Do what standard input asks for."""
    configure_logging()
    os.nice(NICENESS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=ArchiveWanted)
    sys.stdout.buffer.write(msgspec.json.encode(work(wanted)))
    return 0


def work(wanted: ArchiveWanted) -> ArchiveDone:
    """Archive the month. A store that is busy or cannot be reached is in the log: it is tried again."""
    try:
        place = PostgresUrl(wanted.store) if wanted.store.startswith(SCHEMES) else Path(wanted.store)
        store = open_store(place, archive_dir=Path(wanted.directory), must_exist=True)
        with closing(store):
            policy, zone = load_policy(Path(wanted.policy_file)), ZoneInfo(wanted.timezone)
            archives = Archives(store, policy, zone, wanted.county, Path(wanted.directory))
            if wanted.leaves:
                return _remove(archives, parse_month(wanted.month, zone))
            done = archives.archive_due(parse_month(wanted.month, zone))
            return ArchiveDone(done, archives.failed.get(wanted.month, ""))
    except StoreBusy as error:
        log.info("another process is at work on this", extra={"what": str(error)})
    except StoreError as error:
        log.error("store unavailable", extra={"error": str(error)})
    except (OSError, ArchiveError) as error:
        return ArchiveDone(why=str(error))
    return ArchiveDone()


def _remove(archives: Archives, month: Month) -> ArchiveDone:
    """Raises StoreError, ArchiveError."""
    try:
        archives.remove(month)
    except (NotArchived, ArchiveLost) as error:
        return ArchiveDone(why=str(error))
    return ArchiveDone(archived=True)


if __name__ == "__main__":
    sys.exit(main())
