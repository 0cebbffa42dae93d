"""What several commands of the gateway share: exit codes, the options --config and --json, the type of a port."""

import argparse
from pathlib import Path

from campus_agent.config.model import DEFAULT_PATH
from campus_base.command_line import EXIT_FAILED, CommandParser
from campus_base.messages import message
from campus_wire.digits import ascii_integer

EXIT_NOT_MET, EXIT_NOT_MEASURED = EXIT_FAILED, 3


def config_option(parser: CommandParser) -> None:
    text = message("configuration file (default: {path})")
    parser.add_argument(
        "--config", type=Path, default=DEFAULT_PATH, metavar="FILE", help=parser.words(text, path=DEFAULT_PATH)
    )


def json_option(parser: CommandParser) -> None:
    text = message("one JSON object on standard output, nothing else")
    parser.add_argument("--json", action="store_true", help=parser.words(text))


def port_number(text: str) -> int:
    """The type of an option that takes a port, or 0."""
    port = ascii_integer(text, 65_535)
    if port is None:
        raise argparse.ArgumentTypeError("0 … 65535")
    return port
