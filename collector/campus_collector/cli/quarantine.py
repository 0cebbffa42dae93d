"""`campus-collector quarantine`: results that were not accepted, with the reason, newest first."""

import argparse
import json

from campus_base.language import Language, Text
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, Commands, are_known, whole_number
from campus_collector.config import CollectorConfig
from campus_collector.ingest.quarantine import as_json, count_words, printable
from campus_collector.ingest.reasons import reason_words
from campus_collector.judge.table import aligned
from campus_collector.store.sqlite import SqliteStore

WORDS = Text("results that were not accepted, with the reason", "列出被隔离的结果及原因")
DEFAULT_ROWS, MAX_ROWS = 20, 500
HEADINGS = (Text("received", "收到时间"), Text("school", "学校"), Text("id", "结果编号"), Text("reason", "原因"))


def register(commands: Commands) -> None:
    """What it takes."""
    say = commands.words
    made = commands.add("quarantine", WORDS, _quarantine)
    made.add_argument("--school", metavar="SCHOOL", help=say(Text("only this school", "仅此学校")))
    made.add_argument(
        "--last",
        type=whole_number(commands.language, 1, MAX_ROWS),
        default=DEFAULT_ROWS,
        metavar="N",
        help=say(Text(f"how many, newest first (default {DEFAULT_ROWS})", f"显示最新的 N 条（默认 {DEFAULT_ROWS}）")),
    )
    commands.json(made)


def _quarantine(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    store = SqliteStore(config.database, must_exist=True)
    try:
        if not are_known(store, language, arguments.school):
            return EXIT_FAILED
        counts, rows = store.quarantine_counts(), store.quarantine_rows(arguments.school, arguments.last)
    finally:
        store.close()
    if arguments.school is not None:
        counts = {school: count for school, count in counts.items() if school == arguments.school}
    if arguments.json:
        print(json.dumps({"counts": counts, "results": [as_json(one) for one in rows]}, ensure_ascii=False))
    elif not rows:
        print(Text("Nothing is in quarantine.", "没有被隔离的结果。").in_(language))
    else:
        lines = [[one.in_(language) for one in HEADINGS]]
        for one in rows:
            moment = one.received_at.astimezone(config.timezone).strftime("%Y-%m-%d %H:%M:%S")
            lines.append(
                [
                    moment,
                    printable(one.school),
                    printable(one.id or "—"),
                    printable(reason_words(one.reason).in_(language)),
                ]
            )
        print(aligned(lines))
        print(count_words(counts).in_(language))
    return EXIT_OK
