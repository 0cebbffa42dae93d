"""Small results with a number in them."""

import uuid
from datetime import UTC, datetime
from pathlib import Path

from campus_agent.spool.spool import Spool
from campus_wire.failures import Validity
from campus_wire.records import LatencyProbeRecord, LatencyRecord, LatencyResult

BOOT = "0f9a3c5e-1111-4222-8333-944444444444"
AT = datetime(2026, 11, 23, 1, 2, 3, tzinfo=UTC)


def result_id(number: int) -> str:
    return str(uuid.UUID(int=number))


def result(
    number: int, *, detail: str = "", boot_id: str = BOOT, at: datetime = AT, **changes: object
) -> LatencyResult:
    values: dict[str, object] = {
        "id": result_id(number),
        "subject": "c101",
        "started_at": at,
        "boot_id": boot_id,
        "monotonic_seconds": float(number),
        "duration_seconds": 1.0,
        "validity": Validity.OK,
        "detail": detail,
    }
    return LatencyResult(**(values | changes))  # type: ignore[arg-type]


def measured(number: int, **changes: object) -> LatencyResult:
    """A result that a collector takes: with what was measured."""
    return result(number, record=LatencyProbeRecord("classroom", LatencyRecord("icmp", 1, 1)), **changes)  # type: ignore[arg-type]


def numbers(spool: Spool) -> list[int]:
    """Which results wait, oldest first?"""
    return [uuid.UUID(entry.id).int for entry in spool.peek(10**9, 10**12)]


def flip(path: Path, place: int, octets: bytes) -> None:
    """Damage a file."""
    with path.open("r+b") as file:
        file.seek(place)
        file.write(octets)
