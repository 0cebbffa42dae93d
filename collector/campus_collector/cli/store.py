"""`campus-collector store`: a whole store copied to another database; results of older versions brought into the packed form."""

import argparse
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.terminal import escape_cell
from campus_collector.area.key import NoSigningKey, SigningKey
from campus_collector.cli.common import ProgressBar, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.postgres_url import SCHEMES, PostgresUrl, without_passwords
from campus_collector.store.compaction import CompactionStatus
from campus_collector.store.copy import Copied, copy_store
from campus_collector.store.errors import NotEnoughSpace
from campus_collector.store.open import Place, open_store
from campus_collector.store.store import Store

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
    text = message("pack the results of older versions, and make the file smaller; a running collector does it too")
    data_options(parser.add_command("compact", text, _compact))


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
        _copy_key(arguments.source, arguments.target)
    except NoSigningKey as error:
        return failed(EXIT_FAILED, str(error))
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


def _copy_key(source: Place, target: Place) -> None:
    """The key that months are signed with: on a server it is in the database, else in a file beside it. Raises NoSigningKey, StoreError."""
    with closing(open_store(source, must_exist=True)) as old, closing(open_store(target, must_exist=True)) as new:
        here, there = (SigningKey(store, _key_folder(place)) for store, place in ((old, source), (new, target)))
        there.take_from(here)


def _key_folder(place: Place) -> Path | None:
    return place.parent if isinstance(place, Path) else None


def _as_json(arguments: argparse.Namespace, copied: Copied) -> dict[str, object]:
    return {
        "from": str(arguments.source),
        "to": str(arguments.target),
        "tables": {name: {"rows": table.rows, "sha256": table.sha256} for name, table in copied.tables.items()},
        "heads": copied.heads,
        "has_gone_on": copied.has_gone_on,
    }


def _compact(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    """Schools that were set aside are examined once more."""
    progress = ProgressBar(message("packing"), language)
    store = open_store(config.store, config.quotas, must_exist=True)
    try:
        status = store.compaction(lambda: False, lambda seconds: None).run(progress, retry=True)
        progress.done()
        print(message("All results are packed.").in_(language) if status is None else _left(status, language))
        if store.has_space_to_give_back():
            _give_space_back(store, language)
    except NotEnoughSpace as error:
        text = message(
            "{folder}: too little room to make the file smaller: {needed:.0f} MB are needed, {free:.0f} MB are free."
            " New results use the room inside the file"
        )
        values = {"needed": error.needed / 1e6, "free": error.free / 1e6}
        return failed(EXIT_FAILED, text.in_(language, folder=error.filename, **values))
    finally:
        progress.done()
        store.close()
    return EXIT_OK if status is None else EXIT_FAILED


def _left(status: CompactionStatus, language: Language) -> str:
    text = message("{school}: its older results do not fit their chain: run campus-collector verify")
    return "\n".join(escape_cell(text.in_(language, school=school.school)) for school in status.set_aside)


def _give_space_back(store: Store, language: Language) -> None:
    """Raises NotEnoughSpace, StoreBusy."""
    sizes = store.give_space_back()
    if sizes is not None:
        text = message("The file was made smaller: from {before:.1f} MB to {after:.1f} MB.")
        print(text.in_(language, before=sizes[0] / 1e6, after=sizes[1] / 1e6))
