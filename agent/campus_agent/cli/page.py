"""`campus-agent page`: the classroom's test page alone, without the service."""

import argparse

import msgspec

from campus_agent.cli.common import config_option, port_number
from campus_agent.config.read import load_config
from campus_agent.page.program import serve
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language
from campus_base.logs import configure_logging
from campus_base.messages import message
from campus_base.system_errors import error_words


def register(parser: CommandParser) -> None:
    config_option(parser)
    parser.add_argument("--port", type=port_number, help=parser.words(message("instead of [page] port")))
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    config = load_config(arguments.config)
    if arguments.port is not None:
        config = msgspec.structs.replace(config, page=msgspec.structs.replace(config.page, port=arguments.port))
    configure_logging()
    try:
        serve(config)
    except OSError as error:
        text = message("cannot listen on {listen}:{port}: {reason}")
        values = {"listen": config.page.listen, "port": config.page.port, "reason": error_words(error)}
        return failed(EXIT_USAGE, f"campus-agent page: {text.in_(language, **values)}")
    return EXIT_OK
