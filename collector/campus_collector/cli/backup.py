"""`campus-collector backup`: the database as one file."""

import argparse
from collections.abc import Callable
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.cli.common import ProgressBar, data_options
from campus_collector.config import CollectorConfig
from campus_collector.store.backup import TooSlow, backup
from campus_collector.store.errors import NotEnoughSpace

MOST_SECONDS = 10_000_000


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help=parser.words(message("a new file")))
    parser.add_argument(
        "--seconds",
        type=_seconds(parser.language),
        metavar="N",
        help=parser.words(message("give up, and leave nothing behind, after so long")),
    )
    parser.set_defaults(command=run)


def _seconds(language: Language) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if 0 < seconds <= MOST_SECONDS:
            return seconds
        words = message("must be above 0 and at most {most}, not {text}")
        raise argparse.ArgumentTypeError(words.in_(language, most=MOST_SECONDS, text=repr(text[:40])))

    return read


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if config.postgres is not None:
        text = message(
            "The store is on a PostgreSQL server: use pg_dump --format=custom, or copy it to a file with `store copy`."
        )
        return failed(EXIT_FAILED, text.in_(language))

    def work(progress: ProgressBar) -> int:
        return backup(config.database, arguments.file, progress, arguments.seconds)

    return copy(work, arguments.file, language)


def copy(work: Callable[[ProgressBar], int], target: Path, language: Language) -> int:
    """Copy a database; `work` returns the bytes. The exit code."""
    progress = ProgressBar(message("copying"), language)
    try:
        size = work(progress)
    except FileExistsError as error:
        text = message("{file} is there already: nothing was written")
        return failed(EXIT_FAILED, text.in_(language, file=error.filename))
    except NotEnoughSpace as error:
        text = message(
            "{folder}: too little room: {needed:.0f} MB are needed, {free:.0f} MB are free; nothing was left there"
        )
        values = {"needed": error.needed / 1e6, "free": error.free / 1e6}
        return failed(EXIT_FAILED, text.in_(language, folder=error.filename, **values))
    except TooSlow:
        text = message("{file}: not finished in time: given up, nothing was left")
        return failed(EXIT_FAILED, text.in_(language, file=target))
    except OSError as error:
        return failed(EXIT_FAILED, f"{error.filename or target}: {error_words(error).in_(language)}")
    finally:
        progress.done()
    text = message("{target}: {size:.1f} MB, checked")
    print(text.in_(language, target=target, size=size / 1e6))
    return EXIT_OK
