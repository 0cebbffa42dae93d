"""Which version is this? The one place; the distribution takes it from here, and the agent need not search its metadata."""

from campus_wire.digits import ascii_integer

MAX_NUMBER = 999_999
VERSION = "0.2.1"


def release_of(version: str) -> tuple[int, int] | None:
    """(major, minor) of a version; None for what is none."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    numbers = ascii_integer(major, MAX_NUMBER), ascii_integer(minor, MAX_NUMBER)
    return None if numbers[0] is None or numbers[1] is None else (numbers[0], numbers[1])
