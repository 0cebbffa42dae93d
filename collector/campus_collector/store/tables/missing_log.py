"""An SQLite database that was found in WAL mode without its -wal: a copy of a running collector's file that lacks its newest results, or the
file of a collector that crashed, which another SQLite program opened and closed: closing moved the log in, and nothing is missing.

The file is the same in both cases. The gateways' receipts are not: a gateway that holds the receipt for a result that is missing says so with
its next batch. So a school counts as confirmed when its gateway shows a receipt at least as new as the school's chain was when that was noticed.
"""

from campus_collector.domain.chain import MissingLog
from campus_collector.store.columns import moment
from campus_collector.store.tables.marks import mark_value, raise_mark, set_mark
from campus_collector.store.transport import Queryable, Transaction

MISSING_LOG = "copied_without_log"
"""The mark: when it was noticed, microseconds since 1970. It is removed when every school is confirmed."""
UNCONFIRMED = "unconfirmed/"
"""With the school behind it, the mark of a school that is not confirmed: so many results its chain had."""
NEVER = 2**62
"""In place of that number: the receipt did not fit, results are missing."""
REPORTED_WITHIN_MICROS = 86_400 * 1_000_000
"""A school whose gateway had been silent for longer, when the newest batch came in, is not waited for: its gateway may never come back."""


def note_missing_log(transaction: Transaction, now: int) -> None:
    """Remember that the log was missing, and of which schools a receipt is asked for."""
    if mark_value(transaction, MISSING_LOG) is None:
        set_mark(transaction, MISSING_LOG, now)
    rows = transaction.read(
        "SELECT seal.school, max(last_sequence) FROM seal JOIN"
        " (SELECT school, max(last_report_at) AS reported_at FROM agent GROUP BY school) AS report"
        " ON report.school = seal.school"
        " WHERE reported_at >= (SELECT max(last_report_at) FROM agent) - :within GROUP BY seal.school",
        {"within": REPORTED_WITHIN_MICROS},
    )
    for school, last_sequence in rows:
        raise_mark(transaction, UNCONFIRMED + school, last_sequence)


def note_receipt(transaction: Transaction, school: str, sequence: int, is_on_chain: bool) -> None:
    """A gateway showed its receipt for so many results, which is on the school's chain or is not."""
    if sequence == 0 or mark_value(transaction, MISSING_LOG) is None:
        return
    name = UNCONFIRMED + school
    if not is_on_chain:
        set_mark(transaction, name, NEVER)
        return
    transaction.execute("DELETE FROM mark WHERE name = :name AND value <= :value", {"name": name, "value": sequence})
    if not _unconfirmed(transaction):
        transaction.execute("DELETE FROM mark WHERE name = :name", {"name": MISSING_LOG})


def missing_log(reader: Queryable) -> MissingLog | None:
    """What is known of it; None when the log was never missing, or every school is confirmed."""
    noticed_at = mark_value(reader, MISSING_LOG)
    return None if noticed_at is None else MissingLog(moment(noticed_at), _unconfirmed(reader))


def _unconfirmed(reader: Queryable) -> tuple[str, ...]:
    """Schools that are still in the inventory and are not confirmed."""
    rows = reader.read(
        "SELECT id FROM school JOIN mark ON mark.name = :prefix || school.id WHERE removed_at IS NULL ORDER BY id",
        {"prefix": UNCONFIRMED},
    )
    return tuple(school for (school,) in rows)
