"""The address of a PostgreSQL database, which may hold a password."""

import re

SCHEMES = ("postgresql://", "postgres://")


class PostgresUrl:
    """As libpq reads it: postgresql://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE?KEY=VALUE. Shown without its passwords wherever it is printed."""

    __slots__ = ("_url",)

    def __init__(self, url: str) -> None:
        self._url = url

    def reveal(self) -> str:
        """With its passwords, for the one call that needs them."""
        return self._url

    def __repr__(self) -> str:
        return without_passwords(self._url)

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PostgresUrl) and self._url == other._url

    def __hash__(self) -> int:
        return hash(self._url)


def without_passwords(url: str) -> str:
    """A URL of any kind as it may be shown: `***` in place of each password."""
    scheme, separator, rest = url.partition("://")
    # a password may hold what no URL allows, also an @ or a slash: everything up to the last @ is taken for it
    user, at, place = rest.rpartition("@")
    if at and ":" in user:
        user = user.partition(":")[0] + ":***"
    return scheme + separator + user + at + re.sub(r"(?<=password=)[^&]*", "***", place)
