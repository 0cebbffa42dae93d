"""`campus-collector report`: the monthly report as files; closing a month, and verifying what was issued."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language
from campus_base.messages import message, pmessage
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell
from campus_collector.area.report import AreaReports
from campus_collector.cli.common import ProgressBar, data_options, language_option, month_from, month_option
from campus_collector.config import CollectorConfig
from campus_collector.http.service import Service, open_service
from campus_collector.judge.month import Month
from campus_collector.report.figures import Figures
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.process import FormFailed
from campus_collector.report.forms.render import FORMS, Form
from campus_collector.report.service import MonthlyReports, NoReport, file_name, write_file
from campus_collector.store.errors import Conflict, StoreBusy

MORE = message(
    "A month is closed by the collector on the policy's day ([report] close_day); --close does it"
    " now, once and for good."
)


def register(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.epilog = parser.words(MORE)
    parser.set_defaults(command=run)
    month_option(parser)
    parser.add_argument(
        "--format",
        default="html,pdf,xlsx,docx",
        metavar="html,pdf,xlsx,docx",
        help=words(message("which forms (default: all)")),
    )
    language_option(parser, message("of the report"), "zh")
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="DIR", help=words(pmessage("folder of reports", "where to"))
    )
    area = parser.add_mutually_exclusive_group()
    area.add_argument(
        "--town", metavar="ID", help=words(message("an excerpt for one town; not with --close or --verify"))
    )
    area.add_argument(
        "--school", metavar="ID", help=words(message("an excerpt for one school; not with --close or --verify"))
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--close", action="store_true", help=words(message("close the month now, for good")))
    what.add_argument(
        "--verify",
        action="store_true",
        help=words(message("is what was closed and issued unchanged? writes nothing")),
    )


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    forms = [form.strip() for form in arguments.format.split(",") if form.strip()]
    if not forms or any(form not in FORMS for form in forms):
        text = message("--format: choose from {all}, not {given}")
        return failed(EXIT_USAGE, text.in_(language, all=", ".join(FORMS), given=arguments.format))
    if (arguments.town or arguments.school) and (arguments.close or arguments.verify):
        text = message(
            "a month is closed and verified as a whole: leave out --town and --school; an excerpt of a closed month is written without --close"
        )
        return failed(EXIT_USAGE, text.in_(language))
    month = month_from(arguments.month, config)
    service = open_service(config, must_exist=True)
    try:
        if config.takes_months:
            return _write_of_area(service.area, month, forms, arguments, language)
        if arguments.verify:
            return _verify(service.reports, str(month), language)
        figures = _figures(service, month, language, close=arguments.close)
        return _write(service.reports, figures, month, forms, arguments, language)
    except (NoReport, FontMissing, FormFailed) as error:
        reason = error.words.in_(language)
    except Conflict:
        text = message("{month} is closed already; --verify checks it")
        reason = text.in_(language, month=month)
    except KeyError as error:
        text = message("there is no {id} in the report of {month}")
        reason = text.in_(language, id=error.args[0], month=month)
    except OSError as error:
        reason = f"{error.filename}: {error_words(error).in_(language)}"
    finally:
        service.store.close()
    return failed(EXIT_FAILED, reason)


def _write_of_area(
    reports: AreaReports, month: Month, forms: Sequence[Form], arguments: argparse.Namespace, language: Language
) -> int:
    """By what is here of the counties: they close their months, and there is no excerpt."""
    if arguments.close or arguments.verify or arguments.town or arguments.school:
        text = message(
            "the report of an area is made of what its counties closed: no --close, --verify, --town, --school"
        )
        return failed(EXIT_USAGE, text.in_(language))
    figures = reports.figures(month)
    for form in forms:
        path = arguments.out / file_name(str(month), form, arguments.lang)
        write_file(path, reports.document(month, form, arguments.lang, figures))
        print(path)
    return EXIT_OK


def _figures(service: Service, month: Month, language: Language, *, close: bool) -> Figures:
    """Of the month, closed now if that is asked for. Raises NoReport, Conflict where it is closed already."""
    progress = ProgressBar(message("reading the months"), language)
    service.verdicts.catch_up(progress)
    with suppress(StoreBusy):  # the report then says that it is still being worked out
        service.ledger.catch_up(progress=progress)
    make = service.reports.close if close else service.reports.figures
    figures = make(month, progress=progress)
    progress.done()
    return figures


def _write(
    reports: MonthlyReports,
    figures: Figures,
    month: Month,
    forms: Sequence[Form],
    arguments: argparse.Namespace,
    language: Language,
) -> int:
    scope = arguments.town or arguments.school or ""
    made = [form for form in forms if scope or arguments.close or reports.issued(month, form, arguments.lang) is None]
    progress = ProgressBar(message("progress the forms"), language)
    for done, form in enumerate(forms):
        progress(done, len(forms))
        body = reports.document(
            month, form, arguments.lang, town=arguments.town, school=arguments.school, figures=figures
        )
        mark = "" if figures.closed else "provisional"
        path = arguments.out / file_name(str(month), form, arguments.lang, scope=scope, mark=mark)
        write_file(path, body)
        progress.done()
        print(path)
    for words in reports.font_notes(made, language):
        print(words, file=sys.stderr)
    if not figures.closed:
        text = message("The month is not closed: the report says so, and its figures may still change.")
        print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _verify(reports: MonthlyReports, month: str, language: Language) -> int:
    well = True
    for finding in reports.verify(month):
        well = well and finding.well
        print(escape_cell(f"{'ok  ' if finding.well else 'BAD '} {finding.what}  {finding.words.in_(language)}"))
    return EXIT_OK if well else EXIT_FAILED
