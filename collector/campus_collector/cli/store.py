"""`campus-collector store copy`: a whole store moved from one database to another."""

import argparse
from collections.abc import Callable
from pathlib import Path

from campus_base.command_line import EXIT_OK, CommandParser, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import ProgressBar, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl, without_passwords
from campus_collector.store.copy import Copied, copy_store
from campus_collector.store.open import Place

_SQLITE = "sqlite:///"


def register(parser: CommandParser) -> None:
    text = message("copy a store into an empty one, compare both, then commit")
    action = parser.add_command("copy", text, _copy)
    data_options(action)
    place = _place(parser.language)
    for name, words in (
        ("source", message("a store's file, sqlite:/// or postgresql:// URL")),
        ("target", message("the same, of an empty store or of none")),
    ):
        metavar = "FROM" if name == "source" else "TO"
        action.add_argument(name, type=place, metavar=metavar, help=parser.words(words))
    json_option(action)


def _place(language: Language) -> Callable[[str], Place]:
    def read(text: str) -> Place:
        if text.startswith(SCHEMES):
            return PostgresUrl(text)
        if text.startswith(_SQLITE):
            return Path("/", text.removeprefix(_SQLITE).lstrip("/"))
        if "://" in text or not text:
            words = message("a file, sqlite:///PATH or postgresql://USER@HOST/DATABASE, not {text}")
            raise argparse.ArgumentTypeError(words.in_(language, text=repr(without_passwords(text))))
        return Path(text)

    return read


def _copy(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    progress = ProgressBar(message("copying"), language)
    try:
        copied = copy_store(arguments.source, arguments.target, progress)
    finally:
        progress.done()
    if arguments.json:
        print(json_line(_as_json(arguments, copied)))
        return EXIT_OK
    for name, table in copied.tables.items():
        print(f"{name:18} {table.rows:12}  {table.sha256}")
    text = message(
        "{target}: {rows} rows in {tables} tables, and the heads of {heads} schools' chains, are those of {source}."
    )
    rows = sum(table.rows for table in copied.tables.values())
    values = {"rows": rows, "tables": len(copied.tables), "heads": copied.heads}
    print(text.in_(language, source=arguments.source, target=arguments.target, **values))
    if copied.has_gone_on:
        print(
            message(
                "{source} was written to meanwhile: what came after the copy began is not in it. Stop the collector, empty"
                " {target} and copy again."
            ).in_(language, source=arguments.source, target=arguments.target)
        )
    return EXIT_OK


def _as_json(arguments: argparse.Namespace, copied: Copied) -> dict[str, object]:
    return {
        "from": str(arguments.source),
        "to": str(arguments.target),
        "tables": {name: {"rows": table.rows, "sha256": table.sha256} for name, table in copied.tables.items()},
        "heads": copied.heads,
        "has_gone_on": copied.has_gone_on,
    }
