"""`campus-agent respond`: answers throughput tests, of our engine and of iperf3, and the lesson stream."""

import argparse
import asyncio
import sys
from pathlib import Path

from campus_agent.cli.common import port_number
from campus_agent.respond.responder import RespondSettings, respond
from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language
from campus_base.logs import configure_logging
from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_wire.digits import ascii_integer

LISTEN = message("address to listen on (default: all; our engine without a key: loopback)")
CAPACITY = message(
    "a test server of uplinks: bit/s, as [slots] capacity_bits_per_second of the collector; it"
    " serves an hour's bytes of it (default: 10 GB an hour)"
)
STREAM_PORT = message(
    "port of the lesson stream's reflector (STAMP, UDP), 0 = off (default: with --capacity the port after --port, else off)"
)


def register(parser: CommandParser) -> None:
    words = parser.words
    parser.add_argument(
        "--port",
        type=port_number,
        default=5301,
        help=words(message("our engine's port, 0 = off")),
    )
    parser.add_argument(
        "--iperf3-port",
        type=port_number,
        default=5201,
        help=words(message("stock iperf3 port, 0 = off")),
    )
    parser.add_argument("--stream-port", type=port_number, metavar="PORT", help=words(STREAM_PORT))
    parser.add_argument("--listen", default="", metavar="ADDRESS", help=words(LISTEN))
    parser.add_argument("--capacity", type=_capacity, metavar="BITS", help=words(CAPACITY))
    parser.add_argument(
        "--test-key-file",
        type=Path,
        metavar="F",
        help=words(message("the school's shared test key")),
    )
    parser.set_defaults(command=run)


def _capacity(text: str) -> int:
    rate = ascii_integer(text, 10**12)
    if rate is None or rate < 10**6:
        raise argparse.ArgumentTypeError("1000000 … 1000000000000")
    return rate


def stream_port_of(arguments: argparse.Namespace) -> int:
    """Where the reflector listens: as said, else beside our engine on a test server of uplinks; 0: nowhere."""
    if arguments.stream_port is not None:
        return int(arguments.stream_port)
    return arguments.port + 1 if arguments.capacity and 0 < arguments.port < 65_535 else 0


def run(arguments: argparse.Namespace, language: Language) -> int:
    stream_port = stream_port_of(arguments)
    if not arguments.port and not arguments.iperf3_port and not stream_port:
        return _refused(message("all ports are off: there is nothing to answer"), language)
    configure_logging()
    listen = arguments.listen or "::"
    engine_listen = listen if arguments.listen or arguments.test_key_file else "127.0.0.1"
    if engine_listen != listen and arguments.port:
        text = message(
            "no --test-key-file: our engine (port {port}) answers on this machine only; iperf3 answers everybody"
        )
        print(text.in_(language, port=arguments.port), file=sys.stderr)
    settings = RespondSettings(
        arguments.port,
        engine_listen,
        arguments.iperf3_port,
        listen,
        arguments.test_key_file,
        arguments.capacity,
        stream_port,
    )
    try:
        asyncio.run(respond(settings))
    except ValueError as error:
        reason = error_words(error).in_(language)
        text = message("the test key cannot be used: {error}")
        return _refused(text, language, error=reason)
    except OSError as error:
        reason = error_words(error).in_(language)
        if error.filename:
            text = message("{file} cannot be read: {reason}")
            return _refused(text, language, file=error.filename, reason=reason)
        text = message("cannot listen on {listen}: {reason}")
        return _refused(text, language, listen=listen, reason=reason)
    return EXIT_OK


def _refused(text: Message, language: Language, **values: object) -> int:
    return failed(EXIT_USAGE, f"campus-agent respond: {text.in_(language, **values)}")
