"""While a collector serves, results of older versions are brought into the packed form, and at night the file is made smaller."""

import asyncio
import logging
import threading
from datetime import date, datetime

from campus_collector.http.service import Service
from campus_collector.store.compaction import Interrupted
from campus_collector.store.errors import NotEnoughSpace, StoreBusy, StoreUnavailable

log = logging.getLogger(__name__)

RETRY_SECONDS = 60.0
LONGEST_PAUSE_SECONDS = 1.0
NIGHT_HOURS = range(1, 5)
"""Local time. While the file is made smaller nobody can write: gateways keep their results and come again."""


class BackgroundCompaction:
    """Works half of the time, in a thread of its own, until there is nothing left to do."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._stopped = threading.Event()
        self._tried_on: date | None = None

    async def run(self) -> None:
        """Ends when everything is done, or soon after `stop`."""
        while not self._stopped.is_set():
            try:
                if await asyncio.to_thread(self._work):
                    return
            except Interrupted:
                return
            except StoreBusy as error:
                log.info("another process is at work on this", extra={"what": str(error)})
            except StoreUnavailable as error:
                log.error("store unavailable", extra={"error": str(error)})
            except Exception:
                log.exception("results of older versions are not moved; it is tried again")
            await asyncio.to_thread(self._stopped.wait, RETRY_SECONDS)

    def stop(self) -> None:
        """It ends after the commit it is at."""
        self._stopped.set()

    def _work(self) -> bool:
        """True when nothing is left to do. Raises Interrupted, StoreBusy, StoreUnavailable."""
        store = self._service.store
        status = store.compaction_status()
        if status is not None and not status.is_done:
            extra = {"results": status.results, "copied": status.copied, "schools": status.schools}
            log.info("results of older versions are being packed", extra=extra)
            store.compaction(self._stopped.is_set, self._pause).run()
            log.info("results of older versions are packed")
        if not store.has_space_to_give_back():
            return True
        now = datetime.now(self._service.config.timezone)
        if now.hour in NIGHT_HOURS and self._tried_on != now.date():
            self._tried_on = now.date()
            self._give_space_back()
        return False

    def _give_space_back(self) -> None:
        """Raises StoreBusy, StoreUnavailable."""
        try:
            sizes = self._service.store.give_space_back()
        except NotEnoughSpace as error:
            extra = {"folder": error.filename, "needed": error.needed, "free": error.free}
            log.warning("the database's file is not made smaller: too little room beside it", extra=extra)
        else:
            if sizes is not None:
                log.info("the database's file was made smaller", extra={"before": sizes[0], "after": sizes[1]})

    def _pause(self, seconds: float) -> None:
        self._stopped.wait(min(seconds, LONGEST_PAUSE_SECONDS))
