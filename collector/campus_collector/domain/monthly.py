"""Months that were closed, and documents as they were issued."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class ClosedMonth:
    """A month as it was closed; only the report reads what `figures` and `published` hold."""

    month: str
    closed_at: datetime
    hash: str
    program_version: str
    figures: bytes
    published: bytes


@dataclass(frozen=True, slots=True)
class IssuedDocument:
    """A document as it was issued."""

    month: str
    form: str
    language: str
    issued_at: datetime
    sha256: str
    body: bytes
