"""`campus-collector agent-token`: a token for a school's gateway, or the end of its earlier ones."""

import argparse
import sys
from datetime import UTC, datetime, timedelta

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, whole_number
from campus_base.language import Language, Text
from campus_collector.cli.common import data_options, ids_are_valid
from campus_collector.config import CollectorConfig
from campus_collector.domain.agents import Principal
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.store.sqlite import open_store

MAX_TOKEN_DAYS = 3650


def register(parser: CommandParser) -> None:
    data_options(parser)
    words = parser.words
    parser.add_argument("school", metavar="SCHOOL", help=words(Text("id of the school", "学校编号")))
    parser.add_argument("--town", help=words(Text("id of its town", "所属镇街编号")))
    parser.add_argument(
        "--valid-days",
        type=whole_number(parser.language, 1, MAX_TOKEN_DAYS),
        metavar="N",
        help=words(Text("refuse it after N days (default: never)", "N 天后失效（默认：不失效）")),
    )
    parser.add_argument(
        "--revoke",
        action="store_true",
        help=words(Text("refuse the school's earlier tokens; print no new one", "吊销该校已有令牌，不再生成新令牌")),
    )
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not ids_are_valid(language, school=arguments.school, town=arguments.town):
        return EXIT_USAGE
    now = datetime.now(UTC)
    expires = now + timedelta(days=arguments.valid_days) if arguments.valid_days else None
    store = open_store(config.database, must_exist=arguments.revoke)
    try:
        if arguments.revoke:
            count = store.tokens.revoke(arguments.school, now)
            text = Text("{count} token(s) of {school} revoked", "已吊销 {school} 的 {count} 个令牌")
            print(text.in_(language, count=count, school=arguments.school), file=sys.stderr)
            return EXIT_OK if count else EXIT_FAILED
        token = new_token()
        principal = Principal(arguments.school, arguments.school)
        store.tokens.issue(token_hash(token), principal, arguments.town, now, expires)
    finally:
        store.close()
    print(token)
    text = Text(
        "Put this into the agent's token file (mode 600). It is shown only now.",
        "请将令牌写入网关的 token 文件（权限 600）。令牌仅显示这一次。",
    )
    print(text.in_(language), file=sys.stderr)
    return EXIT_OK
