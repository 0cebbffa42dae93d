"""What test_kills.py kills; each is a process of its own."""

from pathlib import Path

from campus_collector.store import compaction
from campus_collector.store.copy import copy_store
from campus_collector.store.open import Place, open_database, open_store


def copy(source: Place, target: Place) -> None:
    copy_store(source, target, lambda done, whole: None)


def start(place: Place) -> None:
    """With all migrations that are missing."""
    open_database(place).close()


def pack(path: Path) -> None:
    """As the collector does beside its work, in many small commits."""
    compaction.ROWS_A_COMMIT = 11
    store = open_store(path)
    store.compaction(lambda: False, lambda seconds: None).run()
    if store.has_space_to_give_back():
        store.give_space_back()
    store.close()
