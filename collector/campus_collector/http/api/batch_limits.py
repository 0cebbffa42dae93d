"""How many batches may be received at once: of one school and one address while they are read, of all only while they are worked on."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from campus_collector.http.forwarding import address_group

MAX_OF_ONE_SCHOOL = 4
"""A gateway sends one batch after the other; a second may come when it gave the first up."""
MAX_OF_ONE_ADDRESS = 64
"""A town may come through one address translation."""


class TooMany(Exception):
    """Its text says of what; it is part of the answer."""


class BatchLimiter:
    """Counts by school and address. Used from the event loop only."""

    def __init__(self, at_once: int) -> None:
        """`at_once`: batches of everybody that are unpacked, examined and stored at the same time."""
        self._at_once = at_once
        self._working = 0
        self._by: Counter[tuple[str, str]] = Counter()

    @contextmanager
    def reading(self, school: str, address: str) -> Iterator[None]:
        """While a body comes. Raises TooMany."""
        bounds = ((("school", school), MAX_OF_ONE_SCHOOL), (("address", address_group(address)), MAX_OF_ONE_ADDRESS))
        for key, most in bounds:
            if self._by[key] >= most:
                raise TooMany(f"too many batches of one {key[0]} at once")
        for key, _ in bounds:
            self._by[key] += 1
        try:
            yield
        finally:
            for key, _ in bounds:
                self._by[key] -= 1
                if not self._by[key]:
                    del self._by[key]

    @contextmanager
    def working(self) -> Iterator[None]:
        """While a body that is there is worked on. Raises TooMany."""
        if self._working >= self._at_once:
            raise TooMany("too many batches at once")
        self._working += 1
        try:
            yield
        finally:
            self._working -= 1
