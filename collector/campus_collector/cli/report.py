"""`campus-collector report`: the monthly report as files; closing a month, and verifying what was issued."""

import argparse
import sys
from contextlib import suppress
from pathlib import Path

from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Commands, Meter, month_from
from campus_collector.config import CollectorConfig

WORDS = Text("the monthly report: make it, close a month, verify what was issued", "月度通报：生成、结账、核验")
MORE = Text(
    "A month is closed by the collector on the policy's day ([report] close_day); --close does it now, once and for good.",
    "采集端按政策日期（[report] close_day）自动结账；--close 立即结账，结账后不可更改。",
)


def register(commands: Commands) -> None:
    """What it takes."""
    say = commands.words
    made = commands.add("report", WORDS, _report, MORE)
    commands.month(made)
    made.add_argument(
        "--format",
        default="html,pdf,xlsx,docx",
        metavar="html,pdf,xlsx,docx",
        help=say(Text("which forms (default: all)", "文件格式（默认全部）")),
    )
    made.add_argument("--lang", choices=("zh", "en"), default="zh", help=say(Text("of the report", "通报语言")))
    made.add_argument("--out", type=Path, default=Path(), metavar="DIR", help=say(Text("where to", "输出目录")))
    area = made.add_mutually_exclusive_group()
    area.add_argument("--town", metavar="ID", help=say(Text("an excerpt for one town", "某镇街的摘页")))
    area.add_argument("--school", metavar="ID", help=say(Text("an excerpt for one school", "某学校的摘页")))
    what = made.add_mutually_exclusive_group()
    what.add_argument(
        "--close", action="store_true", help=say(Text("close the month now, for good", "立即结账（不可撤销）"))
    )
    what.add_argument(
        "--verify",
        action="store_true",
        help=say(Text("is what was closed and issued unchanged? writes nothing", "核验已结账的数据和文件，不输出文件")),
    )


def _report(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.service import open_service
    from campus_collector.report.forms.pdf_fonts import FontMissing
    from campus_collector.report.forms.process import FormFailed
    from campus_collector.report.forms.render import FORMS
    from campus_collector.report.service import NoReport
    from campus_collector.store.database import Refused
    from campus_collector.store.errors import StoreBusy

    forms = [one.strip() for one in arguments.format.split(",") if one.strip()]
    unknown = [one for one in forms if one not in FORMS]
    if unknown or not forms:
        text = Text("--format: choose from {all}, not {given}", "--format：可选 {all}，不能是 {given}")
        print(text.in_(language, all=", ".join(FORMS), given=arguments.format), file=sys.stderr)
        return EXIT_USAGE
    month = month_from(arguments.month, config)
    service = open_service(config, must_exist=True)
    try:
        book = service.reports
        if arguments.verify:
            return _verify(book, str(month), language)
        meter = Meter(Text("reading the months", "正在汇总各月"), language)
        service.verdicts.catch_up(meter)
        with suppress(StoreBusy):  # the report then says that it is still being worked out
            service.ledger.catch_up(progress=meter)
        figures = book.close(month, step=meter) if arguments.close else book.figures(month, step=meter)
        meter.done()
        return _write(book, figures, month, forms, arguments, language)
    except NoReport as none:
        print(none.words.in_(language), file=sys.stderr)
    except Refused:
        text = Text("{month} is closed already; --verify checks it", "{month} 已结账；可用 --verify 核验")
        print(text.in_(language, month=month), file=sys.stderr)
    except (FontMissing, FormFailed) as reason:
        print(reason.words.in_(language), file=sys.stderr)
    except KeyError as key:
        text = Text("there is no {id} in the report of {month}", "{month} 通报中没有 {id}")
        print(text.in_(language, id=key.args[0], month=month), file=sys.stderr)
    except OSError as error:
        print(f"{error.filename}: {error.strerror}", file=sys.stderr)
    finally:
        service.store.close()
    return EXIT_FAILED


def _write(book, figures, month, forms, arguments, language) -> int:  # type: ignore[no-untyped-def]
    from campus_collector.report.service import file_name, write_file

    scope = arguments.town or arguments.school or ""
    making = Meter(Text("making the forms", "正在生成文件"), language)
    for done, form in enumerate(forms):
        making(done, len(forms))
        body = book.document(month, form, arguments.lang, town=arguments.town, school=arguments.school, figures=figures)
        mark = "" if figures.closed else "provisional"
        path = arguments.out / file_name(str(month), form, arguments.lang, scope=scope, mark=mark)
        write_file(path, body)
        making.done()
        print(path)
    if not figures.closed:
        text = Text(
            "The month is not closed: the report says so, and its figures may still change.",
            "本月未结：文件中已注明，数据仍可能变化。",
        )
        print(text.in_(language), file=sys.stderr)
    return EXIT_OK


def _verify(book, month: str, language: Language) -> int:  # type: ignore[no-untyped-def]
    well = True
    for finding in book.verify(month):
        well = well and finding.well
        print(escape_cell(f"{'ok  ' if finding.well else 'BAD '} {finding.what}  {finding.words.in_(language)}"))
    return EXIT_OK if well else EXIT_FAILED
