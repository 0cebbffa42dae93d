"""`campus-collector explain TARGET SUBJECT --month M`: the whole way from results to the verdict."""

import argparse
import json
import sys

from campus_base.language import Language, Text
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Commands, month_from
from campus_collector.config import CollectorConfig
from campus_collector.judge.policy import TARGET_NAMES

WORDS = Text("how a verdict follows from the results", "说明某一结论如何由测量结果得出")


def register(commands: Commands) -> None:
    """What it takes."""
    say = commands.words
    made = commands.add("explain", WORDS, _explain)
    made.add_argument("target", metavar="TARGET", choices=TARGET_NAMES, help=", ".join(TARGET_NAMES))
    made.add_argument(
        "subject",
        metavar="SUBJECT",
        help=say(Text("SCHOOL/SUBJECT, or SUBJECT with --school", "学校编号/对象编号，或对象编号加 --school")),
    )
    made.add_argument("--school", metavar="SCHOOL", help=say(Text("id of the school", "学校编号")))
    commands.month(made)
    commands.json(made)


def _explain(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.api.views import derivation_json
    from campus_collector.http.service import open_service
    from campus_collector.judge.derivation import as_text
    from campus_collector.ledger.explanation import explain, find_subjects

    month = month_from(arguments.month, config)
    given = f"{arguments.school}/{arguments.subject}" if arguments.school else arguments.subject
    service = open_service(config, must_exist=True)
    try:
        found = find_subjects(service.store, arguments.target, given, month)
        if len(found) != 1:
            text = (
                Text("{given}: several: {listed}", "{given}：有多个：{listed}")
                if found
                else Text("{given}: no such subject in {month}", "{given}：{month} 没有此考核对象")
            )
            listed = ", ".join(f"{school}/{subject}" for school, subject in found[:10])
            print(text.in_(language, given=given, month=month, listed=listed), file=sys.stderr)
            return EXIT_USAGE
        derivation = explain(service.store, service.verdicts, arguments.target, *found[0], month)
        if derivation is None:
            return EXIT_FAILED
        if arguments.json:
            print(json.dumps(derivation_json(derivation), ensure_ascii=False))
        else:
            print(as_text(derivation, language))
    finally:
        service.store.close()
    return EXIT_OK
