"""The inventory in force as routes and pages read it: kept in memory, and read again when another version is in force."""

import threading
from collections.abc import Iterable

from campus_collector.domain.inventory import EMPTY, Inventory, InventorySchool, parts_by_school
from campus_collector.domain.problem import Problem
from campus_collector.store.store import Store


class InventoryInForce:
    def __init__(self, store: Store) -> None:
        """Reads nothing yet."""
        self._store = store
        self._lock = threading.Lock()
        self._version = -1
        self._whole, self._others = EMPTY, EMPTY
        self._parts: dict[str, Inventory] = {}

    def whole(self) -> Inventory:
        """Of all schools. Raises StoreUnavailable, as all here."""
        with self._lock:
            self._follow()
            return self._whole

    def part_of(self, school: str) -> Inventory:
        """What concerns one school, known to the inventory or not."""
        with self._lock:
            self._follow()
            return self._parts.get(school, self._others)

    def school(self, school: str) -> InventorySchool | None:
        """The school's row; None when the inventory has none."""
        return next(iter(self.part_of(school).schools or ()), None)

    def rows_of(self, problems: Iterable[Problem]) -> list[InventorySchool | None]:
        """The rows of the schools that have these problems."""
        schools = dict.fromkeys(problem.school for problem in problems)
        with self._lock:
            self._follow()
            parts = [self._parts.get(school, self._others) for school in schools]
        return [next(iter(part.schools or ()), None) for part in parts]

    def _follow(self) -> None:
        version = self._store.inventory.version()
        if version != self._version:
            self._whole, self._version = self._store.inventory.current_with_version()
            self._parts, self._others = parts_by_school(self._whole)
