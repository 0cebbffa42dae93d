"""`campus-collector rejudge`: what another policy would have meant in archived months."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line, whole_number
from campus_base.language import Language
from campus_base.messages import bilingual, message
from campus_base.settings import ConfigurationError, Mistake
from campus_base.system_errors import error_words
from campus_collector.cli.common import ProgressBar, data_options, json_option, language_option
from campus_collector.config import CollectorConfig
from campus_collector.judge.policy import load_policy
from campus_collector.rejudge.document import as_text, document
from campus_collector.rejudge.outcome import Rejudged, as_answer, joined
from campus_collector.rejudge.part import Part, PartFailure, PartOutcome
from campus_collector.rejudge.plan import months_in, plan
from campus_collector.rejudge.processes import Answer, WorkersFailed, by_processes
from campus_collector.report.forms.render import Form, render
from campus_collector.report.service import write_file
from campus_collector.store.archive.errors import ArchiveError

MORE = message(
    "Judges the results of the archive twice: by the policy that is archived with them, whose verdicts must be those"
    " that were published,\nand by the one in FILE. Copy policy.toml and change it. Without --policy only the first is"
    " done. Exit code 1: a published verdict\ndoes not follow, or the archive cannot be read."
)
FORM_OF: dict[str, Form] = {".html": "html", ".xlsx": "xlsx"}
MOST_WORKERS = 256


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.epilog = words(MORE)
    parser.set_defaults(command=run)
    parser.add_argument("--archive", type=Path, required=True, metavar="DIR", help=words(message("folder of archives")))
    parser.add_argument(
        "--months", required=True, metavar="YYYY-MM..YYYY-MM", help=words(message("from a month to a month, or one"))
    )
    parser.add_argument("--policy", type=Path, metavar="FILE", help=words(message("the other policy")))
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help=words(message("write the differences: a name with .html or .xlsx"))
    )
    language_option(parser, message("of that file"), parser.language)
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--workers",
        type=whole_number(parser.language, 1, MOST_WORKERS),
        default=len(os.sched_getaffinity(0)),
        metavar="N",
        help=words(message("processes of this machine (default: one a core)")),
    )
    where.add_argument("--scheduler", metavar="URL", help=words(message("a Dask cluster instead: tcp://ADDRESS:PORT")))
    json_option(parser)


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    out: Path | None = arguments.out
    if out is not None and out.suffix not in FORM_OF:
        text = message("--out: a name that ends with .html or .xlsx, not {name!r}")
        return failed(EXIT_USAGE, text.in_(language, name=out.name))
    if arguments.scheduler is not None and "://" not in arguments.scheduler:
        text = message("--scheduler: an address like tcp://192.0.2.1:8786, not {address!r}")
        return failed(EXIT_USAGE, text.in_(language, address=arguments.scheduler))
    months = _months(arguments.months)
    policy = load_policy(arguments.policy) if arguments.policy is not None else None
    try:
        planned = plan(arguments.archive, months, "" if policy is None else policy.text)
    except ArchiveError as error:
        return failed(EXIT_FAILED, error.in_(language))
    if not planned.months:
        text = message("{folder}: none of these months is archived there: {months}")
        return failed(EXIT_FAILED, text.in_(language, folder=arguments.archive, months=_listed(months)))
    if planned.missing:
        text = message("not in the archive, and not judged: {months}")
        print(text.in_(language, months=_listed(planned.missing)), file=sys.stderr)
    try:
        answers = _answers(planned.parts, arguments, language)
    except WorkersFailed as error:
        return failed(EXIT_FAILED, error.words.in_(language))
    failures = sorted({answer.words.in_(language) for answer in answers if isinstance(answer, PartFailure)})
    if failures:
        return failed(EXIT_FAILED, "\n".join(failures))
    outcomes = [answer for answer in answers if isinstance(answer, PartOutcome)]
    return _show(joined(planned, "" if policy is None else policy.version, outcomes), arguments, language)


def _months(text: str) -> list[str]:
    """Raises ConfigurationError."""
    try:
        return months_in(text)
    except ValueError as error:
        wrong = message("months are written like 2026-09..2026-12, not {text!r}", text=text)
        raise ConfigurationError("campus-collector", [Mistake("--months", bilingual(str(error), wrong.zh))]) from None


def _listed(months: Sequence[str]) -> str:
    return ", ".join(months)


def _answers(parts: Sequence[Part], arguments: argparse.Namespace, language: Language) -> list[Answer]:
    """Of every part. Raises WorkersFailed."""
    progress = ProgressBar(message("judging again"), language)
    answers: list[Answer] = []
    if arguments.scheduler is None:
        coming = by_processes(parts, arguments.workers)
    else:
        from campus_collector.rejudge.cluster import by_cluster

        coming = by_cluster(parts, arguments.scheduler)
    progress(0, len(parts))
    try:
        for answer in coming:
            answers.append(answer)
            progress(len(answers), len(parts))
    finally:
        progress.done()
    return answers


def _show(rejudged: Rejudged, arguments: argparse.Namespace, language: Language) -> int:
    print(json_line(as_answer(rejudged)) if arguments.json else as_text(rejudged, language))
    out: Path | None = arguments.out
    if out is not None:
        try:
            write_file(out, render(document(rejudged, arguments.lang), FORM_OF[out.suffix]))
        except OSError as error:
            return failed(EXIT_FAILED, f"{out}: {error_words(error).in_(language)}")
        if not arguments.json:
            print(out)
    return EXIT_OK if rejudged.first_unequal is None else EXIT_FAILED
