"""Brings results of older versions into the packed form, school by school, beside the running collector.

Of each school: its results are examined as they are (do they fit their chain?), copied in small commits, and the copies are compared with them, octet
for octet; in one more commit readers change over to the copies, and only then what was copied is removed. Where it was stopped or killed it goes on.
A school whose results do not fit is set aside as it is: `verify` says what is wrong, and it stays readable.

Removed rows leave room inside the file, which new results use. `give_space_back` makes the file smaller.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b, sha256
from time import monotonic

from campus_collector.store.columns import bytes_of, id_octets, id_text
from campus_collector.store.database import Database
from campus_collector.store.errors import Conflict
from campus_collector.store.leases import Lease, held_lease
from campus_collector.store.packing import JSON_BEGINS, DamagedResult, pack, unpack
from campus_collector.store.tables.chain import first_head
from campus_collector.store.tables.marks import mark_value, set_mark
from campus_collector.store.tables.results import Numbers, insert_results
from campus_collector.store.tables.unpacked import UnpackedSchool, unpacked_schools
from campus_collector.store.transport import Queryable, Row, Transaction

log = logging.getLogger(__name__)

LEASE = "compaction"
LEASE_SECONDS = 2.0
ROWS_A_COMMIT = 500
"""A few milliseconds: what waits behind it hardly notices."""
SPACE_TO_GIVE_BACK = "space_to_give_back"
"""The mark that results were removed since the file was last made smaller."""
_RAW, _ROW, _ID = 32, 48, 16
"""Octets of digests: of a result's bytes, of these with its subject, kind and time, of its id."""


class Interrupted(Exception):
    """The work was stopped; it goes on from there next time."""


class DoesNotFit(Exception):
    """A school's results are not what their chain says; the text says how."""


@dataclass(frozen=True, slots=True)
class CompactionStatus:
    """How far the move is, in results; `schools` are still to come, `set_aside` are left as they are."""

    results: int
    copied: int
    schools: int
    set_aside: tuple[UnpackedSchool, ...]

    @property
    def is_done(self) -> bool:
        return self.schools == 0


def compaction_status(reader: Queryable) -> CompactionStatus | None:
    """None when all results are packed."""
    schools = unpacked_schools(reader)
    if not schools:
        return None
    to_move = [school for school in schools if school.state != "set_aside"]
    return CompactionStatus(
        sum(max(school.results, school.copied) for school in to_move),
        sum(school.copied for school in to_move),
        sum(school.state in ("unpacked", "packed") for school in to_move),
        tuple(school for school in schools if school.state == "set_aside"),
    )


class Compaction:
    """The move, by one process at a time."""

    def __init__(self, database: Database, is_stopped: Callable[[], bool], pause: Callable[[float], object]) -> None:
        """After each commit `pause` is called with the seconds that it took."""
        self._database, self._is_stopped, self._pause = database, is_stopped, pause

    def run(
        self, progress: Callable[[int, int], None] | None = None, *, retry: bool = False
    ) -> CompactionStatus | None:
        """Move what there is; the status afterwards. With `retry` schools that were set aside are examined again.

        Raises Interrupted, StoreBusy when another process is at work on this, StoreUnavailable.
        """
        if compaction_status(self._database) is None:
            return None
        with held_lease(self._database, LEASE, LEASE_SECONDS) as lease:
            if retry:
                self._database.write(_take_up_again)
            for school in unpacked_schools(self._database):
                self._move(
                    school, _Steps(self._database, school.school, lease, self._is_stopped, self._pause, progress)
                )
            self._database.write(_forget_removed)
        return compaction_status(self._database)

    def _move(self, school: UnpackedSchool, steps: "_Steps") -> None:
        began = monotonic()
        state = school.state
        if state == "unpacked":
            try:
                before = examine_unpacked(steps, school.school)
                steps.write(lambda transaction: _set_results(transaction, school.school, before.count))
                while steps.write(lambda transaction: copy_some(transaction, school.school)):
                    steps.show()
                if not examine_packed(steps, school.school).is_same(before):
                    raise DoesNotFit("the copies are not what was copied")
            except DoesNotFit as error:
                reason = str(error)
                steps.write(lambda transaction: _set_aside(transaction, school.school, reason))
                extra = {"school": school.school, "reason": reason}
                log.error("a school's results do not fit their chain and are left as they are: run verify", extra=extra)
                return
            steps.write(lambda transaction: _change_over(transaction, school.school))
            seconds = round(monotonic() - began, 1)
            log.info(
                "a school's results are packed, every octet and head compared",
                extra={"school": school.school, "results": before.count, "seconds": seconds},
            )
            state = "packed"
        if state == "packed":
            while steps.write(lambda transaction: remove_some(transaction, school.school)):
                pass


@dataclass(frozen=True, slots=True)
class _Steps:
    """Small pieces of work on one school with what belongs between them."""

    database: Database
    school: str
    lease: Lease
    is_stopped: Callable[[], bool]
    pause: Callable[[float], object]
    progress: Callable[[int, int], None] | None

    def between(self) -> None:
        """Raises Interrupted, StoreBusy."""
        if self.is_stopped():
            raise Interrupted
        self.lease.renew()

    def write(self, work: Callable[[Transaction], bool]) -> bool:
        """One commit. Raises as `between`, and StoreUnavailable."""
        self.between()
        began = monotonic()
        answer = self.database.write(work, whose=self.school)
        self.pause(monotonic() - began)
        return answer

    def rows(self, sql: str, key: dict[str, object]) -> Iterator[Row]:
        """Row by row. Raises as `between`."""
        began = monotonic()
        for number, row in enumerate(self.database.stream(sql, key)):
            if number % ROWS_A_COMMIT == 0:
                self.pause(monotonic() - began)
                self.between()
                began = monotonic()
            yield row

    def show(self) -> None:
        if self.progress is not None:
            status = compaction_status(self.database)
            if status is not None:
                self.progress(status.copied, status.results)


@dataclass(slots=True)
class Content:
    """Digests of all that is stored of a school: equal when every octet, id, subject, kind, time and place in the chain is."""

    rows: bytearray
    """Of each place of the chain the SHA-256 of its bytes, and a digest of subject, kind and time."""
    ids: bytearray
    """Of each place of the chain a digest of the id."""
    older: dict[int, bytes] = field(default_factory=dict)
    """As `rows`, of results that are older than the chain, by any number."""
    older_ids: dict[int, bytes] = field(default_factory=dict)

    @classmethod
    def of_chain(cls, length: int) -> "Content":
        """Nothing yet, of a chain of so many results."""
        return cls(bytearray(length * _ROW), bytearray(length * _ID))

    @property
    def count(self) -> int:
        return len(self.ids) // _ID + len(self.older)

    def put(self, sequence: int, raw: bytes, subject: str, kind: str, started_at: int) -> None:
        """Raises DoesNotFit for a place that is beyond the chain, or taken."""
        digest = sha256(raw).digest() + _digest(subject, kind, started_at)
        _put(self.rows if sequence > 0 else self.older, sequence, digest)

    def put_id(self, sequence: int, result_id: str) -> None:
        """Raises as `put`."""
        _put(self.ids if sequence > 0 else self.older_ids, sequence, _digest(result_id))

    def is_same(self, other: "Content") -> bool:
        return (self.rows, self.ids, self._all_older) == (other.rows, other.ids, other._all_older)

    @property
    def _all_older(self) -> list[bytes]:
        numbers = self.older.keys() | self.older_ids.keys()
        return sorted(self.older.get(number, b"") + self.older_ids.get(number, b"") for number in numbers)

    def heads(self, school: str) -> Iterator[tuple[int, bytes]]:
        """The chain's head after each place. Raises DoesNotFit at the first that is empty."""
        head = first_head(school)
        for number in range(len(self.rows) // _ROW):
            digest = bytes(self.rows[number * _ROW : number * _ROW + _RAW])
            if not any(digest):
                raise DoesNotFit(f"result #{number + 1} is missing")
            head = sha256(head + digest).digest()
            yield number + 1, head


def _put(places: bytearray | dict[int, bytes], sequence: int, digest: bytes) -> None:
    if isinstance(places, dict):
        taken = sequence in places
        places[sequence] = digest
    else:
        begin, end = (sequence - 1) * len(digest), sequence * len(digest)
        taken = end > len(places) or any(places[begin:end])
        places[begin:end] = digest
    if taken:
        raise DoesNotFit(f"place {sequence} of the chain is taken twice, or beyond its end")


def _digest(*values: object) -> bytes:
    return blake2b(repr(values).encode(errors="surrogatepass"), digest_size=_ID).digest()


def examine_unpacked(steps: _Steps, school: str) -> Content:
    """What is stored of a school in the form of before. Raises DoesNotFit unless it is what its chain, its receipts and its ids say."""
    key: dict[str, object] = {"school": school}
    row = steps.database.first("SELECT last_sequence, head FROM unpacked_school WHERE school = :school", key)
    last, last_head = row if row is not None else (0, None)
    content = Content.of_chain(last)
    rows = steps.rows(
        "SELECT r.subject, r.kind, r.started_at, r.id, r.raw, s.sequence, s.id FROM unpacked_result r"
        " LEFT JOIN unpacked_seen s ON s.school = r.school AND s.id = r.id WHERE r.school = :school",
        key,
    )
    for subject, kind, started_at, result_id, raw, place, seen in rows:
        if seen is None:
            raise DoesNotFit(f"result {result_id} never came through ingest")
        sequence = place or -len(content.older) - 1
        content.put(sequence, bytes_of(raw), subject, kind, started_at)
        content.put_id(sequence, result_id)
    _must_fit_heads(steps.database, school, content, last, last_head)
    older = steps.database.first("SELECT results_before FROM chain_start WHERE school = :school", key)
    if len(content.older) > (older[0] if older else 0):
        raise DoesNotFit(f"{len(content.older)} results have no place in the chain and are not older than it")
    ids = steps.database.first("SELECT count(*) FROM unpacked_seen WHERE school = :school", key)
    if ids is None or ids[0] != content.count:
        raise DoesNotFit("there are other ids than results")
    return content


def _must_fit_heads(reader: Queryable, school: str, content: Content, last: int, last_head: bytes | None) -> None:
    known: dict[int, set[bytes]] = {last: {last_head}} if last_head is not None else {}
    for table, sequence in (("seal", "last_sequence"), ("receipt", "sequence")):
        rows = reader.read(
            f"SELECT {sequence}, head FROM {table} WHERE school = :school AND {sequence} BETWEEN 1 AND :last",  # noqa: S608
            {"school": school, "last": last},
        )
        for number, head in rows:
            known.setdefault(number, set()).add(head)
    for number, head in content.heads(school):
        if known.get(number, {head}) != {head}:
            raise DoesNotFit(f"the head after result {number} is not the one that was sealed")


def examine_packed(steps: _Steps, school: str) -> Content:
    """What was copied of a school. Raises DoesNotFit when a place is taken twice or a row is damaged."""
    row = steps.database.first("SELECT last_sequence FROM unpacked_school WHERE school = :school", {"school": school})
    last = row[0] if row is not None else 0
    key: dict[str, object] = {"school": school, "last": last}
    content = Content.of_chain(last)
    ids = steps.rows(
        "SELECT i.sequence, i.id FROM numbered_school n JOIN seen i ON i.school = n.number"
        " WHERE n.school = :school AND i.sequence <= :last",
        key,
    )
    for sequence, octets in ids:
        content.put_id(sequence, id_text(octets))
    rows = steps.rows(
        "SELECT s.subject, s.kind, r.started_at, r.packed, r.sequence FROM numbered_school n"
        " JOIN series s ON s.school = n.number JOIN result r ON r.school = s.school AND r.series = s.number"
        " WHERE n.school = :school AND r.sequence <= :last",
        key,
    )
    try:
        for subject, kind, started_at, packed, sequence in rows:
            content.put(sequence, unpack(packed), subject, kind, started_at)
    except DamagedResult as error:
        raise DoesNotFit(f"a copy is damaged: {error}") from None
    return content


_KEY = ("subject", "kind", "started_at", "id")


def copy_some(transaction: Transaction, school: str) -> bool:
    """Copy the next results of a school. False when there are no more."""
    state = transaction.first(
        f"SELECT {', '.join(_KEY)}, copied, older FROM unpacked_school WHERE school = :school AND state = 'unpacked'",  # noqa: S608
        {"school": school},
    )
    if state is None:
        raise Conflict(f"{school}: another process has moved it")
    *last, copied, older = state
    rows = transaction.read(
        "SELECT r.subject, r.kind, r.started_at, r.id, r.raw, s.sequence FROM unpacked_result r"
        " JOIN unpacked_seen s ON s.school = r.school AND s.id = r.id WHERE r.school = :school"
        " AND (r.subject, r.kind, r.started_at, r.id) > (:subject, :kind, :started_at, :id)"
        " ORDER BY r.subject, r.kind, r.started_at, r.id LIMIT :rows",
        {"school": school, "rows": ROWS_A_COMMIT} | dict(zip(_KEY, last, strict=True)),
    )
    if not rows:
        return False
    numbers = Numbers(transaction, school)
    school_number = numbers.school
    ids: list[Row] = []
    results: list[Row] = []
    for subject, kind, started_at, result_id, raw, place in rows:
        older += not place
        sequence = place or -older
        ids.append((school_number, id_octets(result_id), sequence))
        series, packed = numbers.series(subject, kind), pack(kind, bytes_of(raw))
        results.append((school_number, series, started_at, sequence, packed))
    insert_results(transaction, ids, results)
    transaction.execute(
        "UPDATE unpacked_school SET subject = :subject, kind = :kind, started_at = :started_at, id = :id,"
        " copied = :copied, older = :older WHERE school = :school",
        {"school": school, "copied": copied + len(rows), "older": older} | dict(zip(_KEY, rows[-1], strict=False)),
    )
    return True


def remove_some(transaction: Transaction, school: str) -> bool:
    """Remove some of what a school's readers no longer read. False when nothing is left of it."""
    key: dict[str, object] = {"school": school, "rows": ROWS_A_COMMIT}
    row = transaction.first("SELECT 1 FROM unpacked_school WHERE school = :school AND state = 'packed'", key)
    if row is None:
        raise Conflict(f"{school}: another process has moved it")
    for table, columns in (("unpacked_result", "subject, kind, started_at, id"), ("unpacked_seen", "id")):
        removed = transaction.execute(
            f"DELETE FROM {table} WHERE school = :school AND ({columns}) IN"  # noqa: S608
            f" (SELECT {columns} FROM {table} WHERE school = :school ORDER BY {columns} LIMIT :rows)",
            key,
        )
        if removed:
            return True
    transaction.execute("UPDATE unpacked_school SET state = 'removed' WHERE school = :school", key)
    set_mark(transaction, SPACE_TO_GIVE_BACK, 1)
    return False


def _change_over(transaction: Transaction, school: str) -> bool:
    """From this commit on readers read the copies; the newest results of each subject are packed too."""
    changed = transaction.execute(
        "UPDATE unpacked_school SET state = 'packed' WHERE school = :school AND state = 'unpacked'", {"school": school}
    )
    if not changed:
        raise Conflict(f"{school}: another process has moved it")
    latest = transaction.read(
        "SELECT subject, kind, any_raw, ok_raw FROM latest WHERE school = :school", {"school": school}
    )
    transaction.execute_many(
        "UPDATE latest SET any_raw = :any_raw, ok_raw = :ok_raw"
        " WHERE school = :school AND subject = :subject AND kind = :kind",
        [
            {"school": school, "subject": subject, "kind": kind}
            | {"any_raw": _packed(kind, any_raw), "ok_raw": _packed(kind, ok_raw)}
            for subject, kind, any_raw, ok_raw in latest
        ],
    )
    return True


def _packed(kind: str, stored: bytes | str | None) -> bytes | None:
    if stored is None:
        return None
    octets = bytes_of(stored)
    return pack(kind, octets) if octets[:1] == bytes([JSON_BEGINS]) else octets


def _set_results(transaction: Transaction, school: str, results: int) -> bool:
    key = {"school": school, "results": results}
    return transaction.execute("UPDATE unpacked_school SET results = :results WHERE school = :school", key) > 0


def _set_aside(transaction: Transaction, school: str, reason: str) -> bool:
    key = {"school": school, "reason": reason}
    statement = "UPDATE unpacked_school SET state = 'set_aside', reason = :reason WHERE school = :school"
    return transaction.execute(statement, key) > 0


def _take_up_again(transaction: Transaction) -> int:
    return transaction.execute("UPDATE unpacked_school SET state = 'unpacked', reason = '' WHERE state = 'set_aside'")


def _forget_removed(transaction: Transaction) -> int:
    return transaction.execute("DELETE FROM unpacked_school WHERE state = 'removed'")


def has_space_to_give_back(reader: Queryable) -> bool:
    """Were results removed since the file was last made smaller?"""
    return mark_value(reader, SPACE_TO_GIVE_BACK) is not None


def space_given_back(transaction: Transaction) -> int:
    """Forget the mark."""
    return transaction.execute("DELETE FROM mark WHERE name = :name", {"name": SPACE_TO_GIVE_BACK})
