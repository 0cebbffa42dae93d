"""`campus-collector judge`: the verdicts of a month."""

import argparse
from datetime import datetime

import msgspec

from campus_base.command_line import EXIT_OK, CommandParser, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, json_option, month_from, month_option
from campus_collector.config import CollectorConfig
from campus_collector.http.api.answers import compliance_answer
from campus_collector.http.service import open_service
from campus_collector.judge.table import as_table
from campus_collector.judge.tally import areas_in
from campus_collector.ledger.named_cause import with_named_causes


def register(parser: CommandParser) -> None:
    data_options(parser)
    month_option(parser)
    json_option(parser)
    parser.set_defaults(command=run)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    month = month_from(arguments.month, config)
    service = open_service(config, must_exist=True)
    try:
        compliance = compliance_answer(service, month)
        if arguments.json:
            print(json_line(msgspec.to_builtins(compliance)))
        else:
            verdicts = service.verdicts
            judged = with_named_causes(service.store, service.verdicts, month, verdicts.subjects(month))
            print(as_table(str(month), areas_in(verdicts.by_school(month).values()), judged, language))
            if compliance.subjects:
                text = message("Data as of {time}")
                print(text.in_(language, time=datetime.now(config.timezone).strftime("%Y-%m-%d %H:%M")))
    finally:
        service.store.close()
    return EXIT_OK
