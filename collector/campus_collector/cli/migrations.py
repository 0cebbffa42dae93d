"""`campus-collector migrations`: which steps has this database taken, and which would this program take when it starts?"""

import argparse
import sqlite3
import sys
from contextlib import closing

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.store.errors import NoDatabase
from campus_collector.store.files import holds_something, must_be_a_file, not_ours, read_only
from campus_collector.store.migrate import shipped


def register(parser: CommandParser) -> None:
    data_options(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    """Looks only: nothing is applied, and a database that is not there is not made."""
    must_be_a_file(config.database)
    done: dict[str, str] = {}
    if holds_something(config.database):
        try:
            with closing(sqlite3.connect(read_only(config.database), uri=True)) as database:
                done = dict(database.execute("SELECT name, applied_at FROM migration ORDER BY name").fetchall())
        except sqlite3.Error as error:
            raise not_ours(config.database, error) from None
    else:
        print(NoDatabase(config.database).in_(language), file=sys.stderr)
    shipped_names = [migration.name for migration in shipped("sqlite")]
    steps = [
        {"name": name, "applied_at": done.get(name), "known": name in shipped_names}
        for name in sorted({*done, *shipped_names})
    ]
    if arguments.json:
        print(json_line(steps))
    else:
        waits = message("when the collector starts").in_(language)
        newer = message("of a newer program").in_(language)
        for step in steps:
            print(f"{step['name']:36} {step['applied_at'] or waits}{'' if step['known'] else '  ' + newer}")
    return EXIT_OK if all(step["known"] for step in steps) else EXIT_FAILED
