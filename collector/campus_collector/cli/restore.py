"""`campus-collector restore`: a backup where no database is."""

import argparse
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.backup import copy
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.store.backup import restore


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help=parser.words(message("a backup")))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if config.postgres is not None:
        text = message(
            "The store is on a PostgreSQL server: use pg_restore into an empty database, or `store copy` from a file."
        )
        return failed(EXIT_FAILED, text.in_(language))
    return copy(lambda progress: restore(arguments.file, config.database, progress), config.database, language)
