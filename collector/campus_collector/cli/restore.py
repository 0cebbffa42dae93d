"""`campus-collector restore`: a backup where no database is, and archives beside it."""

import argparse
from contextlib import closing
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell
from campus_collector.archive.check import archives_below
from campus_collector.archive.service import Archives
from campus_collector.cli.backup import copy
from campus_collector.cli.common import ARCHIVE_BUSY, data_options
from campus_collector.config import CollectorConfig
from campus_collector.judge.policy import load_policy
from campus_collector.store.archive.errors import ArchiveError
from campus_collector.store.backup import restore
from campus_collector.store.errors import StoreBusy
from campus_collector.store.open import open_store


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help=parser.words(message("a backup")))
    parser.add_argument(
        "--archives",
        type=Path,
        metavar="DIR",
        help=parser.words(message("put the archives of this folder into [store] archive_dir, each verified")),
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if config.postgres is not None:
        text = message(
            "The store is on a PostgreSQL server: use pg_restore into an empty database, or `store copy` from a file."
        )
        return failed(EXIT_FAILED, text.in_(language))
    if arguments.archives is not None:  # looked at first: a database that is there already is not restored again
        try:
            there = archives_below(arguments.archives)
        except ArchiveError as error:
            return failed(EXIT_FAILED, error.in_(language))
        if not there:
            text = message("{folder}: there is no archive")
            return failed(EXIT_FAILED, text.in_(language, folder=arguments.archives))
    code = copy(lambda progress: restore(arguments.file, config.database, progress), config.database, language)
    if code != EXIT_OK or arguments.archives is None:
        return code
    return _take_archives(config, arguments.archives, language)


def _take_archives(config: CollectorConfig, folder: Path, language: Language) -> int:
    code = EXIT_OK
    with closing(open_store(config.store, config.quotas, archive_dir=config.archive_dir, must_exist=True)) as store:
        archives = Archives(store, load_policy(config.policy_file), config.timezone, config.county, config.archive_dir)
        try:
            for taken in archives.take(folder):
                print(escape_cell(f"{'✓' if taken.well else '✗'} {taken.month}: {taken.words.in_(language)}"))
                code = code if taken.well else EXIT_FAILED
        except ArchiveError as error:
            return failed(EXIT_FAILED, error.in_(language))
        except StoreBusy:
            return failed(EXIT_FAILED, ARCHIVE_BUSY.in_(language))
        except OSError as error:
            return failed(EXIT_FAILED, f"{error.filename or folder}: {error_words(error).in_(language)}")
    return code
