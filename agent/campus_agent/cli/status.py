"""`campus-agent status`: what was done, what waits, what is wrong."""

import argparse

from campus_agent.cli.common import EXIT_NOT_MET, config_option, json_option
from campus_agent.config.read import load_config
from campus_agent.status import in_words, read_status
from campus_base.command_line import EXIT_OK, CommandParser, json_line
from campus_base.language import Language


def register(parser: CommandParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    status = read_status(load_config(arguments.config))
    print(json_line(status) if arguments.json else in_words(status, language))
    return EXIT_OK if status["healthy"] else EXIT_NOT_MET
