"""Upward reporting of one collector: prepares what is due, sends what waits, says how far it is."""

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from campus_base.messages import message
from campus_collector.area.key import SigningKey
from campus_collector.area.outbox import Outbox
from campus_collector.area.sender import LEASE, MonthSender, SentMonths
from campus_collector.area.worker import MonthsWanted, prepare_apart
from campus_collector.config import UpstreamConfig
from campus_collector.domain.area import Level, OutgoingMonth, Upstream
from campus_collector.store.archive.duck import has_duckdb
from campus_collector.store.errors import StoreUnavailable
from campus_collector.store.store import Store

DOCUMENTS_WITHIN = timedelta(minutes=10)
"""So long a month that was just closed waits for its documents, whose hashes the bundle names."""
DOCUMENTS = 8
"""Four forms in two languages."""
ARCHIVED_WITHIN = timedelta(hours=6)
"""So long it waits for its archive, whose manifest the bundle names; without DuckDB there is none to wait for."""


def utc_now() -> datetime:
    return datetime.now(UTC)


class UpwardReporting:
    """Every method may be called from any thread; of several collectors on a database one works at a time."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        level: Level,
        name: str,
        config: UpstreamConfig | None,
        store_place: str,
        key_folder: Path | None,
    ) -> None:
        """Nothing is read yet. Without a configuration nothing goes up. `store_place` and `key_folder` are for a separate process."""
        self._store, self._key, self._level, self._name = store, key, level, name
        self._config, self._place, self._key_folder = config, store_place, key_folder
        self._outbox = Outbox(store, key)
        self._process: subprocess.Popen[bytes] | None = None
        self._stopped = False

    @property
    def is_configured(self) -> bool:
        return self._config is not None

    def upstream(self) -> Upstream | None:
        """Where this collector is enrolled; None where nothing goes up, or not yet."""
        return self._store.outgoing.upstream() if self._config is not None else None

    def run(self, now: Callable[[], datetime] = utc_now, *, at_once: bool = False) -> SentMonths:
        """Prepare and send; `at_once` waits neither for documents and archive nor for the next attempt. Raises NoSigningKey, StoreBusy, StoreUnavailable (also once it is stopped)."""
        upstream = self.upstream()
        if upstream is None or self._config is None:
            return SentMonths(0, 0, 0)
        if not self._store.outgoing.waiting() and not self._is_due(now(), at_once=at_once):
            return SentMonths(0, 0, 0)
        with self._store.lease(LEASE, 0.0) as lease:
            if self._is_due(now(), at_once=at_once):
                self._prepare(upstream, self._config, now())

            def advance() -> None:
                self._check_goes_on()
                lease.renew()

            sender = MonthSender(
                self._store, self._key, self._config.url, self._config.token_file, self._config.ca_file
            )
            return sender.send(now, advance, at_once=at_once)

    def stop(self) -> None:
        """What is being prepared is given up and nothing more is sent: both are done after the next start."""
        self._stopped = True
        if (process := self._process) is not None:
            process.kill()

    def _check_goes_on(self) -> None:
        if self._stopped:
            raise StoreUnavailable(message("the collector is being stopped"))

    def _keep(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        if self._stopped:  # just now
            process.kill()

    def months(self) -> list[OutgoingMonth]:
        """What was prepared, the newest first."""
        return self._store.outgoing.all()[::-1]

    def _is_due(self, now: datetime, *, at_once: bool) -> bool:
        if self._level != "county":
            return bool(self._store.area.not_handed_on(1))
        due = self._outbox.months_due()
        return bool(due) and (at_once or all(self._has_parts(month, now) for month in due))

    def _has_parts(self, month: str, now: datetime) -> bool:
        """Has a closed month its documents and its archive, or waited for them long enough?"""
        closed = self._store.monthly.closed(month)
        if closed is None:
            return False
        age = now - closed.closed_at
        documents = age > DOCUMENTS_WITHIN or len(self._store.monthly.documents(month)) >= DOCUMENTS
        archived = age > ARCHIVED_WITHIN or not has_duckdb() or month in self._store.archives.records()
        return documents and archived

    def _prepare(self, upstream: Upstream, config: UpstreamConfig, now: datetime) -> None:
        self._check_goes_on()
        if self._level != "county":
            while self._outbox.prepare_handed_on(upstream.id, now):
                self._check_goes_on()
            return
        folder = self._key_folder
        prepare_apart(
            MonthsWanted(
                self._place,
                str(folder) if folder is not None else None,
                upstream.id,
                self._name or upstream.id,
                config.schools,
            ),
            self._keep,
        )
