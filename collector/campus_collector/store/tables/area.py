"""What an upper collector keeps: who may hand in months, by which code they got their token, and the months themselves; only hashes of secrets."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import msgspec

from campus_collector.domain.area import AreaMember, Level, MonthSummary, ReceivedMonth
from campus_collector.domain.problem import CONSOLE, Event, What
from campus_collector.store.columns import micros, moment, moment_or_none
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.transport import Queryable, Row, Transaction

_summary = msgspec.json.Decoder(MonthSummary).decode
_MEMBERS = "SELECT id, name, level, public_key, series, enrolled_at, revoked_at FROM area_member"
_MONTHS = (
    "SELECT sender, county, series, month, number, received_at, sha256, public_key, summary FROM area_month"
    " ORDER BY position"
)
_SAME = (
    "SELECT sha256 FROM area_month"
    " WHERE sender = :sender AND county = :county AND series = :series AND month = :month AND number = :number"
)
_LAST = (
    "SELECT sha256, public_key FROM area_month WHERE sender = :sender AND county = :county AND series = :series"
    " ORDER BY position DESC LIMIT 1"
)
_NUMBER = (
    "SELECT max(number) FROM area_month"
    " WHERE sender = :sender AND county = :county AND series = :series AND month = :month"
)
_MONTH_BEFORE = (
    "SELECT envelope FROM area_month"
    " WHERE sender = :sender AND county = :county AND series = :series AND month < :month AND number = 0"
    " ORDER BY month DESC LIMIT 1"
)
_AS_CLOSED = (
    "SELECT envelope FROM area_month"
    " WHERE sender = :sender AND county = :county AND series = :series AND month = :month AND number = 0"
)
_ENVELOPE = (
    "SELECT envelope FROM area_month"
    " WHERE sender = :sender AND county = :county AND series = :series AND month = :month AND number = :number"
)
_NOT_HANDED_ON = (
    "SELECT a.sender, a.county, a.series, a.month, a.number, a.received_at, a.sha256, a.public_key, a.summary"
    " FROM area_month a WHERE a.sender = a.county AND NOT EXISTS (SELECT 1 FROM outgoing_month o WHERE o.county = a.county"
    " AND o.series = a.series AND o.month = a.month AND o.number = a.number) ORDER BY a.position LIMIT :most"
)


@dataclass(frozen=True, slots=True)
class KnownMonths:
    """What is here already of the county whose month comes in, in its present series: what the month is compared with.

    `same` and `last` are the hashes of the same month and number, and of what came last, signed with `last_key`; `number` is the month's last one. Envelopes are of the
    month as it was closed, and of the newest month before it. None of what is not there.
    """

    same: str | None
    last: str | None
    last_key: bytes | None
    number: int | None
    as_closed: bytes | None
    month_before: bytes | None


class AreaTable(TableGroup):
    """Members, codes and months. Every change of who may hand in is an event of the audit trail, in the same commit."""

    @in_commit
    def issue_code(
        self,
        transaction: Transaction,
        code_hash: bytes,
        member: str,
        name: str,
        level: Level,
        now: datetime,
        expires: datetime,
    ) -> None:
        """Let a code enrol a county, or a prefecture, once; an earlier code of it is void."""
        transaction.execute("DELETE FROM area_code WHERE member = :member AND used_at IS NULL", {"member": member})
        transaction.execute(
            insert("area_code", "hash", "member", "name", "level", "created_at", "expires_at"),
            {"hash": code_hash, "member": member, "name": name, "level": level}
            | {"created_at": micros(now), "expires_at": micros(expires)},
        )
        _note(transaction, now, CONSOLE, "member_code_issued", member)

    @in_commit
    def redeem_code(
        self, transaction: Transaction, code_hash: bytes, token_hash: bytes, public_key: bytes, now: datetime
    ) -> AreaMember | None:
        """Exchange a code for a token that goes with this key; earlier ones are refused from now on. None for a code that is not good.

        A member that was enrolled before begins a new series: what it sent before stays.
        """
        row = transaction.first(
            "UPDATE area_code SET used_at = :now WHERE hash = :hash AND used_at IS NULL AND expires_at > :now"
            " RETURNING member, name, level",
            {"hash": code_hash, "now": micros(now)},
        )
        if row is None:
            return None
        transaction.execute(
            insert("area_member", "id", "name", "level", "token_hash", "public_key", "series", "enrolled_at")
            + " ON CONFLICT (id) DO UPDATE SET name = excluded.name, level = excluded.level,"
            " token_hash = excluded.token_hash, public_key = excluded.public_key, series = area_member.series + 1,"
            " enrolled_at = excluded.enrolled_at, revoked_at = NULL",
            {"id": row[0], "name": row[1], "level": row[2], "token_hash": token_hash, "public_key": public_key}
            | {"series": 1, "enrolled_at": micros(now)},
        )
        _note(transaction, now, row[0], "member_enrolled", row[0])
        member = transaction.first(_MEMBERS + " WHERE id = :id", {"id": row[0]})
        assert member is not None
        return _member(member)

    @in_commit
    def revoke(self, transaction: Transaction, member: str, now: datetime) -> bool:
        """Refuse a member's token from now on; its months stay. False for one that is not known, or refused already."""
        revoked = transaction.execute(
            "UPDATE area_member SET revoked_at = :now WHERE id = :id AND revoked_at IS NULL",
            {"id": member, "now": micros(now)},
        )
        if revoked:
            _note(transaction, now, CONSOLE, "member_revoked", member)
        return bool(revoked)

    def member_of(self, token_hash: bytes) -> AreaMember | None:
        """Whose token is this? None for an unknown or revoked one. What an attacker could time is the hash, not the token."""
        row = self._database.first(_MEMBERS + " WHERE token_hash = :hash AND revoked_at IS NULL", {"hash": token_hash})
        return _member(row) if row else None

    def members(self) -> list[AreaMember]:
        """Everybody who was ever enrolled, by id."""
        return [_member(row) for row in self._database.read(_MEMBERS + " ORDER BY id")]

    @in_commit
    def receive(
        self,
        transaction: Transaction,
        month: ReceivedMonth,
        envelope: bytes,
        examine: Callable[[KnownMonths], None],
    ) -> bool:
        """Keep a month unless it is here already; was it stored? `examine` is asked in the same commit, and raises a Conflict to refuse it."""
        key = _key(month)
        known = _known(transaction, key)
        examine(known)
        if known.same == month.sha256:
            return False
        row = transaction.first("SELECT coalesce(max(position), 0) + 1 FROM area_month")
        assert row is not None
        transaction.execute(
            insert(
                "area_month", "sender", "county", "series", "month", "number", "position", "received_at", "sha256",
                "public_key", "envelope", "summary",
            ),
            key
            | {"number": month.number, "position": row[0], "received_at": micros(month.received_at)}
            | {"sha256": month.sha256, "public_key": month.public_key, "envelope": envelope}
            | {"summary": msgspec.json.encode(month.summary)},
        )  # fmt: skip
        return True

    def months(self) -> list[ReceivedMonth]:
        """All that has come, in the order in which it came."""
        return [_received(row) for row in self._database.read(_MONTHS)]

    def envelope(self, month: ReceivedMonth) -> bytes:
        """As it was handed in. Raises KeyError."""
        row = self._database.first(_ENVELOPE, _key(month))
        if row is None:
            raise KeyError(month.month)
        return bytes(row[0])

    def not_handed_on(self, most: int) -> list[ReceivedMonth]:
        """A county's own that have not been prepared for the level above yet, the first that came first. What was handed on is not handed on again."""
        return [_received(row) for row in self._database.read(_NOT_HANDED_ON, {"most": most})]


def _key(month: ReceivedMonth) -> dict[str, object]:
    return {
        "sender": month.sender,
        "county": month.county,
        "series": month.series,
        "month": month.month,
        "number": month.number,
    }


def _known(reader: Queryable, key: dict[str, object]) -> KnownMonths:
    same, last, number = (reader.first(sql, key) for sql in (_SAME, _LAST, _NUMBER))
    as_closed, before = reader.first(_AS_CLOSED, key), reader.first(_MONTH_BEFORE, key)
    return KnownMonths(
        same[0] if same else None,
        last[0] if last else None,
        bytes(last[1]) if last else None,
        number[0] if number else None,
        bytes(as_closed[0]) if as_closed else None,
        bytes(before[0]) if before else None,
    )


def _member(row: Row) -> AreaMember:
    return AreaMember(row[0], row[1], row[2], bytes(row[3]), row[4], moment(row[5]), moment_or_none(row[6]))


def _received(row: Row) -> ReceivedMonth:
    return ReceivedMonth(
        row[0], row[1], row[2], row[3], row[4], moment(row[5]), row[6], bytes(row[7]), _summary(bytes(row[8]))
    )


def _note(transaction: Transaction, now: datetime, who: str, what: What, member: str) -> None:
    append_event(transaction, Event(at=now, who=who, what=what, values={"member": member}))
