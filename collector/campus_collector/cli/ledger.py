"""`campus-collector ledger`: the problem ledger at a terminal and as a file; brings it up to date first."""

import argparse
import sys
from datetime import date, datetime
from pathlib import Path

import msgspec

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, day_argument, failed, json_line, whole_number
from campus_base.files import write_whole
from campus_base.language import Language
from campus_base.messages import message
from campus_base.system_errors import error_words
from campus_collector.cli.common import ProgressBar, are_known, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.domain.problem import STATES
from campus_collector.http.api.problem_answers import problems_answer, status_words
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
    parser.add_argument("--town", help=words(message("id of a town")))
    parser.add_argument("--target", choices=TARGET_NAMES, help=words(message("only this target")))
    parser.add_argument(
        "--state",
        choices=(*STATES, "overdue", "contradicted", "all"),
        help=words(message("default: what is still open")),
    )
    parser.add_argument(
        "--older-than",
        type=whole_number(parser.language, 0, MAX_AGE_DAYS),
        metavar="DAYS",
        help=words(message("open for so long")),
    )
    parser.add_argument("--out", type=Path, metavar="FILE.csv|FILE.xlsx", help=words(message("write a file")))
    parser.add_argument(
        "--until",
        type=day_argument(parser.language),
        metavar="YYYY-MM-DD",
        help=words(message("look at measurements up to this day only")),
    )
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    today = datetime.now(config.timezone).date()
    service = open_service(config, must_exist=True)
    try:
        if not are_known(service.store, language, town=arguments.town):
            return EXIT_FAILED
        _catch_up(service, arguments.until, language)
        selected = ProblemFilter(arguments.town, arguments.target, arguments.state, None, arguments.older_than)
        problems = select(service.store.ledger.problems(), selected, today)
        names = names_in(service.store, problems, service.store.inventory.current().schools or ())
        if arguments.out is not None:
            make = as_xlsx if arguments.out.suffix.lower() == ".xlsx" else as_csv
            try:
                write_whole(arguments.out, make(problems, names, today, language, status_words(service, language)))
            except OSError as error:
                return failed(EXIT_FAILED, f"{arguments.out}: {error_words(error).in_(language)}")
            print(arguments.out)
        elif arguments.json:
            print(json_line(msgspec.to_builtins(problems_answer(service, problems, names, today))))
        elif problems:
            headings = [heading.in_(language) for heading in HEADINGS]
            lines = [headings, *rows(problems, names, today, language)]
            print(aligned([list(line[:SHOWN_COLUMNS]) for line in lines]))
            print(status_words(service, language))
        else:
            print(message("No problem.").in_(language))
    finally:
        service.store.close()
    return EXIT_OK


def _catch_up(service: Service, until: date | None, language: Language) -> None:
    progress = ProgressBar(message("looking through the days"), language)
    try:
        service.ledger.catch_up(until, progress)
    except StoreBusy:
        text = message("another process is bringing the ledger up to date: this is how it stands now")
        print(text.in_(language), file=sys.stderr)
    finally:
        progress.done()
