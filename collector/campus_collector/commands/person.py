"""`campus-collector person add|revoke`: who may change the ledger and the inventory."""

import argparse
import sys
from datetime import UTC, datetime

from campus_collector.commands import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Commands
from campus_collector.config import CollectorConfig
from campus_wire.ids import is_id
from campus_wire.language import Language, Text

WORDS = Text("people who may change the ledger and the inventory", "可修改台账和基础信息的人员")
ROLES = ("operator", "admin")


def register(commands: Commands) -> None:
    """What it takes."""
    group = commands.group("person", WORDS)
    say = commands.words
    name = say(Text("name, as the audit trail will show it", "姓名（显示在操作记录中）"))
    added = group.add(
        "add",
        Text("print a new token for a person; an earlier one is refused", "为某人生成新令牌；旧令牌随即失效"),
        _add,
    )
    added.add_argument("name", metavar="NAME", help=name)
    added.add_argument(
        "--role",
        choices=ROLES,
        default="operator",
        help=say(Text("operator: the ledger; admin: also the inventory", "operator：台账；admin：另可导入基础信息")),
    )
    added.add_argument("--town", default="", help=say(Text("only this town's problems", "仅限此镇街的问题")))
    revoked = group.add("revoke", Text("refuse a person's token from now on", "吊销某人的令牌"), _revoke)
    revoked.add_argument("name", metavar="NAME", help=name)


def _add(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.ingest.tokens import new_token, token_hash
    from campus_collector.store.sqlite import SqliteStore

    if not arguments.name.strip() or len(arguments.name) > 40 or (arguments.town and not is_id(arguments.town)):
        text = Text("NAME: 1 to 40 characters; --town: an id", "NAME：1 至 40 个字；--town：镇街编号")
        print(text.in_(language), file=sys.stderr)
        return EXIT_USAGE
    store = SqliteStore(config.database)
    try:
        token = new_token()
        store.ledger.add_person(arguments.name, token_hash(token), arguments.role, arguments.town, datetime.now(UTC))
    finally:
        store.close()
    print(token)
    text = Text(
        "Log in with it at /login, or send it as a bearer token. It is shown only now.",
        "在 /login 页面用它登录，或作为 Bearer 令牌使用。令牌仅显示这一次。",
    )
    print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _revoke(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.store.sqlite import SqliteStore

    store = SqliteStore(config.database)
    try:
        if not store.ledger.revoke_person(arguments.name, datetime.now(UTC)):
            print(Text("no such person", "没有此人").in_(language), file=sys.stderr)
            return EXIT_FAILED
    finally:
        store.close()
    return EXIT_OK
