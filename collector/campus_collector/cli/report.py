"""`campus-collector report`: the monthly report as files; closing a month, and verifying what was issued."""

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed
from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
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

MORE = Text(
    "A month is closed by the collector on the policy's day ([report] close_day); --close does it now, once and for good.",
    "采集端按政策日期（[report] close_day）自动结账；--close 立即结账，结账后不可更改。",
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
        help=words(Text("which forms (default: all)", "文件格式（默认全部）")),
    )
    language_option(parser, Text("of the report", "通报语言"), "zh")
    parser.add_argument("--out", type=Path, default=Path(), metavar="DIR", help=words(Text("where to", "输出目录")))
    area = parser.add_mutually_exclusive_group()
    area.add_argument("--town", metavar="ID", help=words(Text("an excerpt for one town", "某镇街的摘页")))
    area.add_argument("--school", metavar="ID", help=words(Text("an excerpt for one school", "某学校的摘页")))
    what = parser.add_mutually_exclusive_group()
    what.add_argument(
        "--close", action="store_true", help=words(Text("close the month now, for good", "立即结账（不可撤销）"))
    )
    what.add_argument(
        "--verify",
        action="store_true",
        help=words(
            Text("is what was closed and issued unchanged? writes nothing", "核验已结账的数据和文件，不输出文件")
        ),
    )


def run(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    forms = [form.strip() for form in arguments.format.split(",") if form.strip()]
    if not forms or any(form not in FORMS for form in forms):
        text = Text("--format: choose from {all}, not {given}", "--format：可选 {all}，不能是 {given}")
        return failed(EXIT_USAGE, text.in_(language, all=", ".join(FORMS), given=arguments.format))
    month = month_from(arguments.month, config)
    service = open_service(config, must_exist=True)
    try:
        if arguments.verify:
            return _verify(service.reports, str(month), language)
        figures = _figures(service, month, language, close=arguments.close)
        return _write(service.reports, figures, month, forms, arguments, language)
    except (NoReport, FontMissing, FormFailed) as error:
        reason = error.words.in_(language)
    except Conflict:
        text = Text("{month} is closed already; --verify checks it", "{month} 已结账；可用 --verify 核验")
        reason = text.in_(language, month=month)
    except KeyError as error:
        text = Text("there is no {id} in the report of {month}", "{month} 通报中没有 {id}")
        reason = text.in_(language, id=error.args[0], month=month)
    except OSError as error:
        reason = f"{error.filename}: {error.strerror}"
    finally:
        service.store.close()
    return failed(EXIT_FAILED, reason)


def _figures(service: Service, month: Month, language: Language, *, close: bool) -> Figures:
    """Of the month, closed now if that is asked for. Raises NoReport, Conflict where it is closed already."""
    progress = ProgressBar(Text("reading the months", "正在汇总各月"), language)
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
    progress = ProgressBar(Text("progress the forms", "正在生成文件"), language)
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
    if not figures.closed:
        text = Text(
            "The month is not closed: the report says so, and its figures may still change.",
            "本月未结：文件中已注明，数据仍可能变化。",
        )
        print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _verify(reports: MonthlyReports, month: str, language: Language) -> int:
    well = True
    for finding in reports.verify(month):
        well = well and finding.well
        print(escape_cell(f"{'ok  ' if finding.well else 'BAD '} {finding.what}  {finding.words.in_(language)}"))
    return EXIT_OK if well else EXIT_FAILED
