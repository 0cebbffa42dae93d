"""`campus-collector inventory import|export|sample`."""

import argparse
import getpass
import json
import sys
from datetime import UTC, datetime, time
from pathlib import Path

from campus_collector.commands import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Commands
from campus_collector.config import CollectorConfig
from campus_wire.language import Language, Text
from campus_wire.usage import day_argument

WORDS = Text("which schools, classrooms, devices and platforms there are", "基础信息：学校、班级、设备、平台")
IMPORT = Text("take the inventory from a spreadsheet", "从表格导入基础信息")
IMPORT_MORE = Text(
    "PATH is a folder of CSV files (schools, classrooms, devices, services, timetables), a .zip of them, or one .xlsx with these sheets.\n"
    "Chinese or English headings, UTF-8 or GB18030. A sheet that is missing leaves what is known as it is; a row that is\n"
    "missing in a sheet is removed from today on and keeps its past. With any mistake nothing is changed.",
    "PATH 可以是 CSV 文件夹（schools、classrooms、devices、services、timetables）、其 .zip 压缩包，或含这些工作表的 .xlsx。\n"
    "表头可用中文或英文，编码可用 UTF-8 或 GB18030。缺少的表保持原样；表中缺少的行自当日起移除，历史数据保留。\n"
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
        "--force", action="store_true", help=say(Text("even if it removes a large part", "即使将移除很大一部分也执行"))
    )
    group.json(taken)
    given = group.add("export", EXPORT, _export)
    given.add_argument("path", type=Path, metavar="DIR|FILE.xlsx", help=say(Text("where to", "写到哪里")))
    given.add_argument("--lang", choices=("zh", "en"), default="en", help=say(Text("of the headings", "表头语言")))
    made = group.add("sample", SAMPLE, _sample)
    made.add_argument("path", type=Path, metavar="DIR|FILE.xlsx", help=say(Text("where to", "写到哪里")))
    made.add_argument(
        "--schools", type=int, default=100, help=say(Text("how many (1 to 5000)", "学校数量（1 至 5000）"))
    )
    made.add_argument("--seed", type=int, default=1, help=say(Text("another seed, another county", "随机种子")))
    made.add_argument("--lang", choices=("zh", "en"), default="en", help=say(Text("of the headings", "表头语言")))


def _import(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.inventory.changes import as_lines, changes, counted, removes_much
    from campus_collector.inventory.intake import put_in_force, read_file
    from campus_collector.inventory.sources import Unreadable
    from campus_collector.store.sqlite import SqliteStore

    store = SqliteStore(config.database)
    try:
        before = store.inventory.current()
        try:
            whole, mistakes, aside = read_file(arguments.path, before)
        except Unreadable as error:
            print(error.in_(language), file=sys.stderr)
            return EXIT_USAGE
        if mistakes:
            if arguments.json:
                print(
                    json.dumps(
                        {"applied": False, "mistakes": [one.in_(language) for one in mistakes]}, ensure_ascii=False
                    )
                )
            heading = Text("{count} mistake(s); nothing was changed:", "共 {count} 处错误，未做任何修改：")
            print(heading.in_(language, count=len(mistakes)), file=sys.stderr)
            for one in mistakes:
                print(f"  {one.in_(language)}", file=sys.stderr)
            return EXIT_USAGE
        for place in aside:
            text = Text("left aside: {place}", "未使用：{place}")
            print(text.in_(language, place=place), file=sys.stderr)
        made = changes(before, whole)
        if not arguments.json:
            print("\n".join(as_lines(made, language)))
        much = removes_much(before, made)
        if much and not arguments.force:
            for sheet, gone, had in much:
                text = Text(
                    "{sheet}: {gone} of {had} rows would be removed. If that is meant: --force",
                    "{sheet}：{had} 行中将移除 {gone} 行。如确需如此，请加 --force",
                )
                print(text.in_(language, sheet=sheet, gone=gone, had=had), file=sys.stderr)
            return EXIT_FAILED
        applied = bool(made) and not arguments.dry_run
        if applied:
            since = datetime.combine(arguments.since, time(), config.timezone) if arguments.since else _today(config)
            put_in_force(store, whole, made, getpass.getuser(), datetime.now(UTC), since)
        if arguments.json:
            print(json.dumps({"applied": applied, "changes": counted(made)}, ensure_ascii=False))
        elif made:
            said = (
                Text("In force.", "已生效。")
                if applied
                else Text("Nothing was changed (--dry-run).", "未做任何修改（--dry-run）。")
            )
            print(said.in_(language))
    finally:
        store.close()
    return EXIT_OK


def _export(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.store.sqlite import SqliteStore

    store = SqliteStore(config.database)
    try:
        return _written(store.inventory.current(), arguments.path, arguments.lang, language)
    finally:
        store.close()


def _sample(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.inventory.sample import sample

    if not 1 <= arguments.schools <= 5000:
        print(Text("--schools: 1 to 5000", "--schools：1 至 5000").in_(language), file=sys.stderr)
        return EXIT_USAGE
    return _written(sample(arguments.schools, arguments.seed), arguments.path, arguments.lang, language)


def _written(inventory: object, path: Path, lang: Language, language: Language) -> int:
    from campus_collector.inventory.model import Inventory
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


def _today(config: CollectorConfig) -> datetime:
    return datetime.combine(datetime.now(config.timezone).date(), time(), config.timezone)
