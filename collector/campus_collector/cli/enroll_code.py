"""`campus-collector enroll-code`: a one-time code for a gateway, with the two lines to type there."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from campus_base.command_line import EXIT_OK, EXIT_USAGE, CommandParser, whole_number
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, ids_are_valid
from campus_collector.config import CollectorConfig
from campus_collector.domain.enrolment_codes import code_hash, new_code, plain
from campus_collector.store.open import open_store

MOST_HOURS = 24 * 30


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.set_defaults(command=run)
    parser.add_argument("school", metavar="SCHOOL", help=words(message("id of the school")))
    parser.add_argument("--town", help=words(message("id of its town")))
    parser.add_argument(
        "--hours",
        type=whole_number(parser.language, 1, MOST_HOURS),
        default=72,
        metavar="N",
        help=words(message("valid for so long (72)")),
    )
    parser.add_argument(
        "--url",
        default="",
        help=words(message("the collector's address as gateways reach it")),
    )


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not ids_are_valid(language, school=arguments.school, town=arguments.town):
        return EXIT_USAGE
    code, now = new_code(), datetime.now(UTC)
    expires = now + timedelta(hours=arguments.hours)
    store = open_store(config.store)
    try:
        store.tokens.issue_code(code_hash(plain(code) or ""), arguments.school, arguments.town, now, expires)
    finally:
        store.close()
    print(code)
    url = arguments.url or (
        f"https://{config.host}:{config.port}" if config.tls_cert else f"http://{config.host}:{config.port}"
    )
    pin = ""
    if config.ca_file is not None and config.ca_file.is_file():
        from campus_collector.tls.authority import fingerprint_of

        pin = f" --ca-sha256 {fingerprint_of(config.ca_file.read_bytes())}"
    text = message(
        "Valid once, until {until}; an earlier code of {school} is void. On the gateway, as root:\n"
        "  campus-agent enroll {url} {code}{pin}\n"
        "  campus-agent doctor"
    )
    until = expires.astimezone(config.timezone).strftime("%Y-%m-%d %H:%M")
    print(text.in_(language, until=until, school=arguments.school, url=url, code=code, pin=pin), file=sys.stderr)
    return EXIT_OK
