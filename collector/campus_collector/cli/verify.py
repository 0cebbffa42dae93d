"""`campus-collector verify`: is the evidence whole?"""

import argparse
from typing import Any

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_base.terminal import escape_cell
from campus_collector.cli.common import ProgressBar, are_known, data_options, json_option
from campus_collector.config import CollectorConfig
from campus_collector.http.service import open_service
from campus_collector.verify.chain import parse_head
from campus_collector.verify.database import Checked, verify


def register(parser: CommandParser) -> None:
    data_options(parser)
    parser.set_defaults(command=run)
    parser.add_argument("--school", metavar="SCHOOL", help=parser.words(message("only this school")))
    parser.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="SCHOOL:N:HEX",
        help=parser.words(
            message(
                "a head as a report printed it: school, results, SHA-256 or its first 8 digits and more (may be"
                " repeated)"
            )
        ),
    )
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    try:
        heads = [parse_head(text) for text in arguments.head]
    except ValueError as error:
        text = message("--head: must be SCHOOL:N:HEX like s001:1200:9f86d081, not {given!r}")
        return failed(EXIT_USAGE, text.in_(language, given=str(error)))
    progress = ProgressBar(message("verifying"), language)
    service = open_service(config, must_exist=True)
    try:
        if not are_known(service.store, language, arguments.school):
            return EXIT_FAILED
        checked = verify(service.store, service.verdicts, arguments.school, progress, heads)
    finally:
        progress.done()
        service.store.close()
    print(json_line(_as_json(checked)) if arguments.json else _in_words(checked, language))
    return EXIT_FAILED if checked.findings else EXIT_OK


def _as_json(checked: Checked) -> dict[str, Any]:
    findings = [
        {"school": finding.school, "en": finding.text.en, "zh": finding.text.zh} for finding in checked.findings
    ]
    counts = ("schools", "results", "unsealed", "days", "heads")
    return {name: getattr(checked, name) for name in counts} | {"findings": findings}


def _in_words(checked: Checked, language: Language) -> str:
    text = message("{schools} schools, {results} results in their chains, {days} days of evidence.")
    lines = [text.in_(language, schools=checked.schools, results=checked.results, days=checked.days)]
    if checked.unsealed:
        text = message("{count} results are older than the chain.")
        lines.append(text.in_(language, count=checked.unsealed))
    if checked.heads:
        text = message("{count} head(s) kept elsewhere were compared.")
        lines.append(text.in_(language, count=checked.heads))
    lines += [escape_cell(f"✗ {finding.text.in_(language)}") for finding in checked.findings]
    if not checked.findings:
        lines.append(message("✓ everything fits").in_(language))
    return "\n".join(lines)
