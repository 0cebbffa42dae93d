"""Archives of a collector that serves: made in separate processes (see `worker`)."""

import logging
import subprocess
import sys
from collections.abc import Callable
from time import monotonic

import msgspec

from campus_collector.archive.service import Archives
from campus_collector.archive.worker import ArchiveDone, ArchiveWanted
from campus_collector.judge.month import Month

log = logging.getLogger(__name__)
WALL_SECONDS = 3600
RETRY_SECONDS = 600.0
"""What could not be archived is tried again: older results may be packed by then, or the disk have room."""


class SeparateArchives:
    """Archives what is due; called from one thread, stopped from any."""

    def __init__(
        self, wanted: Callable[[str, bool], ArchiveWanted], archives: Archives, leaving: Callable[[], list[Month]]
    ) -> None:
        """`wanted` says what a month's process needs, and whether it leaves; `leaving` are the months that are to leave the database."""
        self._wanted, self._archives, self._leaving = wanted, archives, leaving
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False
        self._retry_at = 0.0
        self._elsewhere: set[str] = set()
        """Months that another machine lets leave the database: the log says so once."""

    def catch_up(self) -> list[str]:
        """The months that were archived; months that are due leave the database. Each by a separate process. Raises StoreUnavailable, OSError."""
        if self._stopped or monotonic() < self._retry_at:
            return []
        due = [str(month) for month in self._archives.due()]
        leaving = [str(month) for month in self._leaving() if not self._is_elsewhere(month)]
        if due or leaving:
            self._retry_at = monotonic() + RETRY_SECONDS
        archived = [month for month in due if not self._stopped and self._run(month, leaves=False)]
        for month in leaving:
            if not self._stopped:
                self._run(month, leaves=True)
        return archived

    def _is_elsewhere(self, month: Month) -> bool:
        if not self._archives.is_elsewhere(month):
            return False
        if str(month) not in self._elsewhere:
            self._elsewhere.add(str(month))
            words = "a month is to leave the database and its archive is not on this machine: another one lets it leave"
            log.info(words, extra={"month": str(month)})
        return True

    def _run(self, month: str, *, leaves: bool) -> bool:
        why = ""
        try:
            output = self._answer(month, leaves)
        except subprocess.TimeoutExpired:
            output, why = None, f"it took longer than {WALL_SECONDS} s"
        done = ArchiveDone(why=why) if output is None else msgspec.json.decode(output, type=ArchiveDone)
        self._archives.failed.pop(month, None)
        if done.archived:
            log.info("month has left the database" if leaves else "month archived", extra={"month": month})
        elif done.why:
            self._archives.failed[month] = done.why
            what = "does not leave the database" if leaves else "is not archived"
            log.error(f"a month {what}; it is tried again", extra={"month": month, "why": done.why})
        return done.archived

    def _answer(self, month: str, leaves: bool) -> bytes | None:
        """Of the process; None where it ended without one. Raises TimeoutExpired, OSError."""
        command = [sys.executable, "-m", "campus_collector.archive.worker"]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._process = process
        try:
            output, _ = process.communicate(msgspec.json.encode(self._wanted(month, leaves)), WALL_SECONDS)
        finally:
            process.kill()
            process.wait()
            self._process = None
        if process.returncode != 0:
            log.error("months are not archived; it is tried again", extra={"exit": process.returncode})
            return None
        return output

    def stop(self) -> None:
        """What is being written is given up; it is written after the next start."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()
