"""What stays in memory for years: `campus-agent run` becomes this program, without the command line's parser, help and sentences.

`python -m campus_agent.resident FILE` with the environment of `become_resident`. The holidays are read first: their table of twenty years is let go,
and what it leaves behind is used again by the modules that follow.
"""

import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from threading import RLock
from types import ModuleType
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from campus_agent.config.model import AgentConfig

SMALL_ENVIRONMENT = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_TRIM_THRESHOLD_": "65536",
    "MALLOC_MMAP_THRESHOLD_": "65536",
    "PYTHONNODEBUGRANGES": "1",
}
"""One heap for all threads, given back early (mallopt(3)): glibc gives each thread one of its own, for speed that nobody needs here. No columns in
tracebacks: 0.3 MB."""
LOADED_AT_FIRST_USE = frozenset(
    (
        *("inspect", "dataclasses", "calendar", "locale", "sysconfig", "textwrap"),
        *("asyncio.sslproto", "email.header", "email.quoprimime", "msgspec.inspect"),
    )
)
"""What the libraries import and nothing here calls, with what it imports in turn: 1.5 MB. `inspect` brings `ast` and `dis`; records are msgspec's
structs, because a dataclass needs it and writes its own functions, 10 kB a class."""


def become_resident(file: Path) -> NoReturn:
    """The same process and unit, with nothing kept from before. Raises OSError."""
    command = [sys.executable, "-m", "campus_agent.resident", str(file)]
    os.execve(sys.executable, command, os.environ | SMALL_ENVIRONMENT)  # noqa: S606


class _LazyLoader(Loader):
    """Runs a module when a name of it is first asked for. importlib's LazyLoader does so when it is imported a second time, and not for two threads."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def exec_module(self, module: ModuleType) -> None:
        lock, is_running = RLock(), False

        def first_use(name: str) -> Any:
            nonlocal is_running
            with lock:
                if is_running:  # modules that import each other: the name is not there yet
                    raise AttributeError(f"module {module.__name__!r} has no attribute {name!r} yet")
                if vars(module).get("__getattr__") is first_use:
                    is_running = True
                    try:
                        self._loader.exec_module(module)
                    finally:
                        is_running = False
                    if vars(module).get("__getattr__") is first_use:
                        del module.__getattr__
            return getattr(module, name)

        module.__getattr__ = first_use  # type: ignore[method-assign]


class _LazyFinder:
    """Finds the modules of LOADED_AT_FIRST_USE."""

    @staticmethod
    def find_spec(name: str, path: Sequence[str] | None = None, _: object = None) -> ModuleSpec | None:
        spec = PathFinder.find_spec(name, path) if name in LOADED_AT_FIRST_USE else None
        if spec is not None and spec.loader is not None:
            spec.loader = _LazyLoader(spec.loader)
        return spec


def load_lazily() -> None:
    """From now on imports take only what the resident program needs."""
    os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")  # without it zoneinfo reads how this Python was built
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # msgspec takes it where it is; nothing here needs it
    sys.meta_path.insert(0, _LazyFinder)


def main(file: Path) -> int:
    """Run until stopped. The exit code."""
    from campus_agent.config.read import load_config
    from campus_base.language import from_environment
    from campus_base.logs import configure_logging
    from campus_base.settings import ConfigurationError

    try:
        config = load_config(file)
        _read_holidays(config)
        configure_logging()
        return _run(config, file)
    except ConfigurationError as error:
        return _print_reason(error.in_(from_environment()))
    except OSError as error:
        return _print_reason(str(error))


def _print_reason(reason: str) -> int:
    """Say why it cannot run, as the commands say it. The exit code."""
    from campus_base.terminal import escape_controls

    print(escape_controls(reason), file=sys.stderr)
    return 2


def _read_holidays(config: "AgentConfig") -> None:
    """Of this year, if the calendar needs them. Raises ConfigurationError for the holidays file."""
    from datetime import datetime

    from campus_agent.schedule.calendar import calendar_of

    calendar_of(config).day(datetime.now(config.timezone).date())


def _run(config: "AgentConfig", file: Path) -> int:
    import asyncio
    import signal

    from campus_agent.daemon import run
    from campus_agent.spool.errors import SpoolError
    from campus_base.language import from_environment

    # until `run` takes it; asyncio's own handler would load `inspect`, only to be replaced
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        if asyncio.run(run(config, file)):
            become_resident(file)  # with the collector's new configuration
    except SpoolError as error:
        return _print_reason(error.in_(from_environment()))
    return 0


if __name__ == "__main__":
    load_lazily()
    sys.exit(main(Path(sys.argv[1])))
