"""What goes up is made and stored here before anything is sent: a county's closed months, or what a prefecture hands on of its counties."""

import zlib
from datetime import datetime

import msgspec

from campus_collector.area.bundle import (
    SCHEMA_VERSION,
    Envelope,
    HandedOn,
    SchoolHead,
    canonical_bytes,
    packed,
    sha256_of,
    signed_words,
    unpacked,
)
from campus_collector.area.key import SigningKey
from campus_collector.area.make import BundleSender, ClosedState, MonthChange, changes_of, heads_of, month_bundle
from campus_collector.domain.area import OutgoingMonth, ReceivedMonth
from campus_collector.domain.monthly import ClosedMonth
from campus_collector.report.figures import Figures, figures_of
from campus_collector.store.store import Store
from campus_wire.bandwidth import Verdict

MOST_HANDED_ON = 20
"""So many are prepared at once: each is some hundred kilobytes."""
Bundles = list[tuple[OutgoingMonth, bytes]]


def signed_by(key: SigningKey, content: bytes) -> Envelope:
    """A statement with this collector's signature. Raises NoSigningKey, StoreUnavailable."""
    return Envelope(SCHEMA_VERSION, content, key.sign(signed_words(content)), key.public_key())


class Outbox:
    """Makes what is to be sent. One process at a time: the caller holds a lease."""

    def __init__(self, store: Store, key: SigningKey) -> None:
        self._store, self._key = store, key

    def months_due(self) -> list[str]:
        """Closed months that have not been prepared, in the order in which they were closed. Reads no figures."""
        prepared = self._store.outgoing.numbers()
        return [month for month in self._store.monthly.closing_order() if month not in prepared]

    def prepare_months(self, sender: BundleSender, now: datetime) -> int:
        """Bundles of all months that are due, and of the corrections that their reports name. How many were made.

        A month and the corrections in its report are kept in one commit: whoever finds the month finds them too. Raises NoSigningKey, StoreUnavailable.
        """
        count = 0
        for month in self.months_due():
            count += self._store.outgoing.add(self._bundles_of(sender, month, now))
        return count

    def prepare_handed_on(self, prefecture: str, now: datetime) -> int:
        """What has come of the counties, wrapped and signed. How many were made. Raises NoSigningKey, StoreUnavailable."""
        names = {member.id: member.given_name for member in self._store.area.members()}
        bundles = [
            self._handed_on(prefecture, names.get(month.county) or month.summary.name, month, now)
            for month in self._store.area.not_handed_on(MOST_HANDED_ON)
        ]
        return self._store.outgoing.add(bundles)

    def _bundles_of(self, sender: BundleSender, month: str, now: datetime) -> Bundles:
        """The month's own, and one for each month whose verdicts its report changes."""
        numbers, previous = self._store.outgoing.numbers(), self._store.outgoing.last_sha256()
        corrected = {correction.month for correction in self._figures(month).corrections}
        bundles: Bundles = []
        for name in [month, *sorted(corrected & set(numbers))]:
            changes = [] if name == month else self._changes(name, month)
            bundle = month_bundle(sender, self._state(name), changes, previous, now)
            content = canonical_bytes(bundle)
            previous = sha256_of(content)
            outgoing = OutgoingMonth("", 0, name, bundle.number, now, previous)
            bundles.append((outgoing, packed(signed_by(self._key, content))))
        return bundles

    def _changes(self, month: str, until: str) -> list[MonthChange]:
        """What the reports say of a month that were closed after it, up to the report of `until`; in the order in which they were closed."""
        order = self._store.monthly.closing_order()
        later = order[order.index(month) + 1 : order.index(until) + 1]
        return changes_of(month, [self._figures(name) for name in later])

    def _handed_on(
        self, prefecture: str, county_name: str, month: ReceivedMonth, now: datetime
    ) -> tuple[OutgoingMonth, bytes]:
        inner = unpacked(self._store.area.envelope(month))
        statement = HandedOn(
            SCHEMA_VERSION,
            prefecture,
            month.county,
            county_name,
            month.series,
            month.received_at.isoformat(timespec="seconds"),
            inner.statement,
            inner.signature,
            inner.public_key,
        )
        envelope = signed_by(self._key, canonical_bytes(statement))
        outgoing = OutgoingMonth(month.county, month.series, month.month, month.number, now, month.sha256)
        return outgoing, packed(envelope)

    def _state(self, month: str) -> ClosedState:
        closed, figures = self._closed(month), self._figures(month)
        published = {
            (target, school, subject): Verdict(verdict)
            for target, school, subject, verdict in msgspec.json.decode(zlib.decompress(closed.published))
        }
        order = self._store.monthly.closing_order()
        before = max((name for name in order[: order.index(month)] if name < month), default=None)
        heads_before: list[SchoolHead] = heads_of(self._figures(before)) if before is not None else []
        return ClosedState(
            figures,
            published,
            closed.hash,
            closed.closed_at,
            closed.program_version,
            self._store.monthly.document_hashes(month),
            heads_before,
            archive.manifest_sha256 if (archive := self._store.archives.records().get(month)) is not None else "",
        )

    def _closed(self, month: str) -> ClosedMonth:
        closed = self._store.monthly.closed(month)
        assert closed is not None
        return closed

    def _figures(self, month: str) -> Figures:
        return figures_of(zlib.decompress(self._closed(month).figures))
