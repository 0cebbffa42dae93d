"""Reservations of the uplink's test server. Whoever reserves reads and writes in one commit, so that no two collectors give the same turn."""

from collections.abc import Callable, Sequence

from campus_collector.domain.slots import Full, Reservation
from campus_collector.store.tables.table import TableGroup, in_commit, insert
from campus_collector.store.tables.totals import add_total, totals
from campus_collector.store.transport import Queryable, Transaction

FARTHEST_SECONDS = 3720.0
"""No slot ends later than this from now (wire: begins within an hour, lasts two minutes). One that does was given by a clock that was wrong."""
_GRANTED, _REFUSED = "granted", "refused"
Plan = Callable[[Sequence[Reservation]], Reservation | Full]
"""What a school gets beside the reservations of the others; seconds are from now. It is called in the commit."""


class SlotTable(TableGroup):
    """The reservations that have not ended."""

    @in_commit
    def reserve(self, transaction: Transaction, school: str, plan: Plan) -> Reservation | Full:
        """What the plan gives a school, in place of what it held; counted."""
        now = transaction.clock_micros()
        transaction.execute(
            "DELETE FROM slot WHERE school = :school OR ends_at <= :now OR ends_at > :farthest",
            {"school": school, "now": now, "farthest": now + round(FARTHEST_SECONDS * 1e6)},
        )
        slot = plan(_held(transaction, now))
        add_total(transaction, "slots", _REFUSED if isinstance(slot, Full) else _GRANTED, 1)
        if isinstance(slot, Reservation):
            transaction.execute(
                insert("slot", "school", "id", "bits_per_second", "starts_at", "ends_at"),
                {"school": school, "id": slot.id, "bits_per_second": slot.bits_per_second}
                | {"starts_at": now + round(slot.start * 1e6), "ends_at": now + round(slot.end * 1e6)},
            )
        return slot

    @in_commit
    def release(self, transaction: Transaction, school: str, slot_id: str) -> bool:
        """End a slot early. False when the school holds none of this id."""
        return bool(
            transaction.execute(
                "DELETE FROM slot WHERE school = :school AND id = :id AND ends_at > :now",
                {"school": school, "id": slot_id, "now": transaction.clock_micros()},
            )
        )

    def running(self) -> int:
        """How many slots have begun and not ended?"""
        row = self._database.first(
            "SELECT count(*) FROM slot WHERE starts_at <= :now AND ends_at > :now",
            {"now": self._database.clock_micros()},
        )
        return int(row[0]) if row else 0

    def granted(self) -> int:
        """Since the database was begun."""
        return totals(self._database, "slots").get(_GRANTED, 0)

    def refused(self) -> int:
        """Since the database was begun."""
        return totals(self._database, "slots").get(_REFUSED, 0)


def _held(reader: Queryable, now: int) -> list[Reservation]:
    rows = reader.read("SELECT id, school, bits_per_second, starts_at, ends_at FROM slot")
    return [
        Reservation(slot_id, school, rate, (starts_at - now) / 1e6, (ends_at - now) / 1e6)
        for slot_id, school, rate, starts_at, ends_at in rows
    ]
