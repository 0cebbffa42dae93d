"""`campus-collector ledger`: the problem ledger at a terminal and as a file; brings it up to date first."""

import argparse
import sys
from datetime import date, datetime
from pathlib import Path

import msgspec

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, day_argument, failed, json_line, whole_number
from campus_base.files import write_whole
from campus_base.language import Language, Text
from campus_collector.cli.common import ProgressBar, are_known, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.problem import STATES
from campus_collector.http.api.problem_answers import problems_answer
from campus_collector.http.api.problems import status_words
from campus_collector.http.service import Service, open_service
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.judge.table import aligned
from campus_collector.ledger.listing import MAX_AGE_DAYS, ProblemFilter, names_in, select
from campus_collector.ledger.table import HEADINGS, as_csv, as_xlsx, rows
from campus_collector.store.errors import StoreBusy

SHOWN_COLUMNS = 8
"""Of the table, on a terminal."""


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.set_defaults(command=run)
    parser.add_argument("--town", help=words(Text("id of a town", "镇街编号")))
    parser.add_argument("--target", choices=TARGET_NAMES, help=words(Text("only this target", "仅此指标")))
    parser.add_argument(
        "--state",
        choices=(*STATES, "overdue", "contradicted", "all"),
        help=words(Text("default: what is still open", "默认：尚未销号的")),
    )
    parser.add_argument(
        "--older-than",
        type=whole_number(parser.language, 0, MAX_AGE_DAYS),
        metavar="DAYS",
        help=words(Text("open for so long", "已立案天数")),
    )
    parser.add_argument("--out", type=Path, metavar="FILE.csv|FILE.xlsx", help=words(Text("write a file", "写入文件")))
    parser.add_argument(
        "--until",
        type=day_argument(parser.language),
        metavar="YYYY-MM-DD",
        help=words(Text("look at measurements up to this day only", "只计算到此日为止的测量")),
    )
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    today = datetime.now(config.timezone).date()
    service = open_service(config, must_exist=True)
    try:
        if not are_known(service.store, language, town=arguments.town):
            return EXIT_FAILED
        _catch_up(service, arguments.until, language)
        wanted = ProblemFilter(arguments.town, arguments.target, arguments.state, None, arguments.older_than)
        problems = select(service.store.ledger.problems(), wanted, today)
        names = names_in(service.store)
        if arguments.out is not None:
            make = as_xlsx if arguments.out.suffix.lower() == ".xlsx" else as_csv
            try:
                write_whole(arguments.out, make(problems, names, today, language, status_words(service, language)))
            except OSError as error:
                return failed(EXIT_FAILED, f"{arguments.out}: {error.strerror or error}")
            print(arguments.out)
        elif arguments.json:
            print(json_line(msgspec.to_builtins(problems_answer(service, problems, names, today))))
        elif problems:
            headings = [heading.in_(language) for heading in HEADINGS]
            lines = [headings, *rows(problems, names, today, language)]
            print(aligned([list(line[:SHOWN_COLUMNS]) for line in lines]))
            print(status_words(service, language))
        else:
            print(Text("No problem.", "没有问题。").in_(language))
    finally:
        service.store.close()
    return EXIT_OK


def _catch_up(service: Service, until: date | None, language: Language) -> None:
    progress = ProgressBar(Text("looking through the days", "正在逐日核对"), language)
    try:
        service.ledger.catch_up(until, progress)
    except StoreBusy:
        text = Text(
            "another process is bringing the ledger up to date: this is how it stands now",
            "另一进程正在更新台账，以下为当前已完成的部分",
        )
        print(text.in_(language), file=sys.stderr)
    finally:
        progress.done()
