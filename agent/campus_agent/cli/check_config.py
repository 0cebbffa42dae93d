"""`campus-agent check-config`: every mistake in the configuration and in the files that it names."""

import argparse
import sys

from campus_agent.cli.common import config_option
from campus_agent.cli.named_files import errors_of_named_files
from campus_agent.config.read import load_config
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser
from campus_base.language import Language
from campus_base.messages import message, pmessage


def register(parser: CommandParser) -> None:
    config_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, language: Language) -> int:
    config = load_config(arguments.config)
    errors = errors_of_named_files(config, arguments.config)
    for error in errors:
        print(error.in_(language), file=sys.stderr)
    if errors:
        return EXIT_USAGE
    text = message(
        "{file}: fine. School {school}: {classrooms} classroom(s), {services} service(s), {devices}"
        " device(s), uplink: {uplink}."
    )
    yes_no = pmessage("is there one", "yes") if config.uplink else pmessage("is there one", "no")
    print(
        text.in_(
            language,
            file=arguments.config,
            school=config.school,
            classrooms=len(config.classrooms),
            services=len(config.services),
            devices=len(config.devices),
            uplink=yes_no.in_(language),
        )
    )
    stream = config.lesson_stream
    if stream.enabled and config.uplink is not None:
        words = message("Lesson stream: {rate} packets a second to {host}, UDP port {port}, {protection}.")
        protection = (
            message("authenticated") if config.test_key_file else message("not authenticated (no test_key_file)")
        )
        host, port = config.uplink.host, config.stream_port
        print(words.in_(language, rate=stream.packets_per_second, host=host, port=port, protection=protection))
    return EXIT_OK
