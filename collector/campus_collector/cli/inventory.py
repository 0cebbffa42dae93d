"""`campus-collector inventory import|export|sample`."""

import argparse
import getpass
import sys
from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Any

from campus_base.command_line import (
    EXIT_FAILED,
    EXIT_OK,
    EXIT_USAGE,
    CommandParser,
    day_argument,
    failed,
    json_line,
    whole_number,
)
from campus_base.language import Language
from campus_base.messages import message, pmessage
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell
from campus_collector.cli.common import MOST_SEED, data_options, json_option, language_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.days import day_words, importable
from campus_collector.domain.inventory import Inventory
from campus_collector.inventory.changes import RowChange, as_lines, changes, counted, exemptions, removals
from campus_collector.inventory.errors import Unreadable
from campus_collector.inventory.importer import activate, read_file
from campus_collector.inventory.sample import sample
from campus_collector.inventory.write import as_xlsx, write_folder
from campus_collector.store.errors import NoDatabase
from campus_collector.store.open import open_store
from campus_collector.store.store import Store

IMPORT = message("take the inventory from a spreadsheet")
IMPORT_MORE = message(
    "PATH is a folder of CSV files (schools, classrooms, devices, services, timetables), a .zip of"
    " them, or one .xlsx with these sheets.\n"
    "Chinese or English headings, UTF-8 or GB18030. A sheet that is missing leaves what is known as"
    " it is; a row that is\n"
    "missing in a sheet is removed from today on, with --force, and keeps its past. With any mistake"
    " nothing is changed."
)
EXPORT = message("write the inventory as CSV files or one .xlsx")
HEADINGS = message("of the headings")
SAMPLE = message("write an invented county to try things with")


def register(parser: CommandParser) -> None:
    words = parser.words
    import_command = parser.add_command("import", IMPORT, _import, IMPORT_MORE)
    data_options(import_command)
    import_command.add_argument("path", type=Path, metavar="PATH", help=words(message("folder or file")))
    import_command.add_argument("--dry-run", action="store_true", help=words(message("only show what would change")))
    import_command.add_argument(
        "--since",
        type=day_argument(parser.language),
        metavar="YYYY-MM-DD",
        help=words(message("the day it holds from (default: today)")),
    )
    import_command.add_argument("--force", action="store_true", help=words(message("even if rows are removed")))
    json_option(import_command)
    _target_options(exported := parser.add_command("export", EXPORT, _export))
    language_option(exported, HEADINGS, "en")
    _target_options(sampled := parser.add_command("sample", SAMPLE, _sample))
    sampled.add_argument(
        "--schools",
        type=whole_number(parser.language, 1, 5000),
        default=100,
        help=words(message("how many (1 to 5000)")),
    )
    sampled.add_argument(
        "--seed",
        type=whole_number(parser.language, 0, MOST_SEED),
        default=1,
        help=words(message("another seed, another county")),
    )
    language_option(sampled, HEADINGS, "en")


def _target_options(parser: CommandParser) -> None:
    data_options(parser)
    parser.add_argument("path", type=Path, metavar="DIR|FILE.xlsx", help=parser.words(pmessage("file", "where to")))


def _import(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    today = datetime.now(config.timezone).date()
    since = _since(arguments.since, today, language)
    if since is None:
        return EXIT_USAGE
    store = _store_to_import(config, dry_run=arguments.dry_run)
    try:
        before = store.inventory.current() if store is not None else Inventory()
        try:
            whole, mistakes, ignored = read_file(arguments.path, before)
        except Unreadable as error:
            return failed(EXIT_USAGE, error.in_(language))
        if mistakes:
            _print_mistakes([mistake.in_(language) for mistake in mistakes], language, as_json=arguments.json)
            return EXIT_USAGE
        for place in ignored:
            text = message("ignored: {place}")
            print(text.in_(language, place=escape_cell(place)), file=sys.stderr)
        return _apply(store, before, whole, datetime.combine(since, time(), config.timezone), arguments, language)
    finally:
        if store is not None:
            store.close()


def _store_to_import(config: CollectorConfig, *, dry_run: bool) -> Store | None:
    """The store, begun where there is none; None for a dry run where there is none, which begins nothing. Raises StoreError."""

    try:
        return open_store(config.store, must_exist=dry_run)
    except NoDatabase:
        return None


def _since(given: date | None, today: date, language: Language) -> date | None:
    """The day of --since; None for one that cannot be meant, with the reason printed."""

    first, last = importable(today)
    if given is None or first <= given <= last:
        return given or today
    print(f"--since: {day_words(first, last).in_(language)}: {given}", file=sys.stderr)
    return None


def _print_mistakes(mistakes: list[str], language: Language, *, as_json: bool) -> None:
    if as_json:
        print(json_line({"applied": False, "mistakes": mistakes}))
    heading = message("{count} mistake(s); nothing was changed:")
    print(heading.in_(language, count=len(mistakes)), file=sys.stderr)
    for mistake in mistakes:
        print(f"  {mistake}", file=sys.stderr)


def _apply(
    store: Store | None,
    before: Inventory,
    whole: Inventory,
    since: datetime,
    arguments: argparse.Namespace,
    language: Language,
) -> int:
    """Show what would change, and do it where nothing is in the way. The exit code."""
    change_list = changes(before, whole)
    if not arguments.json:
        print("\n".join(as_lines(change_list, language)))
    removed = removals(before, change_list)
    if removed and not arguments.force:
        _print_removals(removed, language)
        if not arguments.dry_run:
            return EXIT_FAILED
    applied = bool(change_list) and not arguments.dry_run
    if applied and store is not None:
        activate(store, whole, change_list, getpass.getuser(), datetime.now(UTC), since)
    if arguments.json:
        print(json_line({"applied": applied, "changes": counted(change_list)} | _exemptions_json(change_list)))
    elif change_list:
        text = message("In force.") if applied else message("Nothing was changed (--dry-run).")
        print(text.in_(language))
    return EXIT_OK


def _print_removals(removed: Sequence[tuple[str, int, int]], language: Language) -> None:
    for sheet, gone, had in removed:
        text = message("{sheet}: {gone} of {had} rows would be removed. If that is meant: --force")
        print(text.in_(language, sheet=sheet, gone=gone, had=had), file=sys.stderr)


def _exemptions_json(change_list: Sequence[RowChange]) -> dict[str, Any]:
    begin, end = exemptions(change_list)
    return {
        "exempt": [{"key": change.key, "name": change.name, "reason": change.exempt[1]} for change in begin],
        "no_longer_exempt": [{"key": change.key, "name": change.name, "reason": change.exempt[0]} for change in end],
    }


def _export(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    store = open_store(config.store, must_exist=True)
    try:
        return _write(store.inventory.current(), arguments, language)
    finally:
        store.close()


def _sample(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    return _write(sample(arguments.schools, arguments.seed), arguments, language)


def _write(inventory: Inventory, arguments: argparse.Namespace, language: Language) -> int:
    path = arguments.path
    try:
        if path.suffix.lower() == ".xlsx":
            path.write_bytes(as_xlsx(inventory, arguments.lang))
            written = [path]
        else:
            written = write_folder(inventory, path, arguments.lang)
    except OSError as error:
        return failed(EXIT_FAILED, f"{path}: {error_words(error).in_(language)}")
    for file in written:
        print(file)
    return EXIT_OK
