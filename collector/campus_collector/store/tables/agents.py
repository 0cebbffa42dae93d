"""Agents: their last report and state, and the boots they report from.

Two machines that report with one identity (a copied disk, a copied token) are noticed because their boots take turns, and a machine's own
boots never do: a boot that was left does not come back, and a late spool comes in envelopes of the boot that sends it. Two exceptions:
a request that was held up on its way was written before the first one of the present boot; and a virtual machine that was set back to a
running snapshot returns to an earlier boot once, so two returns within a day are asked for.
A second machine whose clock is behind is noticed so much later; agents go by the collector's time from its first answer on.
"""

from datetime import datetime

import msgspec

from campus_collector.domain.agents import IDENTITY_SHARED_FOR, Agent
from campus_collector.domain.days import EPOCH
from campus_collector.domain.results import Batch
from campus_collector.store.columns import micros, moment_or_none, where
from campus_collector.store.tables.table import TableGroup, fields, insert
from campus_collector.store.transport import Transaction
from campus_wire.failures import Validity
from campus_wire.records import AgentState

KEPT_BOOTS = 8
"""Of an agent: enough for several machines, of which each may restart."""
_OF_AGENT = "WHERE school = :school AND agent_id = :agent_id"


class AgentTable(TableGroup):
    """Agents as they reported last."""

    def all(self, school: str | None = None) -> list[Agent]:
        """All agents, or one school's, by school."""
        rows = self._database.read(
            "SELECT school, agent_id, last_report_at, boot_id, state, identity_shared_at FROM agent"
            f" {where(school=school)} ORDER BY school, agent_id",
            {"school": school},
        )
        return [
            Agent(
                school_id,
                agent_id,
                moment_or_none(last_report_at),
                boot_id,
                msgspec.json.decode(state, type=AgentState) if state else None,
                moment_or_none(identity_shared_at),
            )
            for school_id, agent_id, last_report_at, boot_id, state, identity_shared_at in rows
        ]


class AgentReports:
    """What the batches of one commit say of their senders."""

    def __init__(self, transaction: Transaction, boots: dict[tuple[str, str], str]) -> None:
        """`boots` are those that agents report from, and have reported from before, by school and agent."""
        self._transaction = transaction
        self._present = boots
        self._unwritten: dict[tuple[str, str], dict[str, object]] = {}

    def note(self, batch: Batch) -> None:
        """Keep when an agent reported last, its state if the batch has one, and the boot it reports from."""
        key = (batch.principal.school, batch.principal.agent_id)
        row = fields(batch.principal, "school", "agent_id") | {
            "last_report_at": micros(batch.received_at),
            "boot_id": batch.boot_id,
            "state": msgspec.json.encode(batch.agent) if batch.agent else None,
        }
        before = self._unwritten.get(key)
        if before is not None and row["state"] is None:
            row["state"] = before["state"]
        self._unwritten[key] = row
        if self._present.get(key) != batch.boot_id:
            self.write()
            _note_boot(self._transaction, batch)
            self._present[key] = _present_boot(self._transaction, fields(batch.principal, "school", "agent_id"))

    def write(self) -> None:
        """What was noted, at the latest with the commit's last batch."""
        self._transaction.execute_many(
            insert("agent", "school", "agent_id", "last_report_at", "boot_id", "state")
            + " ON CONFLICT (school, agent_id) DO UPDATE SET"
            " last_report_at = excluded.last_report_at, state = coalesce(excluded.state, agent.state)",
            list(self._unwritten.values()),
        )
        self._unwritten.clear()


def _present_boot(transaction: Transaction, key: dict[str, object]) -> str:
    row = transaction.first(f"SELECT boot_id FROM agent {_OF_AGENT}", key)
    assert row is not None
    return str(row[0])


def _note_boot(transaction: Transaction, batch: Batch) -> None:
    """Keep the boot that an agent reports from, and when its boots take turns. The agent's row exists."""
    key = fields(batch.principal, "school", "agent_id")
    first_at: dict[str, int] = dict(transaction.read(f"SELECT boot_id, first_at FROM agent_boot {_OF_AGENT}", key))
    present = _present_boot(transaction, key)
    written = micros(_written_at(batch))
    if batch.boot_id not in first_at:
        transaction.execute(
            insert("agent_boot", "school", "agent_id", "boot_id", "first_at"),
            key | {"boot_id": batch.boot_id, "first_at": written},
        )
        _forget_oldest(transaction, key)
    elif batch.boot_id != present:
        if written < first_at.get(present, written):
            return  # it was held up on its way
        now = micros(batch.received_at)
        transaction.execute(
            f"UPDATE agent SET boot_returned_at = :now, identity_shared_at ="
            f" CASE WHEN boot_returned_at > :since THEN :now ELSE identity_shared_at END {_OF_AGENT}",
            key | {"now": now, "since": now - int(IDENTITY_SHARED_FOR.total_seconds()) * 1_000_000},
        )
    if batch.boot_id != present:
        transaction.execute(f"UPDATE agent SET boot_id = :boot_id {_OF_AGENT}", key | {"boot_id": batch.boot_id})


def _written_at(batch: Batch) -> datetime:
    """By the sender's clock: when its newest result of this boot began, else when it sent the envelope; within 1970 and its arrival."""
    started = [
        accepted.result.started_at
        for accepted in batch.accepted
        if accepted.result.boot_id == batch.boot_id and accepted.result.validity is not Validity.CLOCK_UNTRUSTED
    ]
    return min(max(EPOCH, max(started, default=batch.sent_at or batch.received_at)), batch.received_at)


def _forget_oldest(transaction: Transaction, key: dict[str, object]) -> None:
    transaction.execute(
        f"DELETE FROM agent_boot {_OF_AGENT} AND boot_id NOT IN"
        f" (SELECT boot_id FROM agent_boot {_OF_AGENT} ORDER BY first_at DESC LIMIT :kept)",
        key | {"kept": KEPT_BOOTS},
    )
