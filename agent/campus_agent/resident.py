"""What stays in memory for years: `campus-agent run` becomes this program, without the command line's parser, help and sentences.

`python -m campus_agent.resident FILE` with the environment of `become_resident`. The holidays are read first: their table of twenty years is let go,
and what it leaves behind is used again by the modules that follow.
"""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

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


def become_resident(file: Path) -> NoReturn:
    """The same process and unit, with nothing kept from before. Raises OSError."""
    command = [sys.executable, "-m", "campus_agent.resident", str(file)]
    os.execve(sys.executable, command, os.environ | SMALL_ENVIRONMENT)  # noqa: S606


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

    from campus_agent.daemon import run
    from campus_agent.spool.errors import SpoolError
    from campus_base.language import from_environment

    try:
        if asyncio.run(run(config, file)):
            become_resident(file)  # with the collector's new configuration
    except SpoolError as error:
        return _print_reason(error.in_(from_environment()))
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONTZPATH", "/usr/share/zoneinfo")  # without it zoneinfo reads how this Python was built
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # msgspec takes it where it is; nothing here needs it
    sys.exit(main(Path(sys.argv[1])))
