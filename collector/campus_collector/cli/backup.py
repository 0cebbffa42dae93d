"""`campus-collector backup`: the database as one file."""

import argparse
from collections.abc import Callable
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, failed
from campus_base.language import Language, Text
from campus_collector.cli.common import ProgressBar, data_options
from campus_collector.config import CollectorConfig
from campus_collector.store.backup import NoRoom, TooSlow, backup

MOST_SECONDS = 10_000_000


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.add_argument("file", type=Path, metavar="FILE", help=parser.words(Text("a new file", "新文件")))
    parser.add_argument(
        "--seconds",
        type=_seconds(parser.language),
        metavar="N",
        help=parser.words(Text("give up, and leave nothing behind, after so long", "超过此秒数则放弃，不留下任何文件")),
    )
    parser.set_defaults(command=run)


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


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    def work(progress: ProgressBar) -> int:
        return backup(config.database, arguments.file, progress, arguments.seconds)

    return copy(work, arguments.file, language)


def copy(work: Callable[[ProgressBar], int], target: Path, language: Language) -> int:
    """Copy a database; `work` returns the bytes. The exit code."""
    progress = ProgressBar(Text("copying", "正在复制"), language)
    try:
        size = work(progress)
    except FileExistsError as error:
        text = Text("{file} is there already: nothing was written", "{file} 已存在：未写入任何内容")
        return failed(EXIT_FAILED, text.in_(language, file=error.filename))
    except NoRoom as error:
        text = Text(
            "{folder}: too little room: {needed:.0f} MB are needed, {free:.0f} MB are free; nothing was left there",
            "{folder}：磁盘空间不足：需要 {needed:.0f} MB，仅剩 {free:.0f} MB；未留下任何文件",
        )
        values = {"needed": error.needed / 1e6, "free": error.free / 1e6}
        return failed(EXIT_FAILED, text.in_(language, folder=error.filename, **values))
    except TooSlow:
        text = Text(
            "{file}: not finished in time: given up, nothing was left",
            "{file}：未在限定时间内完成，已放弃，未留下任何文件",
        )
        return failed(EXIT_FAILED, text.in_(language, file=target))
    except OSError as error:
        return failed(EXIT_FAILED, f"{error.filename or target}: {error.strerror or error}")
    finally:
        progress.done()
    text = Text("{target}: {size:.1f} MB, checked", "{target}：{size:.1f} MB，已校验")
    print(text.in_(language, target=target, size=size / 1e6))
    return EXIT_OK
