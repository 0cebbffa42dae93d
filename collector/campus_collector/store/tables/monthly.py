"""Closed months in the store: figures, what was published, documents as they were issued. Only added to; the database refuses the rest."""

from datetime import datetime
from hashlib import sha256

from campus_collector.domain.monthly import ClosedMonth, IssuedDocument
from campus_collector.store.columns import micros, moment
from campus_collector.store.errors import Conflict
from campus_collector.store.tables.table import TableGroup, fields, in_commit, insert
from campus_collector.store.transport import Transaction


class MonthlyTable(TableGroup):
    """What was closed and issued."""

    def hashes(self) -> dict[str, str]:
        """All closed months, oldest first, with the hash of their figures."""
        return dict(self._database.read("SELECT month, hash FROM monthly ORDER BY month"))

    def closing_order(self) -> list[str]:
        """All closed months, the first that was closed first."""
        return [month for (month,) in self._database.read("SELECT month FROM monthly ORDER BY closed_at, month")]

    def closed(self, month: str) -> ClosedMonth | None:
        """None when it is not closed."""
        row = self._database.first(
            "SELECT month, closed_at, hash, program_version, figures, published FROM monthly WHERE month = :month",
            {"month": month},
        )
        return ClosedMonth(row[0], moment(row[1]), *row[2:]) if row else None

    @in_commit
    def close(self, transaction: Transaction, closed: ClosedMonth) -> None:
        """Keep a month for good. Raises Conflict when it is closed already."""
        inserted = transaction.execute(
            insert("monthly", "month", "closed_at", "hash", "program_version", "figures", "published")
            + " ON CONFLICT (month) DO NOTHING",
            fields(closed, "month", "hash", "program_version", "figures", "published")
            | {"closed_at": micros(closed.closed_at)},
        )
        if not inserted:
            raise Conflict(f"{closed.month} is closed already")

    def issue(self, month: str, form: str, language: str, body: bytes, now: datetime) -> IssuedDocument:
        """Keep a document of a closed month; the first one stays, and is what is returned."""
        document = IssuedDocument(month, form, language, now, sha256(body).hexdigest(), body)
        self._keep(document)
        return self.issued(month, form, language) or document

    @in_commit
    def _keep(self, transaction: Transaction, document: IssuedDocument) -> None:
        transaction.execute(
            insert("monthly_document", "month", "form", "language", "issued_at", "sha256", "body")
            + " ON CONFLICT (month, form, language) DO NOTHING",
            fields(document, "month", "form", "language", "sha256", "body") | {"issued_at": micros(document.issued_at)},
        )

    def issued(self, month: str, form: str, language: str) -> IssuedDocument | None:
        """A document as it was issued; None when it was not yet."""
        row = self._database.first(
            "SELECT month, form, language, issued_at, sha256, body FROM monthly_document"
            " WHERE month = :month AND form = :form AND language = :language",
            {"month": month, "form": form, "language": language},
        )
        return IssuedDocument(row[0], row[1], row[2], moment(row[3]), row[4], row[5]) if row else None

    def document_hashes(self, month: str) -> list[tuple[str, str, str]]:
        """(form, language, SHA-256) of all that was issued of a month."""
        rows = self._database.read(
            "SELECT form, language, sha256 FROM monthly_document WHERE month = :month ORDER BY form, language",
            {"month": month},
        )
        return [(form, language, sha256) for form, language, sha256 in rows]

    def documents(self, month: str) -> list[tuple[str, str]]:
        """(form, language) of all that was issued of a month."""
        return [(form, language) for form, language, _ in self.document_hashes(month)]
