"""`campus-collector measure SCHOOL/SUBJECT`: a school's gateway is asked for a test now; with --wait its result is waited for."""

import argparse
import sys
import time

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.cli.common import are_known, data_options, ids_are_valid, json_option
from campus_collector.commands import ask
from campus_collector.config import CollectorConfig
from campus_collector.domain.commands import STATE_WORDS, StoredCommand
from campus_collector.domain.problem import CONSOLE
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_collector.store.tables.commands import CommandRefused
from campus_wire.commands import MEASURABLE_KINDS

LOOK_SECONDS = 1.0


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    json_option(parser)
    parser.set_defaults(command=run)
    parser.add_argument(
        "subject", metavar="SCHOOL/SUBJECT", help=words(message("school and what is tested: s001/c101"))
    )
    parser.add_argument(
        "--kind", choices=MEASURABLE_KINDS, default="", help=words(message("where several have this id"))
    )
    parser.add_argument(
        "--wait", action="store_true", help=words(message("wait for the result; exit code 1 when there is none"))
    )


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    school, slash, subject = arguments.subject.partition("/")
    if not slash:
        return failed(EXIT_USAGE, message("write it as SCHOOL/SUBJECT").in_(language))
    if not ids_are_valid(language, school=school):
        return EXIT_USAGE
    store = open_store(config.store, must_exist=True)
    try:
        if not are_known(store, language, school=school):
            return EXIT_FAILED
        try:
            command = ask(store, school, "measure", subject, arguments.kind, CONSOLE)
        except CommandRefused as refused:
            return failed(EXIT_FAILED, refused.text.in_(language))
        if arguments.wait:
            command = _finished(store, command, language)
        shown = command.shown_at(store.commands.now())
        if arguments.json:
            print(json_line(_as_json(command, shown)))
        else:
            print(_line(command, shown, language))
        return EXIT_OK if not arguments.wait or shown == "done" else EXIT_FAILED
    finally:
        store.close()


def _finished(store: Store, command: StoredCommand, language: Language) -> StoredCommand:
    """Its last state; each change is a line on standard error."""
    shown = ""
    while command.is_live(store.commands.now()):
        if shown != command.state:
            shown = command.state
            print(_line(command, shown, language), file=sys.stderr)
        time.sleep(LOOK_SECONDS)
        command = store.commands.one(command.school, command.number) or command
    return command


def _line(command: StoredCommand, shown: str, language: Language) -> str:
    report = command.body.report
    reason = " ".join(text for text in (report.reason, report.detail) if text) if report is not None else ""
    words = STATE_WORDS[shown].in_(language)
    return f"{command.school}/{command.subject} #{command.number}: {words}{f' ({reason})' if reason else ''}"


def _as_json(command: StoredCommand, shown: str) -> dict[str, object]:
    report = command.body.report
    return {
        "school": command.school,
        "subject": command.subject,
        "number": command.number,
        "id": command.id,
        "state": shown,
        "reason": report.reason if report else "",
        "detail": report.detail if report else "",
        "results": [result.id for result in report.results] if report else [],
    }
