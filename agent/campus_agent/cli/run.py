"""`campus-agent run`: becomes the resident program."""

import argparse

from campus_agent.cli.common import config_option
from campus_agent.config.read import load_config
from campus_agent.resident import become_resident
from campus_agent.schedule.terms import terms_of
from campus_base.command_line import EXIT_USAGE, CommandParser, failed
from campus_base.language import Language


def register(parser: CommandParser) -> None:
    config_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    terms_of(load_config(arguments.config))  # their mistakes in this command's words, before anything is replaced
    try:
        become_resident(arguments.config)
    except OSError as error:
        return failed(EXIT_USAGE, str(error))
