"""`campus-collector agent-token`: a token for a school's gateway, or the end of its earlier ones."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, whole_number
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, ids_are_valid
from campus_collector.config import CollectorConfig
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.store.open import open_store

MAX_TOKEN_DAYS = 3650


def register(parser: CommandParser) -> None:
    data_options(parser)
    words = parser.words
    parser.add_argument("school", metavar="SCHOOL", help=words(message("id of the school")))
    parser.add_argument("--town", help=words(message("id of its town")))
    parser.add_argument(
        "--valid-days",
        type=whole_number(parser.language, 1, MAX_TOKEN_DAYS),
        metavar="N",
        help=words(message("refuse it after N days (default: never)")),
    )
    parser.add_argument(
        "--revoke",
        action="store_true",
        help=words(message("refuse the school's earlier tokens; print no new one")),
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not ids_are_valid(language, school=arguments.school, town=arguments.town):
        return EXIT_USAGE
    now = datetime.now(UTC)
    expires = now + timedelta(days=arguments.valid_days) if arguments.valid_days else None
    store = open_store(config.store, must_exist=arguments.revoke)
    try:
        if arguments.revoke:
            count = store.tokens.revoke(arguments.school, now)
            text = message("{count} token(s) of {school} revoked")
            print(text.in_(language, count=count, school=arguments.school), file=sys.stderr)
            return EXIT_OK if count else EXIT_FAILED
        token = new_token()
        principal = Principal(arguments.school, arguments.school)
        store.tokens.issue(token_hash(token), principal, arguments.town, now, expires)
    finally:
        store.close()
    print(token)
    text = message("Put this into the agent's token file (mode 600). It is shown only now.")
    print(text.in_(language), file=sys.stderr)
    return EXIT_OK
