"""`campus-collector person`: who may read, work on the ledger, change the inventory; how they prove who they are."""

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.domain.people import Person
from campus_collector.domain.problem import ACTOR_WORDS, CONSOLE
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.auth.passwords import hash_of, policy_violation
from campus_collector.store.sqlite import open_store
from campus_collector.store.tables.people import IdentityConflict, PeopleTable
from campus_wire.ids import is_id

ROLES = ("viewer", "operator", "admin")
MOST_LETTERS = 40
NAME = Text("name, as the audit trail will show it", "姓名（显示在操作记录中）")
NOBODY = Text("no such person", "没有此人")


def register(parser: CommandParser) -> None:
    _add_options(
        parser.add_command(
            "add",
            Text(
                "let a person in and print a new token for them; an earlier one is refused",
                "授权某人并生成新令牌；旧令牌随即失效",
            ),
            _add,
        )
    )
    for name, words, command in (
        ("password", Text("set a person's password, asked for, or a line of standard input", "设置某人的密码（交互输入或从标准输入读一行）"), _password),
        ("unlock", Text("hear a person's passwords again after too many wrong ones", "解除因密码多次错误造成的暂停登录"), _unlock),
        ("revoke", Text("refuse a person from now on, and end their sessions", "撤销某人的全部权限并结束其会话"), _revoke),
    ):  # fmt: skip
        action = parser.add_command(name, words, command)
        data_options(action)
        action.add_argument("name", metavar="NAME", help=parser.words(NAME))
    data_options(parser.add_command("list", Text("everybody with role, town and state", "列出全部人员"), _list))


def _add_options(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.add_argument("name", metavar="NAME", help=words(NAME))
    parser.add_argument(
        "--role",
        choices=ROLES,
        default="operator",
        help=words(
            Text(
                "viewer: reads; operator: also the ledger (default); admin: also the inventory",
                "viewer：查看；operator：另可办理台账（默认）；admin：另可导入基础信息",
            )
        ),
    )
    parser.add_argument(
        "--town", default="", help=words(Text("reads and works on this town only", "仅限查看和办理此镇街"))
    )
    proof = parser.add_mutually_exclusive_group()
    proof.add_argument(
        "--password",
        action="store_true",
        help=words(Text("ask for a password instead of a token", "设置密码，不生成令牌")),
    )
    proof.add_argument(
        "--identity",
        metavar="ID",
        help=words(
            Text(
                "who they are at the OpenID provider (its claim, see [oidc]), instead of a token",
                "在统一认证中的标识（见 [oidc] 的 claim），不生成令牌",
            )
        ),
    )


def _add(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not _is_name(arguments.name) or (arguments.town and not is_id(arguments.town)):
        text = Text(
            "NAME: 1 to 40 printable characters, not one the trail uses itself; --town: an id",
            "NAME：1 至 40 个可显示字符，且不是系统保留名称；--town：镇街编号",
        )
        return failed(EXIT_USAGE, text.in_(language))
    password = _ask_password(arguments.name, language) if arguments.password else None
    if arguments.password and password is None:
        return EXIT_USAGE
    token = None if arguments.password or arguments.identity else new_token()
    person = Person(arguments.name, arguments.role, arguments.town)
    hashes = (token_hash(token) if token else None, hash_of(password) if password else None)

    def work(people: PeopleTable, now: datetime) -> bool:
        people.put(person, now, CONSOLE, *hashes, arguments.identity)
        return True

    try:
        _with_people(config, work, must_exist=False)
    except IdentityConflict as taken:
        text = Text("this identity is {name}'s already", "该标识已属于 {name}")
        return failed(EXIT_FAILED, text.in_(language, name=taken))
    if token is not None:
        print(token)
        text = Text(
            "Log in with it at /login, or send it as a bearer token. It is shown only now.",
            "在 /login 页面用它登录，或作为 Bearer 令牌使用。令牌仅显示这一次。",
        )
        print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _is_name(name: str) -> bool:
    return (
        bool(name.strip())
        and name == name.strip()
        and len(name) <= MOST_LETTERS
        and name.isprintable()
        and name not in ACTOR_WORDS
    )


def _password(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    password = _ask_password(arguments.name, language)
    if password is None:
        return EXIT_USAGE
    password_hash = hash_of(password)
    return _exit_code(
        _with_people(config, lambda people, now: people.set_password(arguments.name, password_hash, now, CONSOLE)),
        language,
    )


def _unlock(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    return _exit_code(_with_people(config, lambda people, now: people.unlock(arguments.name, now, CONSOLE)), language)


def _revoke(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    return _exit_code(_with_people(config, lambda people, now: people.revoke(arguments.name, now, CONSOLE)), language)


def _list(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    def work(people: PeopleTable, now: datetime) -> bool:
        for account in people.all():
            state = "revoked" if account.revoked_at else "locked" if account.locked(now) else "active"
            proofs = [name for name, has in (("token", account.has_token), ("password", account.password)) if has]
            proofs += [f"identity={account.identity}"] if account.identity else []
            row = (account.person.name, account.person.role, account.person.town or "*", state, ",".join(proofs) or "-")
            print("\t".join(map(escape_cell, row)))
        return True

    _with_people(config, work)
    return EXIT_OK


def _ask_password(name: str, language: Language) -> str | None:
    """A password from the terminal, twice, or a line of standard input; None when it cannot be taken, with the reason on standard error."""

    if sys.stdin.isatty():
        password = getpass.getpass(Text("Password for {name}: ", "{name} 的密码：").in_(language, name=name))
        again = getpass.getpass(Text("Again: ", "再次输入：").in_(language))
        if password != again:
            print(Text("they differ", "两次输入不一致").in_(language), file=sys.stderr)
            return None
    else:
        password = sys.stdin.readline().rstrip("\n")
    flaw = policy_violation(password, name)
    if flaw is not None:
        print(flaw.in_(language), file=sys.stderr)
        return None
    return password


def _with_people(
    config: CollectorConfig, work: Callable[[PeopleTable, datetime], bool], *, must_exist: bool = True
) -> bool:
    store = open_store(config.database, must_exist=must_exist)
    try:
        return work(store.people, datetime.now(UTC))
    finally:
        store.close()


def _exit_code(known: bool, language: Language) -> int:
    if not known:
        print(NOBODY.in_(language), file=sys.stderr)
    return EXIT_OK if known else EXIT_FAILED
