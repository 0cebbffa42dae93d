"""Two machines that report with one identity (a copied disk, a copied token): their boots take turns, and a machine's own never do.

A boot that was left does not come back: a late spool comes in envelopes of the boot that sends it. Two exceptions are allowed for.
A request that was held up on its way was written before the first one of the present boot. A virtual machine that was set back to a running
snapshot returns to an earlier boot once. So two returns within a day are asked for.
A second machine whose clock is behind is noticed so much later; agents go by the collector's time from its first answer on.
"""

import sqlite3
from datetime import UTC, datetime

from campus_collector.domain.records import IDENTITY_SHARED_FOR, Batch
from campus_collector.store.database import micros
from campus_wire.failures import Validity

EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
KEPT_BOOTS = 8
"""Of an agent: enough for several machines, of which each may restart."""


def note_boot(database: sqlite3.Connection, batch: Batch) -> None:
    """Remember the boot that an agent reports from, and when its boots take turns. The agent's row exists."""
    school, agent_id = key = (batch.principal.school, batch.principal.agent_id)
    known = dict(
        database.execute("SELECT boot_id, first_at FROM agent_boot WHERE school = ? AND agent_id = ?", key).fetchall()
    )
    present = database.execute("SELECT boot_id FROM agent WHERE school = ? AND agent_id = ?", key).fetchone()[0]
    now, written = micros(batch.received_at), micros(_written_at(batch))
    if batch.boot_id not in known:
        database.execute("INSERT INTO agent_boot VALUES (?, ?, ?, ?)", (school, agent_id, batch.boot_id, written))
        _forget_oldest(database, key)
    elif batch.boot_id != present:
        if written < known.get(present, written):
            return  # it was held up on its way
        database.execute(
            "UPDATE agent SET identity_shared_at = iif(boot_returned_at > ?3 - ?4, ?3, identity_shared_at),"
            " boot_returned_at = ?3 WHERE school = ?1 AND agent_id = ?2",
            (*key, now, int(IDENTITY_SHARED_FOR.total_seconds()) * 1_000_000),
        )
    if batch.boot_id != present:
        database.execute("UPDATE agent SET boot_id = ? WHERE school = ? AND agent_id = ?", (batch.boot_id, *key))


def _written_at(batch: Batch) -> datetime:
    """By the sender's clock: when its newest result of this boot began, else when it sent the envelope; within 1970 and its arrival."""
    sender = [
        valid.result.started_at
        for valid in batch.valid
        if valid.result.boot_id == batch.boot_id and valid.result.validity is not Validity.CLOCK_UNTRUSTED
    ]
    return min(max(EARLIEST, max(sender, default=batch.sent_at or batch.received_at)), batch.received_at)


def _forget_oldest(database: sqlite3.Connection, key: tuple[str, str]) -> None:
    database.execute(
        "DELETE FROM agent_boot WHERE school = ?1 AND agent_id = ?2 AND boot_id NOT IN (SELECT boot_id FROM agent_boot"
        " WHERE school = ?1 AND agent_id = ?2 ORDER BY first_at DESC LIMIT ?3)",
        (*key, KEPT_BOOTS),
    )
