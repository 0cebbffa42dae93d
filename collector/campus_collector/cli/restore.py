"""`campus-collector restore`: a backup where no database is."""

import argparse
from pathlib import Path

from campus_base.command_line import CommandParser
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
    return copy(lambda progress: restore(arguments.file, config.database, progress), config.database, language)
