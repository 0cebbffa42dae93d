"""`campus-collector person`: who may read, work on the ledger, change the inventory; how they prove who they are."""

import argparse
import getpass
import sys
from collections.abc import Callable
from datetime import UTC, datetime

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message
from campus_base.terminal import escape_cell
from campus_collector.cli.common import data_options
from campus_collector.config import CollectorConfig
from campus_collector.domain.people import SCREEN_PREFIX, Person
from campus_collector.domain.problem import ACTOR_WORDS, CONSOLE
from campus_collector.domain.tokens import new_token, token_hash
from campus_collector.http.auth.passwords import hash_of, policy_violation
from campus_collector.store.open import open_store
from campus_collector.store.tables.people import IdentityConflict, PeopleTable
from campus_wire.ids import is_id

ROLES = ("viewer", "operator", "admin")
MOST_LETTERS = 40
NAME = message("name, as the audit trail will show it")
NOBODY = message("no such person")


def register(parser: CommandParser) -> None:
    _add_options(
        parser.add_command(
            "add",
            message("let a person in and print a new token for them; an earlier one is refused"),
            _add,
        )
    )
    for name, words, command in (
        ("password", message("set a person's password, asked for, or a line of standard input"), _password),
        ("unlock", message("hear a person's passwords again after too many wrong ones"), _unlock),
        ("revoke", message("refuse a person from now on, and end their sessions"), _revoke),
    ):  # fmt: skip
        action = parser.add_command(name, words, command)
        data_options(action)
        action.add_argument("name", metavar="NAME", help=parser.words(NAME))
    data_options(parser.add_command("list", message("everybody with role, town and state"), _list))


def _add_options(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.add_argument("name", metavar="NAME", help=words(NAME))
    parser.add_argument(
        "--role",
        choices=ROLES,
        default="operator",
        help=words(message("viewer: reads; operator: also the ledger (default); admin: also the inventory")),
    )
    parser.add_argument("--town", default="", help=words(message("reads and works on this town only")))
    proof = parser.add_mutually_exclusive_group()
    proof.add_argument(
        "--password",
        action="store_true",
        help=words(message("ask for a password instead of a token")),
    )
    proof.add_argument(
        "--identity",
        metavar="ID",
        help=words(message("who they are at the OpenID provider (its claim, see [oidc]), instead of a token")),
    )


def _add(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    if not _is_name(arguments.name) or (arguments.town and not is_id(arguments.town)):
        text = message("NAME: 1 to 40 printable characters, not one the trail uses itself; --town: an id")
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
        text = message("this identity is {name}'s already")
        return failed(EXIT_FAILED, text.in_(language, name=taken))
    if token is not None:
        print(token)
        text = message("Log in with it at /login, or send it as a bearer token. It is shown only now.")
        print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _is_name(name: str) -> bool:
    return (
        bool(name.strip())
        and name == name.strip()
        and len(name) <= MOST_LETTERS
        and name.isprintable()
        and name not in ACTOR_WORDS
        and not name.startswith(SCREEN_PREFIX)
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
        password = getpass.getpass(message("Password for {name}: ").in_(language, name=name))
        again = getpass.getpass(message("Again: ").in_(language))
        if password != again:
            print(message("they differ").in_(language), file=sys.stderr)
            return None
    else:
        password = sys.stdin.readline().rstrip("\n")
    violation = policy_violation(password, name)
    if violation is not None:
        print(violation.in_(language), file=sys.stderr)
        return None
    return password


def _with_people(
    config: CollectorConfig, work: Callable[[PeopleTable, datetime], bool], *, must_exist: bool = True
) -> bool:
    store = open_store(config.store, must_exist=must_exist)
    try:
        return work(store.people, datetime.now(UTC))
    finally:
        store.close()


def _exit_code(exists: bool, language: Language) -> int:
    if not exists:
        print(NOBODY.in_(language), file=sys.stderr)
    return EXIT_OK if exists else EXIT_FAILED
