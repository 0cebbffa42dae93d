"""Months that go up: where this collector is enrolled, and its bundles with how far each has come."""

from collections.abc import Sequence
from datetime import datetime

import msgspec

from campus_base.messages import Message
from campus_collector.domain.area import OutgoingMonth, Upstream
from campus_collector.domain.problem import CONSOLE, Event
from campus_collector.store.columns import micros, moment, moment_or_none
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.transport import Row, Transaction

_message = msgspec.json.Decoder(Message).decode
_LISTED = (
    "SELECT county, series, month, number, made_at, sha256, attempts, attempted_at, answer, acknowledged_at"
    " FROM outgoing_month ORDER BY position"
)
_WAITING = (
    "SELECT county, series, month, number, made_at, sha256, attempts, attempted_at, answer, acknowledged_at"
    " FROM outgoing_month WHERE acknowledged_at IS NULL ORDER BY position"
)
_NUMBERS = "SELECT month, max(number) FROM outgoing_month WHERE county = :county AND series = :series GROUP BY month"
_LAST = "SELECT sha256 FROM outgoing_month WHERE county = :county AND series = :series ORDER BY position DESC LIMIT 1"
_ENVELOPE = (
    "SELECT envelope FROM outgoing_month"
    " WHERE county = :county AND series = :series AND month = :month AND number = :number"
)
_ATTEMPTED = (
    "UPDATE outgoing_month SET attempts = attempts + 1, attempted_at = :now, answer = :answer"
    " WHERE county = :county AND series = :series AND month = :month AND number = :number"
)
_ACKNOWLEDGED = (
    "UPDATE outgoing_month SET attempts = attempts + 1, attempted_at = :now, answer = NULL, acknowledged_at = :now"
    " WHERE county = :county AND series = :series AND month = :month AND number = :number"
)


class OutgoingTable(TableGroup):
    """Bundles in the order in which they were made; only how far one has come changes."""

    def upstream(self) -> Upstream | None:
        """Where this collector is enrolled; None where it is not."""
        row = self._database.first("SELECT member, url, enrolled_at FROM upstream WHERE name = 'upstream'")
        return Upstream(row[0], row[1], moment(row[2])) if row else None

    @in_commit
    def enrolled(self, transaction: Transaction, upstream: Upstream) -> None:
        """Remember under which id the level above knows this collector."""
        transaction.execute(
            insert("upstream", "name", "member", "url", "enrolled_at")
            + " ON CONFLICT (name) DO UPDATE SET member = excluded.member, url = excluded.url,"
            " enrolled_at = excluded.enrolled_at",
            {"name": "upstream", "member": upstream.id, "url": upstream.url}
            | {"enrolled_at": micros(upstream.enrolled_at)},
        )
        event = Event(at=upstream.enrolled_at, who=CONSOLE, what="enrolled_above", values={"member": upstream.id})
        append_event(transaction, event)

    def all(self) -> list[OutgoingMonth]:
        """Every bundle, the first that was made first."""
        return [_outgoing(row) for row in self._database.read(_LISTED)]

    def waiting(self) -> list[OutgoingMonth]:
        """Those that are not acknowledged, the first that was made first."""
        return [_outgoing(row) for row in self._database.read(_WAITING)]

    def numbers(self, county: str = "", series: int = 0) -> dict[str, int]:
        """The last number of each month that was prepared."""
        return dict(self._database.read(_NUMBERS, {"county": county, "series": series}))

    def last_sha256(self, county: str = "", series: int = 0) -> str:
        """The hash of the last bundle; "" of none."""
        row = self._database.first(_LAST, {"county": county, "series": series})
        return row[0] if row else ""

    def envelope(self, month: OutgoingMonth) -> bytes:
        """As it is sent. Raises KeyError."""
        row = self._database.first(_ENVELOPE, _key(month))
        if row is None:
            raise KeyError(month.month)
        return bytes(row[0])

    @in_commit
    def add(self, transaction: Transaction, bundles: Sequence[tuple[OutgoingMonth, bytes]]) -> int:
        """Keep bundles that are to be sent, all or none; another process may have made them meanwhile. How many were new."""
        row = transaction.first("SELECT coalesce(max(position), 0) FROM outgoing_month")
        assert row is not None
        added = 0
        for place, (month, envelope) in enumerate(bundles, start=int(row[0]) + 1):
            added += transaction.execute(
                insert(
                    "outgoing_month", "county", "series", "month", "number", "position", "made_at", "sha256", "envelope"
                )
                + " ON CONFLICT (county, series, month, number) DO NOTHING",
                _key(month)
                | {"position": place, "made_at": micros(month.made_at), "sha256": month.sha256, "envelope": envelope},
            )
        return added

    @in_commit
    def attempted(self, transaction: Transaction, month: OutgoingMonth, now: datetime, answer: Message) -> None:
        """Sending has failed, for this reason."""
        transaction.execute(_ATTEMPTED, _key(month) | {"now": micros(now), "answer": msgspec.json.encode(answer)})

    @in_commit
    def acknowledged(self, transaction: Transaction, month: OutgoingMonth, now: datetime) -> None:
        """The level above has confirmed it."""
        transaction.execute(_ACKNOWLEDGED, _key(month) | {"now": micros(now)})


def _key(month: OutgoingMonth) -> dict[str, object]:
    return {"county": month.county, "series": month.series, "month": month.month, "number": month.number}


def _outgoing(row: Row) -> OutgoingMonth:
    answer = _message(bytes(row[8])) if row[8] is not None else None
    return OutgoingMonth(
        row[0], row[1], row[2], row[3], moment(row[4]), row[5], row[6], moment_or_none(row[7]), answer,
        moment_or_none(row[9]),
    )  # fmt: skip
