"""`campus-collector explain TARGET SUBJECT --month M`: the whole way from results to the verdict."""

import argparse
from typing import Any

import msgspec

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import data_options, json_option, month_from, month_option
from campus_collector.config import CollectorConfig
from campus_collector.http.api.answers import subject_answer, words_of
from campus_collector.http.service import open_service
from campus_collector.judge.derivation import Derivation, as_text, conclusion, rule_words
from campus_collector.judge.policy import TARGET_NAMES
from campus_collector.ledger.explain import explain, find_subjects


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.set_defaults(command=run)
    parser.add_argument("target", metavar="TARGET", choices=TARGET_NAMES, help=", ".join(TARGET_NAMES))
    parser.add_argument(
        "subject",
        metavar="SUBJECT",
        help=words(message("SCHOOL/SUBJECT, or SUBJECT with --school")),
    )
    parser.add_argument("--school", metavar="SCHOOL", help=words(message("id of the school")))
    month_option(parser)
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    month = month_from(arguments.month, config)
    name = f"{arguments.school}/{arguments.subject}" if arguments.school else arguments.subject
    service = open_service(config, must_exist=True)
    try:
        subjects = find_subjects(service.store, arguments.target, name, month)
        if len(subjects) != 1:
            text = message("{name}: several: {listed}") if subjects else message("{name}: no such subject in {month}")
            listed = ", ".join(f"{school}/{subject}" for school, subject in subjects[:10])
            return failed(EXIT_USAGE, text.in_(language, name=name, month=month, listed=listed))
        derivation = explain(service.store, service.verdicts, arguments.target, *subjects[0], month)
        if derivation is None:
            return EXIT_FAILED
        if arguments.json:
            print(json_line(_as_json(derivation)))
        else:
            print(as_text(derivation, language))
    finally:
        service.store.close()
    return EXIT_OK


def _as_json(derivation: Derivation) -> dict[str, Any]:
    rule, about = derivation.rule, derivation.about
    answer: dict[str, Any] = msgspec.to_builtins(
        {
            "target": about.target,
            "school": about.school,
            "subject": about.subject,
            "month": str(derivation.month),
            "required_bits_per_second": about.required_bits_per_second,
            "tolerance_ratio": derivation.tolerance_ratio,
            "rule": rule,
            "rule_text": words_of(rule_words(rule, about.required_bits_per_second, derivation.tolerance_ratio)),
            "results": [
                {
                    "id": line.id,
                    "started_at": line.at.isoformat(),
                    "figures": line.figures.en,
                    "passes": line.passes,
                    "why": words_of(line.why),
                    "doubt": words_of(line.doubt) if line.doubt else None,
                    "command": line.command,
                }
                for line in derivation.lines
            ],
            "days": [
                {
                    "day": day.day.isoformat(),
                    "valid_results": day.evidence.valid,
                    "passing_results": day.evidence.passing,
                    "values": day.evidence.values,
                    "exempt": day.exempt,
                }
                for day in derivation.days
            ],
            "conclusion": [words_of(sentence) for sentence in conclusion(derivation.verdict)],
            "verdict": subject_answer(derivation.verdict),
        }
    )
    return answer
