"""`campus-collector backup` and `restore`: the database as one file, and back."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from campus_base.language import Language, Text
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, Commands, Meter
from campus_collector.config import CollectorConfig

MOST_SECONDS = 10_000_000


def register(commands: Commands) -> None:
    """Both."""
    say = commands.words
    made = commands.add(
        "backup", Text("copy the database while the collector runs", "在采集端运行时备份数据库"), _backup
    )
    made.add_argument("file", type=Path, metavar="FILE", help=say(Text("a new file", "新文件")))
    made.add_argument(
        "--seconds",
        type=_seconds(commands.language),
        metavar="N",
        help=say(Text("give up, and leave nothing behind, after so long", "超过此秒数则放弃，不留下任何文件")),
    )
    made = commands.add("restore", Text("put a backup where no database is", "将备份恢复到尚无数据库的目录"), _restore)
    made.add_argument("file", type=Path, metavar="FILE", help=say(Text("a backup", "备份文件")))


def _seconds(language: Language) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            seconds = float(text)
        except ValueError:
            seconds = 0.0
        if 0 < seconds <= MOST_SECONDS:
            return seconds
        words = Text("must be above 0 and at most {most}, not {text}", "必须大于 0 且不超过 {most}，不能是 {text}")
        raise argparse.ArgumentTypeError(words.in_(language, most=MOST_SECONDS, text=repr(text[:40])))

    return read


def _backup(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.store.backup import backup

    return _do(
        lambda meter: backup(config.database, arguments.file, meter, arguments.seconds), arguments.file, language
    )


def _restore(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.store.backup import restore

    return _do(lambda meter: restore(arguments.file, config.database, meter), config.database, language)


def _do(work: Callable[[Meter], int], target: Path, language: Language) -> int:
    from campus_collector.store.backup import NoRoom, TooSlow

    meter = Meter(Text("copying", "正在复制"), language)
    try:
        size = work(meter)
    except FileExistsError as error:
        text = Text("{file} is there already: nothing was written", "{file} 已存在：未写入任何内容")
        return _failed(text.in_(language, file=error.filename))
    except NoRoom as error:
        text = Text(
            "{folder}: too little room: {needed:.0f} MB are needed, {free:.0f} MB are free; nothing was left there",
            "{folder}：磁盘空间不足：需要 {needed:.0f} MB，仅剩 {free:.0f} MB；未留下任何文件",
        )
        values = {"needed": error.needed / 1e6, "free": error.free / 1e6}
        return _failed(text.in_(language, folder=error.filename, **values))
    except TooSlow:
        text = Text(
            "{file}: not finished in time: given up, nothing was left",
            "{file}：未在限定时间内完成，已放弃，未留下任何文件",
        )
        return _failed(text.in_(language, file=target))
    except OSError as error:
        return _failed(f"{error.filename or target}: {error.strerror or error}")
    finally:
        meter.done()
    text = Text("{target}: {size:.1f} MB, checked", "{target}：{size:.1f} MB，已校验")
    print(text.in_(language, target=target, size=size / 1e6))
    return EXIT_OK


def _failed(words: str) -> int:
    print(words, file=sys.stderr)
    return EXIT_FAILED
