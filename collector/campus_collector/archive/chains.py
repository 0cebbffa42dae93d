"""A school's part of its chain that a month's results take: heads before and after, and what stands between."""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256

from campus_base.messages import message
from campus_collector.archive.errors import NotArchived
from campus_collector.judge.month import Month
from campus_collector.store.archive.format import ArchivedChain
from campus_collector.store.packing import unpack
from campus_collector.store.store import Store
from campus_collector.store.tables.chain import first_head, head_after

NEAR_BEFORE, NEAR_AFTER = timedelta(days=2), timedelta(days=12)
"""Places between a month's results are mostly of results of these days around it."""
Digests = dict[int, bytes]
"""The SHA-256 of the result at each place of a chain."""


class MonthChain:
    """Of one school. Raises NotArchived where a place is missing, or the heads are not those of the checkpoints."""

    def __init__(
        self, store: Store, month: Month, school: str, of_month: Digests, archived: Callable[[str], Digests]
    ) -> None:
        """`archived` gives what has left the database, of a school."""
        self._store, self._month, self._school, self._archived = store, month, school, archived
        self.first, self.last = min(of_month), max(of_month)
        checkpoints = store.chain.checkpoints(school)
        before = [checkpoint for checkpoint in checkpoints if checkpoint.last_sequence < self.first]
        begin = before[-1].last_sequence if before else 0
        head = before[-1].head if before else first_head(school)
        digests = of_month | self._others(set(range(begin + 1, self.last + 1)) - of_month.keys())
        heads = {checkpoint.last_sequence: checkpoint.head for checkpoint in checkpoints}
        self.head_before = head
        for place in range(begin + 1, self.last + 1):
            if place == self.first:
                self.head_before = head
            head = head_after(head, digests[place])
            if heads.get(place, head) != head:
                raise NotArchived(
                    message(
                        "{school}: the chain of its results does not fit: run campus-collector verify", school=school
                    )
                )
        self.head_after = head
        self.links = [(place, digests[place]) for place in range(self.first, self.last + 1) if place not in of_month]

    def described(self, town: str, results: int) -> ArchivedChain:
        """As the manifest has it."""
        return ArchivedChain(
            self._school, town, results, self.first, self.last, self.head_before.hex(), self.head_after.hex()
        )

    def _others(self, missing: set[int]) -> Digests:
        """Of places that are of other months."""
        found: Digests = {}
        for start, end in self._times():
            if not missing:
                return found
            rows = self._store.archives.of_places(self._school, min(missing), max(missing), start, end)
            found |= {place: sha256(unpack(packed)).digest() for place, packed in rows if place in missing}
            missing = missing - found.keys()
        if missing:
            archived = self._archived(self._school)
            found |= {place: archived[place] for place in missing if place in archived}
            missing = missing - found.keys()
        if missing:
            school, result = self._school, f"#{min(missing)}"
            words = message(
                "{school}: result {result} is missing: run campus-collector verify", school=school, result=result
            )
            raise NotArchived(words)
        return found

    def _times(self) -> Iterator[tuple[datetime | None, datetime | None]]:
        start, end = self._month.start, self._month.end
        yield start - NEAR_BEFORE, start
        yield end, end + NEAR_AFTER
        yield None, start - NEAR_BEFORE
        yield end + NEAR_AFTER, None
