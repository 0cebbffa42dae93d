"""`campus-collector verify`: is the evidence whole?"""

import argparse
import json
import sys

from campus_base.language import Language, Text
from campus_base.terminal import escape_cell
from campus_collector.cli.common import EXIT_FAILED, EXIT_OK, EXIT_USAGE, Commands, Meter, are_known
from campus_collector.config import CollectorConfig

WORDS = Text(
    "recompute the chain of results, the audit trail and the evidence; name the first difference",
    "重新计算结果链、操作记录和判定依据，指出第一处不符",
)


def register(commands: Commands) -> None:
    """What it takes."""
    made = commands.add("verify", WORDS, _verify)
    made.add_argument("--school", metavar="SCHOOL", help=commands.words(Text("only this school", "仅此学校")))
    made.add_argument(
        "--head",
        action="append",
        default=[],
        metavar="SCHOOL:N:HEX",
        help=commands.words(
            Text(
                "a head as a report printed it: school, results, SHA-256 or its first 8 digits and more (may be repeated)",
                "通报中的链头：学校编号:结果数:SHA-256（可只写前 8 位以上；可多次使用）",
            )
        ),
    )
    commands.json(made)


def _verify(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    from campus_collector.http.service import open_service
    from campus_collector.verifying import parse_head, verify

    try:
        given = [parse_head(one) for one in arguments.head]
    except ValueError as error:
        text = Text(
            "--head: must be SCHOOL:N:HEX like s001:1200:9f86d081, not {given!r}",
            "--head：应为 学校编号:结果数:十六进制，如 s001:1200:9f86d081，不能是 {given!r}",
        )
        print(text.in_(language, given=str(error)), file=sys.stderr)
        return EXIT_USAGE
    meter = Meter(Text("verifying", "正在校验"), language)
    service = open_service(config, must_exist=True)
    try:
        if not are_known(service.store, language, arguments.school):
            return EXIT_FAILED
        found = verify(service.store, service.verdicts, arguments.school, meter, given)
    finally:
        meter.done()
        service.store.close()
    if arguments.json:
        said = {
            "schools": found.schools,
            "results": found.results,
            "unsealed": found.unsealed,
            "days": found.days,
            "heads": found.heads,
            "findings": [{"school": one.school, "en": one.text.en, "zh": one.text.zh} for one in found.findings],
        }
        print(json.dumps(said, ensure_ascii=False))
        return EXIT_FAILED if found.findings else EXIT_OK
    text = Text(
        "{schools} schools, {results} results in their chains, {days} days of evidence.",
        "已校验 {schools} 所学校、{results} 条结果、{days} 天的判定依据。",
    )
    print(text.in_(language, schools=found.schools, results=found.results, days=found.days))
    if found.unsealed:
        text = Text("{count} results are older than the chain.", "其中 {count} 条结果早于结果链启用。")
        print(text.in_(language, count=found.unsealed))
    if found.heads:
        text = Text("{count} head(s) kept elsewhere were compared.", "已比对 {count} 个另行保存的链头。")
        print(text.in_(language, count=found.heads))
    for one in found.findings:
        print(escape_cell(f"✗ {one.text.in_(language)}"))
    if found.findings:
        return EXIT_FAILED
    print(Text("✓ everything fits", "✓ 全部相符").in_(language))
    return EXIT_OK
