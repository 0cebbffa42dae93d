"""Tokens by which gateways prove who they are, and one-time codes by which they get one; only hashes are kept."""

from datetime import UTC, datetime

from campus_collector.domain.agents import Enrolment, Principal
from campus_collector.domain.change import Change
from campus_collector.domain.problem import CONSOLE, Event, What
from campus_collector.store.columns import micros, micros_or_none, moment
from campus_collector.store.tables.ledger import append_event
from campus_collector.store.tables.subjects import announce_school
from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.transport import Transaction

_REVOKE = "UPDATE token SET revoked_at = :now WHERE revoked_at IS NULL AND "
_INSERT = insert("token", "hash", "school", "agent_id", "created_at", "expires_at")


class TokenTable(TableGroup):
    """Tokens and codes. Every change is an event of the audit trail, in the same commit."""

    @in_commit
    def issue(
        self,
        transaction: Transaction,
        token_hash: bytes,
        principal: Principal,
        town: str | None,
        now: datetime,
        expires: datetime | None = None,
    ) -> None:
        """Let a token speak for a school's agent, for ever or until it expires; make the school known if it is not."""
        token = {"hash": token_hash, "school": principal.school, "agent_id": principal.agent_id}
        transaction.execute(_INSERT, token | {"created_at": micros(now), "expires_at": micros_or_none(expires)})
        _announce(transaction, principal.school, town)
        _note(transaction, now, CONSOLE, "token_issued", principal.school)

    @in_commit
    def issue_code(
        self,
        transaction: Transaction,
        code_hash: bytes,
        school: str,
        town: str | None,
        now: datetime,
        expires: datetime,
    ) -> None:
        """Let a code enrol a school's gateway, once; an earlier code of the school is void."""
        transaction.execute("DELETE FROM enroll_code WHERE school = :school AND used_at IS NULL", {"school": school})
        transaction.execute(
            insert("enroll_code", "hash", "school", "town", "created_at", "expires_at"),
            {"hash": code_hash, "school": school, "town": town}
            | {"created_at": micros(now), "expires_at": micros(expires)},
        )
        _note(transaction, now, CONSOLE, "code_issued", school)

    @in_commit
    def redeem_code(
        self, transaction: Transaction, code_hash: bytes, token_hash: bytes, now: datetime
    ) -> Enrolment | None:
        """Exchange a code for a token; the school's earlier tokens are revoked. None for an unknown, used or expired code.

        In one commit: of two gateways that come at once only one gets a token, and nothing is read after the code is spent.
        """
        row = transaction.first(
            "UPDATE enroll_code SET used_at = :now WHERE hash = :hash AND used_at IS NULL AND expires_at > :now"
            " RETURNING school, town",
            {"hash": code_hash, "now": micros(now)},
        )
        if row is None:
            return None
        school, town = row
        transaction.execute(_REVOKE + "school = :school", {"school": school, "now": micros(now)})
        token = {"hash": token_hash, "school": school, "agent_id": school}
        transaction.execute(_INSERT, token | {"created_at": micros(now), "expires_at": None})
        _announce(transaction, school, town)
        _note(transaction, now, school, "agent_enrolled", school)
        known = transaction.first("SELECT town FROM school WHERE id = :school", {"school": school})
        assert known is not None
        return Enrolment(Principal(school, school), known[0])

    @in_commit
    def revoke(self, transaction: Transaction, school: str, now: datetime) -> int:
        """Refuse all of a school's tokens from now on. How many there were."""
        revoked = transaction.execute(_REVOKE + "school = :school", {"school": school, "now": micros(now)})
        _note(transaction, now, CONSOLE, "tokens_revoked", school)
        return revoked

    def authenticate(self, token_hash: bytes) -> Principal | None:
        """Whose token is this? None for an unknown, revoked or expired one; the token it replaces is revoked by its first use.

        Looked up by the hash's primary key: what an attacker could time is the hash, not the token.
        """
        now = datetime.now(UTC)
        row = self._database.first(
            "SELECT school, agent_id, replaces FROM token WHERE hash = :hash AND revoked_at IS NULL"
            " AND (expires_at IS NULL OR expires_at > :now)",
            {"hash": token_hash, "now": micros(now)},
        )
        if row is None:
            return None
        school, agent_id, replaces = row
        if replaces is not None:
            self._revoke_replaced(token_hash, replaces, now)
        return Principal(school, agent_id)

    @in_commit
    def rotate(self, transaction: Transaction, token_hash: bytes, successor: bytes, now: datetime) -> bool:
        """Let a successor take a token's place; the token is good until the successor is first used. Was the token good?

        A successor that was never used is void when another is asked for; it lives as long as the token was to live.
        """
        transaction.execute("DELETE FROM token WHERE replaces = :hash", {"hash": token_hash})
        added = transaction.execute(
            "INSERT INTO token (hash, school, agent_id, created_at, expires_at, replaces)"
            " SELECT :successor, school, agent_id, :now, :now + (expires_at - created_at), hash FROM token"
            " WHERE hash = :hash AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > :now)",
            {"hash": token_hash, "successor": successor, "now": micros(now)},
        )
        return added == 1

    def expiries(self) -> dict[str, datetime]:
        """When the last of a school's tokens expires, or expired; schools with a token without end are absent."""
        rows = self._database.read(
            "SELECT school, max(expires_at) FROM token WHERE revoked_at IS NULL GROUP BY school"
            " HAVING count(*) = count(expires_at)"
        )
        return {school: moment(last) for school, last in rows}

    @in_commit
    def _revoke_replaced(self, transaction: Transaction, token_hash: bytes, replaced: bytes, now: datetime) -> None:
        transaction.execute("UPDATE token SET replaces = NULL WHERE hash = :hash", {"hash": token_hash})
        transaction.execute(_REVOKE + "hash = :hash", {"hash": replaced, "now": micros(now)})


def _announce(transaction: Transaction, school: str, town: str | None) -> None:
    announce_school(transaction, school, town)
    transaction.note_change(Change(announced=frozenset({school})))


def _note(transaction: Transaction, now: datetime, who: str, what: What, school: str) -> None:
    append_event(transaction, Event(at=now, who=who, what=what, values={"school": school}))
