"""The store in one SQLite file: WAL, synchronous=FULL, one writer thread that commits many requests at once.

Readers have their own connections, one a thread. Nothing is acknowledged before the commit that holds it.
"""

import contextlib
import queue
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from campus_collector.store.interface import (
    Agent,
    Bad,
    Batch,
    BatchOutcome,
    Change,
    Latest,
    Principal,
    School,
    StoreUnavailable,
    StoreUnusable,
    Subject,
)
from campus_collector.store.migrate import migrate, shipped
from campus_wire.codec import decode_result
from campus_wire.failures import Validity
from campus_wire.records import AgentState, Announcement, AnyResult, Outcome, kind_of, outcome_of

MAX_GROUP = 64
LEAST_FREE_BYTES = 10_000_000
"""With less than this a batch may fail any moment: the collector is not ready."""
"""At most so many requests share a commit: bounds how long the first of them waits."""
BUSY_TIMEOUT_SECONDS = 5.0
MAX_QUARANTINE_ROWS = 100_000

_Job = tuple[Callable[[sqlite3.Connection], Any], "Future[Any]"]


class SqliteStore:
    """See `interface.Store`."""

    def __init__(self, path: Path) -> None:
        """Open or make the file and bring it up to date. Raises StoreUnusable, StoreUnavailable."""
        self._path = path
        self._local = threading.local()
        self._listeners: list[Callable[[Change], None]] = []
        self._changes: list[Change] = []
        self._jobs: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closed = False
        try:
            path.parent.mkdir(mode=0o750, parents=True, exist_ok=True)
            database = self._connect()
            migrate(database, shipped("sqlite"))
            database.close()
        except sqlite3.DatabaseError as error:
            kind = StoreUnavailable if isinstance(error, sqlite3.OperationalError) else StoreUnusable
            raise kind(f"{path}: {error}") from None
        except OSError as error:
            raise StoreUnavailable(f"{path}: {error.strerror or error}") from None
        self._writer = threading.Thread(target=self._write, name="store-writer", daemon=True)
        self._writer.start()

    def submit(self, batch: Batch) -> "Future[BatchOutcome]":
        """Queue a batch for the next commit."""
        return self._queue(lambda database: self._add(database, batch))

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called from the writer's thread after each commit."""
        self._listeners.append(listener)

    def issue_token(self, token_hash: bytes, principal: Principal, town: str | None, now: datetime) -> None:
        """Store the hash of a new token; make the school known if it is not."""

        def work(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO token (hash, school, agent_id, created_at) VALUES (?, ?, ?, ?)",
                (token_hash, principal.school, principal.agent_id, _micros(now)),
            )
            _announce_school(database, principal.school, town)
            self._changes.append(Change(inventory=True))

        self._queue(work).result()

    def revoke_tokens(self, school: str, now: datetime) -> int:
        """All of a school's tokens."""

        def work(database: sqlite3.Connection) -> int:
            cursor = database.execute(
                "UPDATE token SET revoked_at = ? WHERE school = ? AND revoked_at IS NULL", (_micros(now), school)
            )
            return cursor.rowcount

        revoked: int = self._queue(work).result()
        return revoked

    def authenticate(self, token_hash: bytes) -> Principal | None:
        """By the hash's primary key: what an attacker could time is the hash, not the token."""
        row = self._one("SELECT school, agent_id FROM token WHERE hash = ? AND revoked_at IS NULL", (token_hash,))
        return Principal(*row) if row else None

    def schools(self) -> list[School]:
        """By town and id."""
        return [
            School(*row) for row in self._all("SELECT id, name, town, town_name, source FROM school ORDER BY town, id")
        ]

    def subjects(self, school: str | None = None, since: datetime | None = None) -> list[Subject]:
        """Those not removed; with `since` also those that were removed later than that."""
        rows = self._all(
            "SELECT school, kind, id, name, required_bits_per_second, source FROM subject"
            " WHERE (removed_at IS NULL OR removed_at > ?2) AND (?1 IS NULL OR school = ?1) ORDER BY school, kind, id",
            (school, None if since is None else _micros(since)),
        )
        return [Subject(*row) for row in rows]

    def latest(self, school: str | None = None) -> list[Latest]:
        """One row a subject and kind."""
        rows = self._all(
            "SELECT school, subject, kind, any_raw, ok_raw FROM latest WHERE ?1 IS NULL OR school = ?1"
            " ORDER BY school, subject, kind",
            (school,),
        )
        return [Latest(s, u, k, decode_result(a), decode_result(o) if o else None) for s, u, k, a, o in rows]

    def results(self, school: str, subject: str, kind: str, start: datetime, end: datetime) -> Iterator[AnyResult]:
        """Streamed in the order of the table."""
        with self._reading() as database:
            rows = database.execute(
                "SELECT raw FROM result WHERE school = ? AND subject = ? AND kind = ?"
                " AND started_at >= ? AND started_at < ? ORDER BY started_at, id",
                (school, subject, kind, _micros(start), _micros(end)),
            )
            for (raw,) in rows:
                yield decode_result(raw)

    def raw_results(
        self, school: str, subject: str | None, kind: str | None, start: datetime, end: datetime, limit: int
    ) -> list[bytes]:
        """As they came."""
        rows = self._all(
            "SELECT raw FROM result WHERE school = ?1 AND (?2 IS NULL OR subject = ?2) AND (?3 IS NULL OR kind = ?3)"
            " AND started_at >= ?4 AND started_at < ?5 ORDER BY started_at DESC, id DESC LIMIT ?6",
            (school, subject, kind, _micros(start), _micros(end), limit),
        )
        return [row[0] for row in rows]

    def subjects_with_results(self, start: datetime, end: datetime) -> Iterable[tuple[str, str, str]]:
        """By jumping from subject to subject along the primary key, not by reading all results."""
        rows = self._all(
            "SELECT school, subject, kind FROM latest l WHERE EXISTS (SELECT 1 FROM result r WHERE r.school = l.school"
            " AND r.subject = l.subject AND r.kind = l.kind AND r.started_at >= ? AND r.started_at < ?)",
            (_micros(start), _micros(end)),
        )
        return [(row[0], row[1], row[2]) for row in rows]

    def agents(self) -> list[Agent]:
        """By school."""
        rows = self._all("SELECT school, agent_id, last_report_at, boot_id, state FROM agent ORDER BY school, agent_id")
        return [
            Agent(s, a, _moment(at), boot, msgspec.json.decode(state, type=AgentState) if state else None)
            for s, a, at, boot, state in rows
        ]

    def measurement_totals(self) -> dict[tuple[str, Outcome], int]:
        """Durable."""
        rows = self._all("SELECT label, value FROM total WHERE name = 'measurement'")
        return {(label.split("/")[0], label.split("/")[1]): value for label, value in rows}

    def ingest_totals(self) -> dict[str, int]:
        """Durable."""
        return dict(self._all("SELECT label, value FROM total WHERE name = 'ingest'"))

    def quarantined(self, school: str | None, limit: int) -> list[Bad]:
        """Newest first."""
        rows = self._all(
            "SELECT id, reason, raw FROM quarantine WHERE ?1 IS NULL OR school = ?1 ORDER BY sequence DESC LIMIT ?2",
            (school, limit),
        )
        return [Bad(*row) for row in rows]

    def check(self) -> None:
        """A real write, and room for more."""
        if not self._path.exists():
            raise StoreUnavailable(f"{self._path} is gone")
        free = shutil.disk_usage(self._path.parent).free
        if free < LEAST_FREE_BYTES:
            raise StoreUnavailable(f"only {free} bytes are free in {self._path.parent}")
        self._queue(lambda database: _add_total(database, "check", "", 1)).result()

    def close(self) -> None:
        """What is queued is committed first."""
        if not self._closed:
            self._closed = True
            self._jobs.put(None)
            self._writer.join()

    def _add(self, database: sqlite3.Connection, batch: Batch) -> BatchOutcome:
        school = batch.principal.school
        stored = duplicate = unannounced = 0
        touched: set[tuple[str, str, str]] = set()
        for one in batch.valid:
            if database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (school, one.result.id)).rowcount == 0:
                duplicate += 1
                continue
            kind, outcome = kind_of(one.result), outcome_of(one.result)
            started = _micros(one.result.started_at)
            database.execute(
                "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)",
                (school, one.result.subject, kind, started, one.result.id, one.raw),
            )
            # a time that is declared untrusted orders nothing: then it counts when it came
            trusted = one.result.validity is not Validity.CLOCK_UNTRUSTED
            moment = started if trusted else _micros(batch.received_at)
            _keep_latest(database, school, one.result.subject, kind, moment, one.raw, outcome == "ok")
            _add_total(database, "measurement", f"{kind}/{outcome}", 1)
            unannounced += _know_subject(database, school, one.result.subject, kind)
            touched.add((school, one.result.subject, kind))
            stored += 1
        for bad in batch.bad:
            database.execute(
                "INSERT INTO quarantine (school, received_at, id, reason, raw) VALUES (?, ?, ?, ?, ?)",
                (school, _micros(batch.received_at), bad.id, bad.reason, bad.raw),
            )
        if batch.bad:
            database.execute(
                "DELETE FROM quarantine WHERE sequence <= (SELECT max(sequence) FROM quarantine) - ?",
                (MAX_QUARANTINE_ROWS,),
            )
        outcome_counts = {"stored": stored, "duplicate": duplicate, "quarantined": len(batch.bad)}
        for label, amount in outcome_counts.items():
            if amount:
                _add_total(database, "ingest", label, amount)
        inventory = self._note_agent(database, batch) or unannounced > 0
        self._changes.append(Change(frozenset(touched), inventory))
        return BatchOutcome(**outcome_counts)

    def _note_agent(self, database: sqlite3.Connection, batch: Batch) -> bool:
        """The agent's state and what it announces; True when the inventory changed."""
        database.execute(
            "INSERT INTO agent VALUES (?, ?, ?, ?, ?) ON CONFLICT (school, agent_id) DO UPDATE SET"
            " last_report_at = excluded.last_report_at, boot_id = excluded.boot_id,"
            " state = coalesce(excluded.state, state)",
            (
                batch.principal.school,
                batch.principal.agent_id,
                _micros(batch.received_at),
                batch.boot_id,
                msgspec.json.encode(batch.agent) if batch.agent else None,
            ),
        )
        if batch.announcement is None:
            return False
        before = database.total_changes
        _announce(database, batch.principal.school, batch.announcement, _micros(batch.received_at))
        return database.total_changes != before

    def _write(self) -> None:
        """The writer's thread: take what waits, commit it once, answer all."""
        database: sqlite3.Connection | None = None
        while True:
            jobs = [self._jobs.get()]
            with contextlib.suppress(queue.Empty):
                while len(jobs) < MAX_GROUP:
                    jobs.append(self._jobs.get_nowait())
            waiting = [job for job in jobs if job is not None]
            self._changes.clear()
            answers: list[tuple[Future[Any], Any]] = []
            try:
                if waiting:
                    if not self._path.exists():
                        raise StoreUnavailable(f"{self._path} is gone")
                    database = database or self._connect()
                    database.execute("BEGIN IMMEDIATE")
                    answers = [(future, work(database)) for work, future in waiting]
                    database.execute("COMMIT")
            except Exception as error:
                if database is not None:
                    with contextlib.suppress(sqlite3.Error):
                        database.close()
                    database = None
                trouble = error if isinstance(error, StoreUnavailable) else StoreUnavailable(f"{self._path}: {error}")
                for _, future in waiting:
                    future.set_exception(trouble)
            else:
                for change in self._changes:  # before the answers: whoever has one must never read what was before it
                    for listener in self._listeners:
                        listener(change)
                for future, answer in answers:
                    future.set_result(answer)
            if None in jobs:
                if database is not None:
                    database.close()
                return

    def _queue(self, work: Callable[[sqlite3.Connection], Any]) -> "Future[Any]":
        future: Future[Any] = Future()
        if self._closed:
            future.set_exception(StoreUnavailable("the store is closed"))
        else:
            self._jobs.put((work, future))
        return future

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(
            self._path, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        return database

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            database: sqlite3.Connection | None = getattr(self._local, "database", None)
            if database is None:
                database = self._local.database = sqlite3.connect(
                    f"file:{self._path}?mode=ro", uri=True, timeout=BUSY_TIMEOUT_SECONDS, isolation_level=None
                )
            yield database
        except sqlite3.Error as error:
            self._local.database = None
            raise StoreUnavailable(f"{self._path}: {error}") from None

    def _all(self, sql: str, values: tuple[Any, ...] = ()) -> list[Any]:
        with self._reading() as database:
            return database.execute(sql, values).fetchall()

    def _one(self, sql: str, values: tuple[Any, ...]) -> Any:
        with self._reading() as database:
            return database.execute(sql, values).fetchone()


def _keep_latest(
    database: sqlite3.Connection, school: str, subject: str, kind: str, started: int, raw: bytes, ok: bool
) -> None:
    """A late result never replaces a newer one."""
    database.execute(
        "INSERT INTO latest VALUES (?1, ?2, ?3, ?4, ?5, iif(?6, ?4, NULL), iif(?6, ?5, NULL))"
        " ON CONFLICT (school, subject, kind) DO UPDATE SET"
        " any_raw = iif(excluded.any_started_at >= any_started_at, excluded.any_raw, any_raw),"
        " any_started_at = max(any_started_at, excluded.any_started_at),"
        " ok_raw = iif(?6 AND excluded.ok_started_at >= coalesce(ok_started_at, -1), excluded.ok_raw, ok_raw),"
        " ok_started_at = iif(?6, max(coalesce(ok_started_at, -1), excluded.ok_started_at), ok_started_at)",
        (school, subject, kind, started, raw, ok),
    )


def _add_total(database: sqlite3.Connection, name: str, label: str, amount: int) -> None:
    database.execute(
        "INSERT INTO total VALUES (?, ?, ?) ON CONFLICT (name, label) DO UPDATE SET value = value + excluded.value",
        (name, label, amount),
    )


def _announce_school(database: sqlite3.Connection, school: str, town: str | None) -> None:
    """Make a school known; an imported inventory is never overruled."""
    database.execute(
        "INSERT INTO school VALUES (?1, ?1, coalesce(?2, ''), coalesce(?2, ''), 'announced')"
        " ON CONFLICT (id) DO UPDATE SET town = excluded.town, town_name = excluded.town_name"
        " WHERE source = 'announced' AND ?2 IS NOT NULL AND town <> excluded.town",
        (school, town),
    )


def _know_subject(database: sqlite3.Connection, school: str, subject: str, kind: str) -> int:
    """A judged subject that nobody announced is known from its first result on. 1 when it is new."""
    if kind == "room":
        if subject != "recording_room":  # a single room is shown; judged is what the school has
            return 0
        subject_kind = "recording_room"
    elif kind in ("throughput", "service"):
        subject_kind = "service" if kind == "service" else "uplink" if subject == "uplink" else "classroom"
    else:
        return 0
    row = (school, subject_kind, subject, subject)
    return database.execute("INSERT OR IGNORE INTO subject VALUES (?, ?, ?, ?, NULL, 'announced', NULL)", row).rowcount


def _announce(database: sqlite3.Connection, school: str, announced: Announcement, now: int) -> None:
    _announce_school(database, school, announced.town)
    rows: list[tuple[str, str, str, float | None]] = [
        ("classroom", room.id, room.name or room.id, room.required_bits_per_second) for room in announced.classrooms
    ]
    rows += [("service", service.id, service.name or service.id, None) for service in announced.services]
    if announced.uplink:
        rows.append(("uplink", "uplink", "uplink", announced.uplink_required_bits_per_second))
    if announced.recording_rooms:  # judged is whether the school has one that works
        rows.append(("recording_room", "recording_room", "recording_room", None))
    for kind, subject, name, required in rows:
        database.execute(
            "INSERT INTO subject VALUES (?, ?, ?, ?, ?, 'announced', NULL) ON CONFLICT (school, kind, id) DO UPDATE SET"
            " name = excluded.name, required_bits_per_second = excluded.required_bits_per_second, removed_at = NULL"
            " WHERE source = 'announced' AND (name <> excluded.name OR removed_at IS NOT NULL"
            " OR required_bits_per_second IS NOT excluded.required_bits_per_second)",
            (school, kind, subject, name, required),
        )
    kept = msgspec.json.encode([f"{kind}/{subject}" for kind, subject, _, _ in rows]).decode()
    database.execute(
        "UPDATE subject SET removed_at = ? WHERE school = ? AND source = 'announced' AND removed_at IS NULL"
        " AND kind || '/' || id NOT IN (SELECT value FROM json_each(?))",
        (now, school, kept),
    )


def _micros(moment: datetime) -> int:
    """Microseconds since 1970, exactly."""
    delta = moment.astimezone(UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def _moment(micros: int | None) -> datetime | None:
    return None if micros is None else datetime.fromtimestamp(micros / 1e6, UTC)
