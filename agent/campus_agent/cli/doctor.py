"""`campus-agent doctor`: permissions, tools, reachability, clock, and what to do about each."""

import argparse
import asyncio

from campus_agent.cli.common import EXIT_NOT_MET, config_option, json_option
from campus_agent.config.read import load_config
from campus_agent.doctor import examine, in_words
from campus_base.command_line import EXIT_OK, CommandParser, json_line
from campus_base.language import Language


def register(parser: CommandParser) -> None:
    config_option(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    findings = asyncio.run(examine(load_config(arguments.config)))
    if arguments.json:
        print(json_line([finding.as_json() for finding in findings]))
    else:
        print(in_words(findings, language))
    return EXIT_OK if all(finding.ok is not False for finding in findings) else EXIT_NOT_MET
