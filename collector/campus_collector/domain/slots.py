"""Turns on the uplink's test server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Reservation:
    """A part of the server's rate is this school's from start to end, in seconds from any one moment."""

    id: str
    school: str
    bits_per_second: int
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Full:
    """No slot begins in time; the school may ask again after so long."""

    retry_seconds: float
