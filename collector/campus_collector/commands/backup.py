"""`campus-collector backup` and `restore`: the database as one file, and back."""

import argparse
import sys
from pathlib import Path

from campus_collector.commands import EXIT_FAILED, EXIT_OK, Commands, Meter
from campus_collector.config import CollectorConfig
from campus_wire.language import Language, Text


def register(commands: Commands) -> None:
    """Both."""
    say = commands.words
    made = commands.add(
        "backup", Text("copy the database while the collector runs", "在采集端运行时备份数据库"), _backup
    )
    made.add_argument("file", type=Path, metavar="FILE", help=say(Text("a new file", "新文件")))
    made = commands.add("restore", Text("put a backup where no database is", "将备份恢复到尚无数据库的目录"), _restore)
    made.add_argument("file", type=Path, metavar="FILE", help=say(Text("a backup", "备份文件")))


def _backup(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    return _do(arguments.file, config.database, arguments.file, language, restoring=False)


def _restore(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    return _do(arguments.file, config.database, config.database, language, restoring=True)


def _do(file: Path, database: Path, target: Path, language: Language, *, restoring: bool) -> int:
    from campus_collector.store.backup import backup, restore

    meter = Meter(Text("copying", "正在复制"), language)
    try:
        size = restore(file, database, meter) if restoring else backup(database, file, meter)
    except FileExistsError as error:
        text = Text("{file} is there already: nothing was written", "{file} 已存在：未写入任何内容")
        print(text.in_(language, file=error.filename), file=sys.stderr)
        return EXIT_FAILED
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
        return EXIT_FAILED
    meter.done()
    text = Text("{target}: {size:.1f} MB, checked", "{target}：{size:.1f} MB，已校验")
    print(text.in_(language, target=target, size=size / 1e6))
    return EXIT_OK
