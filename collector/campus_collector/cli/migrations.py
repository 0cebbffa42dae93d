"""`campus-collector migrations`: which steps has this database taken, and which would this program take when it starts?"""

import argparse
import sys

from campus_base.command_line import EXIT_FAILED, EXIT_OK, CommandParser, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.store.errors import NoDatabase
from campus_collector.store.migrate import shipped
from campus_collector.store.open import transport_to


def register(parser: CommandParser) -> None:
    data_options(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    """Looks only: nothing is applied, and a database that is not there is not made."""
    transport = transport_to(config.store)
    done = transport.applied()
    if done is None:
        print(NoDatabase(config.store).in_(language), file=sys.stderr)
        done = {}
    known = [migration.name for migration in shipped(transport.dialect)]
    steps = [{"name": name, "applied_at": done.get(name), "known": name in known} for name in sorted({*done, *known})]
    if arguments.json:
        print(json_line(steps))
    else:
        waits = message("when the collector starts").in_(language)
        newer = message("of a newer program").in_(language)
        for step in steps:
            print(f"{step['name']:36} {step['applied_at'] or waits}{'' if step['known'] else '  ' + newer}")
    return EXIT_OK if all(step["known"] for step in steps) else EXIT_FAILED
