"""Imports an inventory: reads and activates it, for the command and the page."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from campus_collector.domain.inventory import Inventory
from campus_collector.domain.problem import Event
from campus_collector.inventory.changes import RowChange, counted
from campus_collector.inventory.read import Mistake
from campus_collector.inventory.sources import files_in
from campus_collector.inventory.worker import Request, examine_apart
from campus_collector.store.store import Store


def read_file(path: Path, before: Inventory) -> tuple[Inventory, list[Mistake], list[str]]:
    """The whole inventory as it would be, all mistakes, and what was ignored. Raises Unreadable."""
    return _whole(Request(files_in(path), before))


def read_upload(name: str, content: bytes, before: Inventory) -> tuple[Inventory, list[Mistake], list[str]]:
    """The same of an uploaded file. Raises Unreadable."""
    return _whole(Request([(name, content)], before))


def _whole(request: Request) -> tuple[Inventory, list[Mistake], list[str]]:
    answer = examine_apart(request)
    return answer.inventory.over(request.before), list(answer.mistakes), list(answer.ignored)


def activate(
    store: Store,
    whole: Inventory,
    changes: Sequence[RowChange],
    who: str,
    now: datetime,
    since: datetime,
    before_version: int | None = None,
) -> int:
    """From the moment `since` on; returns the inventory's version. Written into the audit trail. Raises as `InventoryTable.apply`."""
    counts = counted(changes)
    version = store.inventory.apply(whole, counts, who, now, since, before_version)
    values = {
        f"{sheet}_{what}": str(number) for sheet, each in counts.items() for what, number in each.items() if number
    }
    store.ledger.append_event(
        Event(at=now, who=who, what="inventory_imported", values={"version": str(version)} | values)
    )
    return version
