"""Archives of a collector that serves: made in a process of their own (see `worker`)."""

import logging
import subprocess
import sys
from collections.abc import Callable
from time import monotonic

import msgspec

from campus_collector.archive.service import Archives
from campus_collector.archive.worker import ArchiveDone, ArchiveWanted

log = logging.getLogger(__name__)
WALL_SECONDS = 3600
RETRY_SECONDS = 600.0
"""What could not be archived is tried again: older results may be packed by then, or the disk have room."""


class SeparateArchives:
    """Archives what is due; called from one thread, stopped from any."""

    def __init__(self, wanted: Callable[[], ArchiveWanted], archives: Archives) -> None:
        self._wanted, self._archives = wanted, archives
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._retry_at = 0.0

    def catch_up(self) -> list[str]:
        """The months that were archived. Raises StoreUnavailable, OSError, TimeoutExpired."""
        if self._stopped or monotonic() < self._retry_at or not self._archives.due():
            return []
        command = [sys.executable, "-m", "campus_collector.archive.worker"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._process = process
        try:
            output, _ = process.communicate(msgspec.json.encode(self._wanted()), WALL_SECONDS)
        finally:
            process.kill()
            process.wait()
            self._process = None
        self._retry_at = monotonic() + RETRY_SECONDS
        if process.returncode != 0:
            log.error("months are not archived; it is tried again", extra={"exit": process.returncode})
            return []
        done = msgspec.json.decode(output, type=ArchiveDone)
        for month, why in done.failed.items():
            log.error("a month is not archived", extra={"month": month, "why": why})
        self._archives.failed = done.failed
        for month in done.archived:
            log.info("month archived", extra={"month": month})
        return done.archived

    def stop(self) -> None:
        """What is being written is given up; it is written after the next start."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()
