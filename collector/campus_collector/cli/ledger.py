"""`campus-collector ledger`: the problem ledger at a terminal and as a file; brings it up to date first."""

import argparse
import json
import sys
from datetime import datetime
from pathlib import Path

from campus_base.files import write_whole
from campus_base.language import Language, Text
from campus_base.usage import day_argument
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, Commands, Meter, are_known, whole_number
from campus_collector.config import CollectorConfig
from campus_collector.domain.problem import STATES
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.listing import MAX_AGE_DAYS

WORDS = Text("the problem ledger: list it, export it", "问题台账：列出、导出")


def register(commands: Commands) -> None:
    """What it takes."""
    say = commands.words
    made = commands.add("ledger", WORDS, _ledger)
    made.add_argument("--town", help=say(Text("id of a town", "镇街编号")))
    made.add_argument("--target", choices=TARGET_NAMES, help=say(Text("only this target", "仅此指标")))
    made.add_argument(
        "--state",
        choices=(*STATES, "overdue", "contradicted", "all"),
        help=say(Text("default: what is still open", "默认：尚未销号的")),
    )
    made.add_argument(
        "--older-than",
        type=whole_number(commands.language, 0, MAX_AGE_DAYS),
        metavar="DAYS",
        help=say(Text("open for so long", "已立案天数")),
    )
    made.add_argument("--out", type=Path, metavar="FILE.csv|FILE.xlsx", help=say(Text("write a file", "写入文件")))
    made.add_argument(
        "--until",
        type=day_argument(commands.language),
        metavar="YYYY-MM-DD",
        help=say(Text("look at measurements up to this day only", "只计算到此日为止的测量")),
    )
    commands.json(made)


def _ledger(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.api.problems import looked_json, looked_words
    from campus_collector.http.api.views import problem_json
    from campus_collector.http.service import open_service
    from campus_collector.judge.table import aligned
    from campus_collector.ledger.listing import Wanted, listed, names_in
    from campus_collector.ledger.table import HEADINGS, as_csv, as_xlsx, rows
    from campus_collector.store.errors import StoreBusy

    today = datetime.now(config.timezone).date()
    service = open_service(config, must_exist=True)
    meter = Meter(Text("looking through the days", "正在逐日核对"), language)
    try:
        if not are_known(service.store, language, town=arguments.town):
            return EXIT_FAILED
        try:
            service.ledger.catch_up(arguments.until, meter)
        except StoreBusy:
            text = Text(
                "another process is bringing the ledger up to date: this is how it stands now",
                "另一进程正在更新台账，以下为当前已完成的部分",
            )
            print(text.in_(language), file=sys.stderr)
        meter.done()
        wanted = Wanted(arguments.town, arguments.target, arguments.state, None, arguments.older_than)
        problems = listed(service.store.ledger.problems(), wanted, today)
        names = names_in(service.store)
        if arguments.out is not None:
            make = as_xlsx if arguments.out.suffix.lower() == ".xlsx" else as_csv
            try:
                write_whole(arguments.out, make(problems, names, today, language, looked_words(service, language)))
            except OSError as error:
                print(f"{arguments.out}: {error.strerror or error}", file=sys.stderr)
                return EXIT_FAILED
            print(arguments.out)
        elif arguments.json:
            print(
                json.dumps(
                    {"problems": [problem_json(one, names, today) for one in problems], **looked_json(service)},
                    ensure_ascii=False,
                )
            )
        elif problems:
            shown = [tuple(one.in_(language) for one in HEADINGS), *rows(problems, names, today, language)]
            print(aligned([list(row[:8]) for row in shown]))
            print(looked_words(service, language))
        else:
            print(Text("No problem.", "没有问题。").in_(language))
    finally:
        meter.done()
        service.store.close()
    return EXIT_OK
