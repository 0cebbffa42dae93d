"""`campus-collector tls init` and `tls renew`: a private authority and the collector's certificate."""

import argparse
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message, pmessage
from campus_base.system_errors import error_words
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.tls.authority import IssuedCertificate, make_authority, renew

DEFAULT_DIR = Path("/etc/campus-collector/tls")


def register(parser: CommandParser) -> None:
    for name, words, command in (
        ("init", message("make an authority and a certificate"), _init),
        ("renew", message("a new certificate under the same authority"), _renew),
    ):
        action = parser.add_command(name, words, command)
        data_options(action)
        text = message("host names and addresses of the collector")
        action.add_argument("names", nargs="+" if name == "init" else "*", metavar="NAME", help=parser.words(text))
        action.add_argument(
            "--dir",
            type=Path,
            default=DEFAULT_DIR,
            metavar="DIR",
            help=parser.words(pmessage("folder of certificates", "where to")),
        )


def _init(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    code = _make(make_authority, arguments, language)
    if code == EXIT_OK:
        text = message(
            "For collector.toml:\n"
            "[server]\n"
            'tls_cert = "{dir}/cert.pem"\n'
            'tls_key = "{dir}/key.pem"\n'
            'ca_file = "{dir}/ca.pem"\n'
            "Keep {dir}/ca-key.pem off this machine when you can; only `tls renew` needs it."
        )
        print(text.in_(language, dir=arguments.dir))
    return code


def _renew(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    code = _make(renew, arguments, language)
    if code == EXIT_OK:
        text = message("A running collector serves it within a minute; gateways need nothing.")
        print(text.in_(language))
    return code


def _make(
    work: Callable[[Path, Sequence[str], datetime], IssuedCertificate],
    arguments: argparse.Namespace,
    language: Language,
) -> int:
    try:
        authority = work(arguments.dir, arguments.names, datetime.now(UTC))
    except FileExistsError as error:
        text = message("{file} is there already: nothing was written; see `tls renew`")
        return failed(EXIT_FAILED, text.in_(language, file=error.filename))
    except OSError as error:
        return failed(EXIT_FAILED, f"{error.filename}: {error_words(error).in_(language)}")
    except ValueError as error:
        text = message("NAME: {error}")
        return failed(EXIT_USAGE, text.in_(language, error=error))
    text = message("Certificate in {dir}, valid until {until}.\nThe authority's fingerprint (SHA-256): {print}")
    print(text.in_(language, dir=authority.folder, until=f"{authority.expires:%Y-%m-%d}", print=authority.fingerprint))
    return EXIT_OK
