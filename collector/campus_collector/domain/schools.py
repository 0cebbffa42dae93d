"""Schools and what is judged of them. Every key starts with the school."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

SubjectKind = Literal["classroom", "uplink", "recording_room", "service"]
Source = Literal["announced", "inventory"]


@dataclass(frozen=True, slots=True)
class School:
    """A school of the inventory, or one that an agent announced."""

    id: str
    name: str
    town: str
    town_name: str
    source: Source
    town_seat: bool = False


@dataclass(frozen=True, slots=True)
class Subject:
    """Something a target is judged on; `required_bits_per_second` None means the policy's; with an `exempt_reason` it is not judged.

    `since` is when it became known, or its first result if that is earlier.
    """

    school: str
    kind: SubjectKind
    id: str
    name: str
    required_bits_per_second: float | None
    source: Source
    exempt_reason: str = ""
    since: datetime | None = None
