"""Which version is this? One place: the distribution's metadata."""

from importlib.metadata import PackageNotFoundError, version


def _version() -> str:
    try:
        return version("campusmeter")
    except PackageNotFoundError:  # run from a folder that was never installed
        return "0+unknown"


VERSION = _version()
