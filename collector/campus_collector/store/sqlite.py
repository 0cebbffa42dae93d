"""The store in one SQLite file: results as they came, agents, tokens; its other parts have a module each."""

import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import msgspec

from campus_collector.domain.problem import CONSOLE, Event, What
from campus_collector.domain.records import (
    Agent,
    Bad,
    Batch,
    BatchOutcome,
    Change,
    Enrolment,
    Latest,
    MissingLog,
    Principal,
    QuarantinedRow,
    Quotas,
    School,
    Subject,
)
from campus_collector.store.chain import Chain, Growing
from campus_collector.store.coordination import Lease
from campus_collector.store.database import Database, micros, moment_of
from campus_collector.store.errors import StoreBusy, StoreUnavailable
from campus_collector.store.evidence import EvidenceTable, await_judgement
from campus_collector.store.identity import note_boot
from campus_collector.store.inventory import InventoryTable
from campus_collector.store.ledger import LedgerTable, append, prepare
from campus_collector.store.missing_log import missing_log, note_receipt
from campus_collector.store.monthly import MonthlyTable
from campus_collector.store.people import PeopleTable
from campus_collector.store.quota import SchoolQuota
from campus_collector.store.stored import decode_stored
from campus_collector.store.totals import add_total
from campus_wire.failures import Validity
from campus_wire.records import AgentState, Announcement, AnyResult, Outcome, Quarantined, kind_of, outcome_of

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LEAST_FREE_BYTES = 10_000_000
"""With less than this a batch may fail any moment: the collector is not ready."""
CHECK_SECONDS = 60.0
CHECK_WRITE_SECONDS = 10.0
MAX_QUARANTINE_OF_SCHOOL = 500
"""Of each school its newest: a broken gateway must not take the place of another school's."""
MAX_KEPT_BEYOND_QUOTA_BYTES = 1000
JUDGED_KINDS = frozenset({"throughput", "service", "room", "port"})
"""Results of other kinds are shown, and change no verdict."""


class SqliteStore:
    """See `interface.Store`."""

    def __init__(self, path: Path, quotas: Quotas | None = None, *, must_exist: bool = False) -> None:
        """Open the file and bring it up to date; begin it when it is not there, unless it `must_exist`. Raises StoreUnusable, StoreUnavailable."""
        self._database = Database(path, must_exist=must_exist)
        self._quotas = quotas or Quotas()
        self.evidence = EvidenceTable(self._database)
        self.inventory = InventoryTable(self._database)
        self.ledger = LedgerTable(self._database)
        self.chain = Chain(self._database)
        self.monthly = MonthlyTable(self._database)
        self.people = PeopleTable(self._database)
        self._checking = threading.Lock()
        self._database.write(prepare, None)

    def submit(self, batch: Batch) -> "Future[BatchOutcome]":
        """Queue a batch for the next commit."""
        return self._database.submit(lambda connection: self._add(connection, batch))

    def subscribe(self, listener: Callable[[Change], None]) -> None:
        """Called from the writer's thread after each commit."""
        self._database.subscribe(listener)

    def issue_token(
        self, token_hash: bytes, principal: Principal, town: str | None, now: datetime, expires: datetime | None = None
    ) -> None:
        """Store the hash of a new token; make the school known if it is not."""

        def work(database: sqlite3.Connection) -> None:
            database.execute(
                "INSERT INTO token (hash, school, agent_id, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
                (token_hash, principal.school, principal.agent_id, micros(now), micros(expires) if expires else None),
            )
            _announce_school(database, principal.school, town)
            _note(database, now, CONSOLE, "token_issued", principal.school)
            self._database.note(Change(announced=frozenset({principal.school})))

        self._database.write(work)

    def issue_code(self, code_hash: bytes, school: str, town: str | None, now: datetime, expires: datetime) -> None:
        """One that is valid at a time."""

        def work(database: sqlite3.Connection) -> None:
            database.execute("DELETE FROM enroll_code WHERE school = ? AND used_at IS NULL", (school,))
            row = (code_hash, school, town, micros(now), micros(expires))
            database.execute(
                "INSERT INTO enroll_code (hash, school, town, created_at, expires_at) VALUES (?, ?, ?, ?, ?)", row
            )
            _note(database, now, CONSOLE, "code_issued", school)

        self._database.write(work)

    def redeem_code(self, code_hash: bytes, token_hash: bytes, now: datetime) -> Enrolment | None:
        """In one commit: of two gateways that come at once only one gets a token, and nothing that a code is spent for is read after it."""

        def work(database: sqlite3.Connection) -> Enrolment | None:
            row = database.execute(
                "UPDATE enroll_code SET used_at = ?2 WHERE hash = ?1 AND used_at IS NULL AND expires_at > ?2"
                " RETURNING school, town",
                (code_hash, micros(now)),
            ).fetchone()
            if row is None:
                return None
            school, town = row
            database.execute(
                "UPDATE token SET revoked_at = ? WHERE school = ? AND revoked_at IS NULL", (micros(now), school)
            )
            database.execute(
                "INSERT INTO token (hash, school, agent_id, created_at) VALUES (?, ?, ?, ?)",
                (token_hash, school, school, micros(now)),
            )
            _announce_school(database, school, town)
            _note(database, now, school, "agent_enrolled", school)
            self._database.note(Change(announced=frozenset({school})))
            (town,) = database.execute("SELECT town FROM school WHERE id = ?", (school,)).fetchone()
            return Enrolment(Principal(school, school), town)

        enrolment: Enrolment | None = self._database.write(work)
        return enrolment

    def revoke_tokens(self, school: str, now: datetime) -> int:
        """All of a school's tokens."""

        def work(database: sqlite3.Connection) -> int:
            cursor = database.execute(
                "UPDATE token SET revoked_at = ? WHERE school = ? AND revoked_at IS NULL", (micros(now), school)
            )
            _note(database, now, CONSOLE, "tokens_revoked", school)
            return cursor.rowcount

        revoked: int = self._database.write(work)
        return revoked

    def authenticate(self, token_hash: bytes) -> Principal | None:
        """By the hash's primary key: what an attacker could time is the hash, not the token."""
        now = datetime.now(UTC)
        row = self._database.one(
            "SELECT school, agent_id, replaces FROM token WHERE hash = ? AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > ?)",
            (token_hash, micros(now)),
        )
        if row is None:
            return None
        school, agent_id, replaces = row
        if replaces is not None:
            self._settle_token(token_hash, replaces, now)
        return Principal(school, agent_id)

    def rotate_token(self, token_hash: bytes, successor: bytes, now: datetime) -> bool:
        """A successor that was never used is void when another is asked for; it lives as long as the token was to live."""

        def work(database: sqlite3.Connection) -> bool:
            database.execute("DELETE FROM token WHERE replaces = ?", (token_hash,))
            added = database.execute(
                "INSERT INTO token (hash, school, agent_id, created_at, expires_at, replaces)"
                " SELECT ?2, school, agent_id, ?3, ?3 + (expires_at - created_at), hash FROM token"
                " WHERE hash = ?1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?3)",
                (token_hash, successor, micros(now)),
            )
            return added.rowcount == 1

        rotated: bool = self._database.write(work)
        return rotated

    def _settle_token(self, token_hash: bytes, replaced: bytes, now: datetime) -> None:
        def work(database: sqlite3.Connection) -> None:
            database.execute("UPDATE token SET replaces = NULL WHERE hash = ?", (token_hash,))
            database.execute(
                "UPDATE token SET revoked_at = ? WHERE hash = ? AND revoked_at IS NULL", (micros(now), replaced)
            )

        self._database.write(work)

    def token_expiries(self) -> dict[str, datetime]:
        """The latest of each school's tokens that are not revoked."""
        rows = self._database.all(
            "SELECT school, max(expires_at) FROM token WHERE revoked_at IS NULL GROUP BY school"
            " HAVING count(*) = count(expires_at)"
        )
        return {school: moment for school, last in rows if (moment := moment_of(last)) is not None}

    def schools(self, since: datetime | None = None) -> list[School]:
        """By town and id."""
        rows = self._database.all(
            "SELECT id, name, town, town_name, source, town_seat FROM school WHERE removed_at IS NULL OR removed_at > ?"
            " ORDER BY town, id",
            (None if since is None else micros(since),),
        )
        return [School(i, name, town, town_name, source, bool(seat)) for i, name, town, town_name, source, seat in rows]

    def subjects(
        self, school: str | None = None, since: datetime | None = None, until: datetime | None = None
    ) -> list[Subject]:
        """Those that are there now; with `since` also those removed later than that; with `until` only those known before."""
        where, values = _where(school=school)
        rows = self._database.all(
            "SELECT school, kind, id, name, required_bits_per_second, source, exempt_reason, added_at FROM"  # noqa: S608
            f" (SELECT * FROM subject {where}) WHERE (removed_at IS NULL OR removed_at > ?)"
            " AND (? IS NULL OR added_at < ?) ORDER BY school, kind, id",
            (*values, None if since is None else micros(since), *2 * (None if until is None else micros(until),)),
        )
        return [Subject(*row) for row in ((*row[:7], moment_of(row[7])) for row in rows)]

    def latest(self, school: str | None = None, subject: str | None = None) -> list[Latest]:
        """One row a subject and kind."""
        where, values = _where(school=school, subject=subject)
        rows = self._database.all(
            f"SELECT school, subject, kind, any_raw, ok_raw FROM latest {where} ORDER BY school, subject, kind",  # noqa: S608
            values,
        )
        return [
            Latest(s, u, k, newest, decode_stored(o) if o else None)
            for s, u, k, a, o in rows
            if (newest := decode_stored(a)) is not None
        ]

    def results(self, school: str, subject: str, kind: str, start: datetime, end: datetime) -> Iterator[AnyResult]:
        """Streamed in the order of the table."""
        with self._database.reading() as connection:
            rows = connection.execute(
                "SELECT raw FROM result WHERE school = ? AND subject = ? AND kind = ?"
                " AND started_at >= ? AND started_at < ? ORDER BY started_at, id",
                (school, subject, kind, micros(start), micros(end)),
            )
            for (raw,) in rows:
                result = decode_stored(raw)
                if result is not None:
                    yield result

    def raw_results(
        self, school: str, subject: str | None, kind: str | None, start: datetime, end: datetime, limit: int
    ) -> list[bytes]:
        """As they came."""
        rows = self._database.all(
            "SELECT raw FROM result WHERE school = ?1 AND (?2 IS NULL OR subject = ?2) AND (?3 IS NULL OR kind = ?3)"
            " AND started_at >= ?4 AND started_at < ?5 ORDER BY started_at DESC, id DESC LIMIT ?6",
            (school, subject, kind, micros(start), micros(end), limit),
        )
        return [row[0] for row in rows]

    def agents(self, school: str | None = None) -> list[Agent]:
        """By school."""
        where, values = _where(school=school)
        rows = self._database.all(
            f"SELECT school, agent_id, last_report_at, boot_id, state, identity_shared_at FROM agent {where} ORDER BY school, agent_id",  # noqa: S608
            values,
        )
        return [
            Agent(
                s,
                a,
                moment_of(at),
                boot,
                msgspec.json.decode(state, type=AgentState) if state else None,
                moment_of(shared),
            )
            for s, a, at, boot, state, shared in rows
        ]

    def measurement_totals(self) -> dict[tuple[str, Outcome], int]:
        """Durable."""
        rows = self._database.all("SELECT label, value FROM total WHERE name = 'measurement'")
        return {(label.split("/")[0], label.split("/")[1]): value for label, value in rows}

    def ingest_totals(self) -> dict[str, int]:
        """Durable."""
        return dict(self._database.all("SELECT label, value FROM total WHERE name = 'ingest'"))

    def quarantined(self, school: str | None, limit: int) -> list[Bad]:
        """Newest first."""
        rows = self._database.all(
            "SELECT id, reason, raw FROM quarantine WHERE ?1 IS NULL OR school = ?1 ORDER BY sequence DESC LIMIT ?2",
            (school, limit),
        )
        return [Bad(*row) for row in rows]

    def follow(self) -> None:
        """See `interface.Store`."""
        self._database.follow()

    @contextmanager
    def lease(self, name: str, patience_seconds: float) -> Iterator[Lease]:
        """See `interface.Store`."""
        lease = Lease(self._database, name)
        lease.take(patience_seconds)
        try:
            yield lease
        finally:
            with suppress(StoreUnavailable):  # then it runs out
                lease.give_back()

    def missing_log(self) -> MissingLog | None:
        """See `interface.Store`."""
        with self._database.reading() as connection:
            return missing_log(connection)

    def quarantine_rows(self, school: str | None, limit: int) -> list[QuarantinedRow]:
        """Newest first."""
        rows = self._database.all(
            "SELECT school, received_at, id, reason, raw FROM quarantine WHERE ?1 IS NULL OR school = ?1"
            " ORDER BY sequence DESC LIMIT ?2",
            (school, limit),
        )
        return [QuarantinedRow(row[0], moment_of(row[1]) or EPOCH, *row[2:]) for row in rows]

    def quarantine_counts(self) -> dict[str, int]:
        """Along the index."""
        return dict(self._database.all("SELECT school, count(*) FROM quarantine GROUP BY school ORDER BY school"))

    def check(self) -> None:
        """Reads each time; writes only when nothing was written for a minute: whoever asks often costs no disk."""
        path = self._database.path
        if not path.exists():
            raise StoreUnavailable(f"{path} is gone")
        free = shutil.disk_usage(path.parent).free
        if free < LEAST_FREE_BYTES:
            raise StoreUnavailable(f"only {free} bytes are free in {path.parent}")
        self._database.one("SELECT count(*) FROM migration")
        if monotonic() - self._database.last_commit_at >= CHECK_SECONDS and self._checking.acquire(blocking=False):
            try:
                self._check_writing()
            finally:
                self._checking.release()
        if self._database.trouble:
            raise StoreUnavailable(self._database.trouble)

    def _check_writing(self) -> None:
        """Raises StoreUnavailable. Nobody needs to know what becomes of this write: a commit that hangs is not waited for."""
        future = self._database.submit(lambda connection: add_total(connection, "check", "", 1))
        try:
            future.result(CHECK_WRITE_SECONDS)
        except FutureTimeout:
            future.cancel()
            raise StoreBusy(f"{self._database.path}: not written within {CHECK_WRITE_SECONDS:.0f} s") from None

    def close(self) -> None:
        """What is queued is committed first."""
        self._database.close()

    def _add(self, database: sqlite3.Connection, batch: Batch) -> BatchOutcome:
        school = batch.principal.school
        stored = duplicate = unannounced = 0
        touched: set[tuple[str, str, str]] = set()
        chain = Growing(database, school, batch.received_at)
        fits = chain.fits(batch.claimed, batch.received_at)
        if batch.claimed is not None and fits is not None:
            note_receipt(database, school, batch.claimed.sequence, fits)
        quota = SchoolQuota(database, school, batch.received_at, self._quotas)
        beyond: list[Quarantined] = []
        bad = list(batch.bad)
        for valid in batch.valid:
            reason = quota.refusal(valid)
            if reason is not None and not _is_seen(database, school, valid.result.id):
                beyond.append(Quarantined(valid.result.id, reason))
                bad.append(Bad(valid.result.id, reason, valid.raw[:MAX_KEPT_BEYOND_QUOTA_BYTES]))
                continue
            place = (school, valid.result.id, chain.sequence + 1)
            if database.execute("INSERT OR IGNORE INTO seen VALUES (?, ?, ?)", place).rowcount == 0:
                duplicate += 1
                continue
            chain.add(valid.raw)
            kind, outcome = kind_of(valid.result), outcome_of(valid.result)
            started = micros(valid.result.started_at)
            database.execute(
                "INSERT INTO result VALUES (?, ?, ?, ?, ?, ?)",
                (school, valid.result.subject, kind, started, valid.result.id, valid.raw),
            )
            # a time that is declared untrusted orders nothing: then it counts when it came
            trusted = valid.result.validity is not Validity.CLOCK_UNTRUSTED
            moment = started if trusted else micros(batch.received_at)
            _keep_latest(database, school, valid.result.subject, kind, moment, valid.raw, outcome == "ok")
            add_total(database, "measurement", f"{kind}/{outcome}", 1)
            unannounced += _know_subject(database, school, valid.result.subject, kind, moment)
            if kind in JUDGED_KINDS:
                await_judgement(database, school, valid.result.subject, kind, started, chain.sequence)
            touched.add((school, valid.result.subject, kind))
            quota.count(valid)
            stored += 1
        if stored:
            chain.seal()
            quota.keep()
        if bad:
            _quarantine(database, school, batch.received_at, bad)
        outcome_counts = {"stored": stored, "duplicate": duplicate, "quarantined": len(bad)}
        for label, amount in outcome_counts.items():
            if amount:
                add_total(database, "ingest", label, amount)
        reporting = frozenset({school})
        announced = self._note_agent(database, batch) or unannounced > 0
        self._database.note(
            Change(frozenset(touched), reported=reporting, announced=reporting if announced else frozenset())
        )
        return BatchOutcome(**outcome_counts, chain=chain.receipt(), chain_fits=fits, beyond_quota=beyond)

    def _note_agent(self, database: sqlite3.Connection, batch: Batch) -> bool:
        """The agent's state and what it announces; True when the inventory changed."""
        database.execute(
            "INSERT INTO agent (school, agent_id, last_report_at, boot_id, state) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (school, agent_id) DO UPDATE SET"
            " last_report_at = excluded.last_report_at, state = coalesce(excluded.state, state)",
            (
                batch.principal.school,
                batch.principal.agent_id,
                micros(batch.received_at),
                batch.boot_id,
                msgspec.json.encode(batch.agent) if batch.agent else None,
            ),
        )
        note_boot(database, batch)
        if batch.announcement is None:
            return False
        before = database.total_changes
        _announce(database, batch.principal.school, batch.announcement, micros(batch.received_at))
        return database.total_changes != before


def _is_seen(database: sqlite3.Connection, school: str, result_id: str) -> bool:
    """Is a result of this id stored already?"""
    return (
        database.execute("SELECT 1 FROM seen WHERE school = ? AND id = ?", (school, result_id)).fetchone() is not None
    )


def _quarantine(database: sqlite3.Connection, school: str, received_at: datetime, bad: Iterable[Bad]) -> None:
    """Keep results apart; of each school its newest."""
    database.executemany(
        "INSERT INTO quarantine (school, received_at, id, reason, raw) VALUES (?, ?, ?, ?, ?)",
        [(school, micros(received_at), result.id, result.reason, result.raw) for result in bad],
    )
    database.execute(
        "DELETE FROM quarantine WHERE school = ?1 AND sequence <= (SELECT sequence FROM quarantine WHERE school = ?1"
        " ORDER BY sequence DESC LIMIT 1 OFFSET ?2)",
        (school, MAX_QUARANTINE_OF_SCHOOL),
    )


def _note(database: sqlite3.Connection, now: datetime, who: str, what: What, school: str) -> None:
    append(database, Event(at=now, who=who, what=what, values={"school": school}), None)


def _where(**columns: str | None) -> tuple[str, tuple[str, ...]]:
    """A clause of those columns that are asked for, so that an index is used, and its values; the names are this module's own."""
    asked = {name: value for name, value in columns.items() if value is not None}
    clause = " AND ".join(f"{name} = ?" for name in asked)
    return (f"WHERE {clause}" if asked else "", tuple(asked.values()))


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


def _announce_school(database: sqlite3.Connection, school: str, town: str | None) -> None:
    """Make a school known; an imported inventory is never overruled."""
    database.execute(
        "INSERT INTO school (id, name, town, town_name, source) VALUES (?1, ?1, coalesce(?2, ''), coalesce(?2, ''), 'announced')"
        " ON CONFLICT (id) DO UPDATE SET town = excluded.town, town_name = excluded.town_name"
        " WHERE source = 'announced' AND ?2 IS NOT NULL AND town <> excluded.town",
        (school, town),
    )


_ROOM_FOR = (
    " WHERE NOT EXISTS (SELECT 1 FROM subject i WHERE i.school = ?1 AND i.kind = ?2 AND i.source = 'inventory')"
    " AND NOT (?2 IN ('uplink', 'recording_room')"
    "          AND EXISTS (SELECT 1 FROM school s WHERE s.id = ?1 AND s.source = 'inventory'))"
)
"""What an agent announces counts only for kinds of subjects that the inventory does not name for its school."""


def _know_subject(database: sqlite3.Connection, school: str, subject: str, kind: str, started: int) -> int:
    """A judged subject that nobody announced is known from its first result on. 1 when the list of subjects changed."""
    if kind == "room":
        if subject != "recording_room":  # a single room is shown; judged is what the school has
            return 0
        subject_kind = "recording_room"
    elif kind in ("throughput", "service"):
        subject_kind = "service" if kind == "service" else "uplink" if subject == "uplink" else "classroom"
    else:
        return 0
    row = (school, subject_kind, subject, started)
    added = database.execute(
        "INSERT OR IGNORE INTO subject (school, kind, id, name, source, added_at)"
        " SELECT ?1, ?2, ?3, ?3, 'announced', ?4" + _ROOM_FOR,
        row,
    ).rowcount
    earlier = database.execute(
        "UPDATE subject SET added_at = ?4 WHERE school = ?1 AND kind = ?2 AND id = ?3 AND added_at > ?4", row
    ).rowcount
    return added + earlier


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
            "INSERT INTO subject (school, kind, id, name, required_bits_per_second, source, added_at)"
            " SELECT ?1, ?2, ?3, ?4, ?5, 'announced', ?6" + _ROOM_FOR + " ON CONFLICT (school, kind, id) DO UPDATE SET"
            " name = excluded.name, required_bits_per_second = excluded.required_bits_per_second, removed_at = NULL"
            " WHERE source = 'announced' AND (name <> excluded.name OR removed_at IS NOT NULL"
            " OR required_bits_per_second IS NOT excluded.required_bits_per_second)",
            (school, kind, subject, name, required, now),
        )
    kept = msgspec.json.encode([f"{kind}/{subject}" for kind, subject, _, _ in rows]).decode()
    database.execute(
        "UPDATE subject SET removed_at = ? WHERE school = ? AND source = 'announced' AND removed_at IS NULL"
        " AND kind || '/' || id NOT IN (SELECT value FROM json_each(?))",
        (now, school, kept),
    )
