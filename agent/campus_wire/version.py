"""Which version is this? The one place; the distribution takes it from here, and the agent need not search its metadata."""

VERSION = "0.2.1"


def release_of(version: str) -> tuple[int, int] | None:
    """(major, minor) of a version; None for what is none."""
    major, _, rest = version.partition(".")
    minor = rest.partition(".")[0]
    return (int(major), int(minor)) if major.isdecimal() and minor.isdecimal() else None
