"""What people ask of gateways. Each is an event of the audit trail, in the same commit; moments are by the database's clock."""

from datetime import datetime
from secrets import token_hex

import msgspec

from campus_base.messages import Message
from campus_collector.domain.commands import (
    DAY,
    HOUR,
    TAKEN_WITHIN,
    CommandBody,
    StoredCommand,
    Wanted,
    after_report,
    refusal,
)
from campus_collector.domain.problem import Event
from campus_collector.store.columns import bytes_of, micros, moment
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.table import TableGroup, fields, in_commit, insert
from campus_collector.store.transport import Queryable, Row, Transaction
from campus_wire.commands import MAX_COMMANDS, CommandReport

_COLUMNS = ("school", "number", "id", "kind", "subject", "person", "state", "asked_at", "expires_at", "body")
_SELECT = f"SELECT {', '.join(_COLUMNS)} FROM command WHERE school = :school"
_encode = msgspec.json.encode
_body = msgspec.json.Decoder(CommandBody).decode


class CommandRefused(Conflict):
    """It cannot be asked for, or reported, now; the words say why."""

    def __init__(self, text: Message) -> None:
        super().__init__(text.en)
        self.text = text


class CommandTable(TableGroup):
    """The commands of all schools."""

    @in_commit
    def ask(self, transaction: Transaction, school: str, wanted: Wanted, person: str) -> StoredCommand:
        """Keep a command until its gateway asks. Raises CommandRefused."""
        now = moment(transaction.clock_micros())
        last_day = _of_school(transaction, school, now - DAY, 1000)
        refused = refusal(wanted, last_day, _asked_by(transaction, person, now - HOUR), now)
        if refused is not None:
            raise CommandRefused(refused)
        row = transaction.first("SELECT max(number) FROM command WHERE school = :school", {"school": school})
        number = int(row[0] or 0) + 1 if row else 1
        body = CommandBody(wanted.subject_kind, wanted.problem)
        command = StoredCommand(
            school, number, token_hex(16), wanted.kind, wanted.subject, person, "asked", now, now + TAKEN_WITHIN, body
        )
        transaction.execute(
            insert("command", *_COLUMNS),
            fields(command, "school", "number", "id", "kind", "subject", "person", "state")
            | {"asked_at": micros(now), "expires_at": micros(command.expires_at), "body": _encode(body)},
        )
        values = {"command": wanted.kind, "school": school, "subject": wanted.subject, "id": command.id}
        event = Event(
            at=now, who=person, what="command_asked", values={key: text for key, text in values.items() if text}
        )
        append_event(transaction, event, wanted.problem)
        return command

    @in_commit
    def report(
        self, transaction: Transaction, school: str, command_id: str, report: CommandReport
    ) -> StoredCommand | None:
        """Keep what a gateway says of a command; None for one that its school does not have. Raises CommandRefused."""
        rows = transaction.read(f"{_SELECT} AND id = :id", {"school": school, "id": command_id})
        if not rows:
            return None
        answer = after_report(_command(rows[0]), report, moment(transaction.clock_micros()))
        if isinstance(answer, Message):
            raise CommandRefused(answer)
        transaction.execute(
            "UPDATE command SET state = :state, expires_at = :expires_at, body = :body"
            " WHERE school = :school AND number = :number",
            fields(answer, "school", "number", "state")
            | {"expires_at": micros(answer.expires_at), "body": _encode(answer.body)},
        )
        return answer

    def not_taken(self) -> dict[str, int]:
        """Of each school for which any command waits to be taken, the number of the newest."""
        rows = self._database.read(
            "SELECT school, max(number) FROM command WHERE state = 'asked' AND expires_at > :now GROUP BY school",
            {"now": self._database.clock_micros()},
        )
        return {school: int(number) for school, number in rows}

    def to_take(self, school: str) -> list[StoredCommand]:
        """The commands that wait to be taken, the oldest first."""
        rows = self._database.read(
            f"{_SELECT} AND state = 'asked' AND expires_at > :now ORDER BY number LIMIT {MAX_COMMANDS}",
            {"school": school, "now": self._database.clock_micros()},
        )
        return [_command(row) for row in rows]

    def newest(self, school: str, limit: int) -> list[StoredCommand]:
        """A school's newest commands, the newest first."""
        return _of_school(self._database, school, None, limit)

    def one(self, school: str, number: int) -> StoredCommand | None:
        """None for an unknown number."""
        row = self._database.first(f"{_SELECT} AND number = :number", {"school": school, "number": number})
        return _command(row) if row else None

    def now(self) -> datetime:
        """By the clock that decides when a command expires."""
        return moment(self._database.clock_micros())

    def counts(self) -> dict[tuple[str, str], int]:
        """Commands by kind and state as they are stored, of all schools."""
        rows = self._database.read(
            "SELECT kind, CASE WHEN state NOT IN ('done', 'refused', 'failed') AND expires_at < :now THEN 'expired' ELSE state END, count(*)"
            " FROM command GROUP BY 1, 2",
            {"now": self._database.clock_micros()},
        )
        return {(kind, state): int(count) for kind, state, count in rows}


def _of_school(reader: Queryable, school: str, since: datetime | None, limit: int) -> list[StoredCommand]:
    rows = reader.read(
        f"{_SELECT} AND asked_at >= :since ORDER BY number DESC LIMIT :limit",
        {"school": school, "since": micros(since) if since is not None else 0, "limit": limit},
    )
    return [_command(row) for row in rows]


def _asked_by(reader: Queryable, person: str, since: datetime) -> int:
    """How many commands a person asked of any school."""
    row = reader.first(
        "SELECT count(*) FROM command WHERE person = :person AND asked_at > :since",
        {"person": person, "since": micros(since)},
    )
    return int(row[0]) if row else 0


def _command(row: Row) -> StoredCommand:
    texts, asked_at, expires_at, body = row[:7], row[7], row[8], row[9]
    return StoredCommand(*(*texts, moment(asked_at), moment(expires_at), _body(bytes_of(body))))
