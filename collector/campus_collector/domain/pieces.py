"""Long lists in pieces: a statement has room for some thousand parameters, and what it reads is held in memory together."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def pieces_of(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    """In the order they have, at most so many in each."""
    return (items[first : first + size] for first in range(0, len(items), size))
