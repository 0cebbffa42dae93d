"""`campus-collector inventory import|export|sample`."""

import argparse
import getpass
import json
import sys
from datetime import UTC, date, datetime, time
from pathlib import Path

from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
from campus_base.usage import day_argument
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, MOST_SEED, Commands, whole_number
from campus_collector.config import CollectorConfig
from campus_collector.domain.inventory import Inventory
from campus_collector.store.errors import NoDatabase
from campus_collector.store.interface import Store

WORDS = Text("which schools, classrooms, devices and platforms there are", "基础信息：学校、班级、设备、平台")
IMPORT = Text("take the inventory from a spreadsheet", "从表格导入基础信息")
IMPORT_MORE = Text(
    "PATH is a folder of CSV files (schools, classrooms, devices, services, timetables), a .zip of them, or one .xlsx with these sheets.\n"
    "Chinese or English headings, UTF-8 or GB18030. A sheet that is missing leaves what is known as it is; a row that is\n"
    "missing in a sheet is removed from today on, with --force, and keeps its past. With any mistake nothing is changed.",
    "PATH 可以是 CSV 文件夹（schools、classrooms、devices、services、timetables）、其 .zip 压缩包，或含这些工作表的 .xlsx。\n"
    "表头可用中文或英文，编码可用 UTF-8 或 GB18030。缺少的表保持原样；表中缺少的行自当日起移除（需加 --force），历史数据保留。\n"
    "只要有一处错误，就不做任何修改。",
)
EXPORT = Text("write the inventory as CSV files or one .xlsx", "将基础信息导出为 CSV 文件或 .xlsx")
SAMPLE = Text("write an invented county to try things with", "生成一个虚构县的样例数据")


def register(commands: Commands) -> None:
    """What it takes."""
    group = commands.group("inventory", WORDS)
    say = commands.words
    taken = group.add("import", IMPORT, _import, IMPORT_MORE)
    taken.add_argument("path", type=Path, metavar="PATH", help=say(Text("folder or file", "文件夹或文件")))
    taken.add_argument(
        "--dry-run", action="store_true", help=say(Text("only show what would change", "只显示将发生的变化"))
    )
    taken.add_argument(
        "--since",
        type=day_argument(group.language),
        metavar="YYYY-MM-DD",
        help=say(Text("the day it holds from (default: today)", "生效日期（默认：今天）")),
    )
    taken.add_argument(
        "--force", action="store_true", help=say(Text("even if rows are removed", "即使将移除数据也执行"))
    )
    group.json(taken)
    given = group.add("export", EXPORT, _export)
    given.add_argument("path", type=Path, metavar="DIR|FILE.xlsx", help=say(Text("where to", "写到哪里")))
    given.add_argument("--lang", choices=("zh", "en"), default="en", help=say(Text("of the headings", "表头语言")))
    made = group.add("sample", SAMPLE, _sample)
    made.add_argument("path", type=Path, metavar="DIR|FILE.xlsx", help=say(Text("where to", "写到哪里")))
    made.add_argument(
        "--schools",
        type=whole_number(group.language, 1, 5000),
        default=100,
        help=say(Text("how many (1 to 5000)", "学校数量（1 至 5000）")),
    )
    made.add_argument(
        "--seed",
        type=whole_number(group.language, 0, MOST_SEED),
        default=1,
        help=say(Text("another seed, another county", "随机种子")),
    )
    made.add_argument("--lang", choices=("zh", "en"), default="en", help=say(Text("of the headings", "表头语言")))


def _import(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.inventory.errors import Unreadable
    from campus_collector.inventory.intake import read_file

    today = datetime.now(config.timezone).date()
    since = _since(arguments.since, today, language)
    if since is None:
        return EXIT_USAGE
    store = _store_to_import(config, dry_run=arguments.dry_run)
    try:
        before = store.inventory.current() if store is not None else Inventory()
        try:
            whole, mistakes, aside = read_file(arguments.path, before)
        except Unreadable as error:
            print(error.in_(language), file=sys.stderr)
            return EXIT_USAGE
        if mistakes:
            _print_mistakes([one.in_(language) for one in mistakes], language, as_json=arguments.json)
            return EXIT_USAGE
        for place in aside:
            text = Text("left aside: {place}", "未使用：{place}")
            print(text.in_(language, place=escape_cell(place)), file=sys.stderr)
        return _apply(store, before, whole, datetime.combine(since, time(), config.timezone), arguments, language)
    finally:
        if store is not None:
            store.close()


def _store_to_import(config: CollectorConfig, *, dry_run: bool) -> Store | None:
    """The store, begun where there is none; None for a dry run where there is none, which begins nothing. Raises StoreError."""
    from campus_collector.store.sqlite import SqliteStore

    try:
        return SqliteStore(config.database, must_exist=dry_run)
    except NoDatabase:
        return None


def _since(given: date | None, today: date, language: Language) -> date | None:
    """The day of --since; None for one that cannot be meant, with the reason printed."""
    from campus_collector.domain.days import day_words, importable

    first, last = importable(today)
    if given is None or first <= given <= last:
        return given or today
    print(f"--since: {day_words(first, last).in_(language)}: {given}", file=sys.stderr)
    return None


def _print_mistakes(mistakes: list[str], language: Language, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps({"applied": False, "mistakes": mistakes}, ensure_ascii=False))
    heading = Text("{count} mistake(s); nothing was changed:", "共 {count} 处错误，未做任何修改：")
    print(heading.in_(language, count=len(mistakes)), file=sys.stderr)
    for one in mistakes:
        print(f"  {one}", file=sys.stderr)


def _apply(
    store: Store | None,
    before: Inventory,
    whole: Inventory,
    since: datetime,
    arguments: argparse.Namespace,
    language: Language,
) -> int:
    """Show what would change, and do it where nothing is in the way. The exit code."""
    from campus_collector.inventory.changes import as_lines, changes, counted, exemptions, removals
    from campus_collector.inventory.intake import put_in_force

    made = changes(before, whole)
    if not arguments.json:
        print("\n".join(as_lines(made, language)))
    removed = removals(before, made)
    if removed and not arguments.force:
        for sheet, gone, had in removed:
            text = Text(
                "{sheet}: {gone} of {had} rows would be removed. If that is meant: --force",
                "{sheet}：{had} 行中将移除 {gone} 行。如确需如此，请加 --force",
            )
            print(text.in_(language, sheet=sheet, gone=gone, had=had), file=sys.stderr)
        if not arguments.dry_run:
            return EXIT_FAILED
    applied = bool(made) and not arguments.dry_run
    if applied and store is not None:
        put_in_force(store, whole, made, getpass.getuser(), datetime.now(UTC), since)
    if arguments.json:
        begin, end = exemptions(made)
        exempt = {
            "exempt": [{"key": one.key, "name": one.name, "reason": one.exempt[1]} for one in begin],
            "no_longer_exempt": [{"key": one.key, "name": one.name, "reason": one.exempt[0]} for one in end],
        }
        print(json.dumps({"applied": applied, "changes": counted(made)} | exempt, ensure_ascii=False))
    elif made:
        said = (
            Text("In force.", "已生效。")
            if applied
            else Text("Nothing was changed (--dry-run).", "未做任何修改（--dry-run）。")
        )
        print(said.in_(language))
    return EXIT_OK


def _export(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.store.sqlite import SqliteStore

    store = SqliteStore(config.database, must_exist=True)
    try:
        return _written(store.inventory.current(), arguments.path, arguments.lang, language)
    finally:
        store.close()


def _sample(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.inventory.sample import sample

    return _written(sample(arguments.schools, arguments.seed), arguments.path, arguments.lang, language)


def _written(inventory: object, path: Path, lang: Language, language: Language) -> int:
    from campus_collector.inventory.write import as_xlsx, write_folder

    assert isinstance(inventory, Inventory)
    try:
        if path.suffix.lower() == ".xlsx":
            path.write_bytes(as_xlsx(inventory, lang))
            written = [path]
        else:
            written = write_folder(inventory, path, lang)
    except OSError as error:
        print(f"{path}: {error.strerror or error}", file=sys.stderr)
        return EXIT_FAILED
    for one in written:
        print(one)
    return EXIT_OK
