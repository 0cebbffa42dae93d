"""`campus-collector quarantine`: results that were not accepted, with the reason, newest first."""

import argparse

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, json_line, whole_number
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import are_known, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.ingest.quarantine import as_json, count_words, escape_unprintable
from campus_collector.ingest.reasons import reason_words
from campus_collector.judge.table import aligned
from campus_collector.store.open import open_store

DEFAULT_ROWS, MAX_ROWS = 20, 500
HEADINGS = (message("received"), message("school"), message("id"), message("reason"))


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.set_defaults(command=run)
    parser.add_argument("--school", metavar="SCHOOL", help=words(message("only this school")))
    parser.add_argument(
        "--last",
        type=whole_number(parser.language, 1, MAX_ROWS),
        default=DEFAULT_ROWS,
        metavar="N",
        help=words(message("how many, newest first (default {default_rows})", default_rows=DEFAULT_ROWS)),
    )
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = open_store(config.store, must_exist=True)
    try:
        if not are_known(store, language, arguments.school):
            return EXIT_FAILED
        schools = None if arguments.school is None else [arguments.school]
        counts, rows = store.quarantine.counts(), store.quarantine.newest(schools, arguments.last)
    finally:
        store.close()
    if arguments.school is not None:
        counts = {school: count for school, count in counts.items() if school == arguments.school}
    if arguments.json:
        print(json_line({"counts": counts, "results": [as_json(row) for row in rows]}))
    elif not rows:
        print(message("Nothing is in quarantine.").in_(language))
    else:
        lines = [[heading.in_(language) for heading in HEADINGS]]
        for row in rows:
            moment = row.received_at.astimezone(config.timezone).strftime("%Y-%m-%d %H:%M:%S")
            cells = (row.school, row.id or "—", reason_words(row.reason).in_(language))
            lines.append([moment, *map(escape_unprintable, cells)])
        print(aligned(lines))
        print(count_words(counts).in_(language))
    return EXIT_OK
