"""Writes the reference pages of the manual from the programs: `python -m docs.reference`; `make docs` does it. A test compares.

Commands come from their parsers, routes from their declarations, metrics from the export table, sheets from the headings, keys from the samples;
in the page "Trouble", what the pages of the collector say of each reason.
"""

import argparse
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from campus_agent.cli.main import build_parser as agent_parser
from campus_base.command_line import CommandParser
from campus_base.language import Language
from campus_base.messages import Message
from campus_base.wire_words import FAILURE_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_collector.cli.main import build_parser as collector_parser
from campus_collector.export.table import METRICS, scope_of
from campus_collector.http.app import operations
from campus_collector.http.openapi import document
from campus_collector.inventory.headings import SHEETS, Column
from campus_collector.judge.explanations import EXPLANATIONS
from tests.collector.export import metrics_doc

PAGES = Path(__file__).parent / "pages"
DEPLOY = Path(__file__).parents[1] / "deploy"
CHINESE: dict[str, dict[str, str]] = tomllib.loads(
    (Path(__file__).parent / "reference_zh.toml").read_text(encoding="utf-8")
)
CELLS_EN = {
    "id": "lower-case letters, digits, `-` and `_`; a letter or digit first",
    "text": "a text of at most 100 letters that does not begin with `= + - @`",
    "reason": "a text; empty: judged",
    "flag": "1/0, yes/no, 是/否, 有/无, √/×",
    "port": "1 to 65535; empty: 5301",
    "host": "an address or a host name",
    "url": "an address that begins with http:// or https://",
    "periods": "`08:00-08:45 08:55-09:40 ...`, with blanks or commas between",
    "days": "`2026-06-07/2026-06-09 ...`; one day: `2026-06-07`",
    "statuses": "HTTP statuses: `200` or `200,412`",
    "passage": "a text of at most 200 letters that the page must hold",
    "rate": "a rate with its unit (`1000M`, `1G`, `千兆`) or in bit/s (`1000000000`); empty: not known",
    "phone": "a telephone number, or several with `/` between them",
}
BEGIN, END = "<!-- columns: written by docs/reference.py -->", "<!-- end of columns -->"
COMMANDS_HEAD = {
    "zh": "# 命令\n\n供运维人员查阅：两个程序的全部命令和选项，由程序自身的帮助生成。终端中加 `--help` 可看到同样的内容。\n\n退出码：`campus-agent` 为 0 达标或正常，1 未达标或有异常，2 用法或配置错误，3 未能完成测量；`campus-collector` 为 0 完成，1 失败，2 用法或配置错误。退出码和 `--json` 输出不会改变含义，可用于脚本。\n",
    "en": "# Commands\n\nFor operators who look something up: all commands and options of both programs, written from their own help. `--help` prints the same in a terminal.\n\nExit codes: of `campus-agent` 0 met or fine, 1 not met or something is wrong, 2 usage or configuration, 3 could not be measured; of `campus-collector` 0 done, 1 failed, 2 usage or configuration. Exit codes and `--json` are stable: scripts may use them.\n",
}
COMMANDS_FOOT = {
    "zh": "\n下一步：配置文件中的各项见[配置项](reference-configuration.md)。\n",
    "en": "\nNext: the keys of the configuration files are in [Configuration](reference-configuration.md).\n",
}
METRICS_HEAD_ZH = """# 指标

供使用 Prometheus 的运维人员查阅：采集平台 `/metrics` 的全部指标，由程序生成。

`GET /metrics` 按采集方要求返回 Prometheus 文本格式或 OpenMetrics 1.0，支持 gzip。`?scope=名称` 只取一部分（表中最后一列），`?town=编号` 只取某镇街，`?town=`（空）取全县和采集平台自身的行；
二者可重复使用。各部分合起来就是全部内容，数据量大时可分给多个采集任务。

一律使用基本单位，唯一的例外是速率用比特每秒，因为考核要求就是这样写的；`promtool check metrics` 因此对 `*_bits_per_second` 提示 `use base unit "bytes"`，别无其他提示。
没有某一行表示没有测量，绝不表示 0。班级的数值取最近一次有效结果，网关失联超过规则文件 `[present] stale_after_seconds`（一天）后消失。结论改变后最多一分钟才显示。迟到的结果只改变历史和当月结论，不改变当前数值。

"""
API_HEAD = {
    "zh": "# 接口\n\n供开发人员查阅：采集平台应答的全部地址。参数、字段和错误的完整说明见运行中的采集平台的 `/openapi.json`（OpenAPI 3.1），本页由同一来源生成。\n\n以 `/v1` 开头的供程序使用，其余为网页。字段只增加，不删除、不改作他用。错误以 RFC 9457 的 JSON 文档返回。“令牌”列为“必须”的，任何时候都要带 `Authorization: Bearer 令牌`；其余的在授权人员之后需要登录或令牌。\n\n",
    "en": '# API\n\nFor developers: everything that a collector answers. The whole description of parameters, fields and errors is `/openapi.json` of a running collector (OpenAPI 3.1); this page comes from the same source.\n\nWhat begins with `/v1` is for programs, the rest are pages. Fields are added, never removed or used for something else. Errors are problem documents (RFC 9457). Where the column says "always", a request needs `Authorization: Bearer TOKEN` at all times; elsewhere a log-in or a token is needed once people were let in.\n\n',
}
API_FOOT = {
    "zh": "\n下一步：测速时两端之间的消息见[测速协议](protocol.md)。\n",
    "en": "\nNext: what travels between the two ends of a throughput test is in [the protocol](protocol.md).\n",
}
CONFIGURATION_EN = """# Configuration

For operators who edit `collector.toml`, `agent.toml`, `terms.toml` or the policy: the sample files that come with the packages (`/usr/share/doc/campus-agent`,
`/usr/share/doc/campus-collector`). They show every key that is usually set, with its default or an example.

* Mistakes are shown all at once: `campus-collector check-config`, `campus-agent check-config`. An unknown key is a mistake.
* A key can be overridden by the environment: `CAMPUS_<TABLE>_<KEY>`, for example `CAMPUS_SERVER_LISTEN=127.0.0.1:8090`.
* Relative paths are relative to the folder of the file. Secrets stand in files of mode 600, never in the configuration.
* What the bureau's inventory says of a classroom or platform wins over `agent.toml`, key by key.

"""


def pages() -> dict[Path, str]:
    """What each generated page must hold."""
    written = {
        PAGES / "reference-commands.md": commands("zh"),
        PAGES / "en/reference-commands.md": commands("en"),
        PAGES / "reference-metrics.md": metrics_zh(),
        metrics_doc.FILE: metrics_doc.text(),
        PAGES / "reference-api.md": api("zh"),
        PAGES / "en/reference-api.md": api("en"),
        PAGES / "en/reference-configuration.md": configuration(),
    }
    for page, language in ((PAGES / "inventory.md", "zh"), (PAGES / "en/inventory.md", "en")):
        text = page.read_text(encoding="utf-8")
        before, rest = text.split(BEGIN)
        written[page] = before + BEGIN + "\n\n" + columns(language) + "\n" + END + rest.split(END)[1]
    for page, language in ((PAGES / "trouble.md", "zh"), (PAGES / "en/trouble.md", "en")):
        written[page] = reasons(page.read_text(encoding="utf-8"), language)
    return written


def reasons(text: str, language: Language) -> str:
    """The page "Trouble" with the headings of causes, and the second column of the tables, as the collector's pages say them."""

    def heading(found: re.Match[str]) -> str:
        words = EXPLANATIONS[found[1]].what.in_(language)
        return f"### {words[0].upper()}{words[1:]} {{#{found[1]}}}"

    text = re.sub(r"^### .* \{#(\w+)\}$", heading, text, flags=re.MULTILINE)
    parts = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    tables: dict[str, dict[Any, Message]] = {
        "无效的原因": VALIDITY_WORDS, "Why results are not valid": VALIDITY_WORDS,
        "测量失败的原因": FAILURE_WORDS, "Why tests failed": FAILURE_WORDS,
        "未执行测速的原因": SKIP_WORDS, "Why tests were not made": SKIP_WORDS,
    }  # fmt: skip
    for index, part in enumerate(parts):
        vocabulary = tables.get(part.partition("\n")[0].removeprefix("## "), {})
        for word, words in vocabulary.items():
            part = re.sub(
                rf"^(\| `{word}` \| )[^|]*( \|)", rf"\g<1>{words.in_(language)}\g<2>", part, flags=re.MULTILINE
            )
        parts[index] = part
    return "".join(parts)


def commands(language: Language) -> str:
    """Both programs with all their commands."""
    parts = [COMMANDS_HEAD[language]]
    for program in (agent_parser(language), collector_parser(language)):
        parts.append(f"\n## {program.prog}\n\n{program.description}\n")
        parts += [_command(parser, language) for parser in _leaves(program)]
    return "\n".join(parts) + COMMANDS_FOOT[language]


def _leaves(parser: CommandParser) -> Iterator[CommandParser]:
    parser.load()
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    if not below:
        yield parser
    for action in below:
        for child in action.choices.values():
            yield from _leaves(child)


def _command(parser: CommandParser, language: Language) -> str:
    actions = [action for action in parser._actions if action.dest != "help"]
    usage = " ".join(
        [parser.prog, *(_usage(action) for action in sorted(actions, key=lambda action: not action.option_strings))]
    )
    lines = [f"### {parser.prog}", "", f"{parser.description}", "", "```text", usage, "```", ""]
    if actions:
        heading = ("参数或选项", "说明") if language == "zh" else ("argument or option", "meaning")
        lines += [f"| {heading[0]} | {heading[1]} |", "| --- | --- |"]
        lines += [f"| `{_name(action)}` | {_cell(str(action.help or ''))} |" for action in actions]
    if parser.epilog:
        lines += ["", "```text", parser.epilog.rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _usage(action: argparse.Action) -> str:
    name = action.option_strings[-1] if action.option_strings else ""
    value = "" if action.nargs == 0 else _value(action)
    if not name:
        return {"?": f"[{value}]", "+": f"{value} ...", "*": f"[{value} ...]"}.get(str(action.nargs), value)
    text = f"{name} {value}".rstrip()
    return text if action.required else f"[{text}]"


def _value(action: argparse.Action) -> str:
    if action.metavar is not None:
        return str(action.metavar)
    if action.choices is not None:
        return "{" + ",".join(str(choice) for choice in action.choices) + "}"
    return action.dest.upper()


def _name(action: argparse.Action) -> str:
    value = "" if action.nargs == 0 else _value(action)
    return f"{', '.join(action.option_strings)} {value}".strip().replace("|", "\\|")


def _cell(text: str) -> str:
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def metrics_zh() -> str:
    """The Chinese page of the metrics."""
    lines = ["| 指标 | 含义 | 单位 | 标签 | 类型 | 来源 | 示例 | 范围 |", "| --- " * 8 + "|"]
    for metric in METRICS:
        labels, scope = ", ".join(metric.labels) or "—", scope_of(metric)
        example = metric.example.replace("|", "\\|")
        meaning, source = CHINESE["metrics"][metric.name], CHINESE["sources"][scope]
        lines.append(
            f"| `{metric.name}` | {meaning} | {metric.unit} | {labels} | {metric.kind} | {source} | `{example}` | {scope} |"
        )
    foot = "\n下一步：现成的仪表板和告警见 [Prometheus 与 Grafana](grafana.md)。\n"
    return METRICS_HEAD_ZH + "\n".join(lines) + "\n" + foot


def api(language: Language) -> str:
    """Everything that a collector answers."""
    heading = ("地址", "用途", "令牌", "参数") if language == "zh" else ("address", "for", "token", "query")
    lines = ["| " + " | ".join(heading) + " |", "| --- " * 4 + "|"]
    for path, methods in document(operations())["paths"].items():
        for method, described in methods.items():
            lines.append(_route(language, f"{method.upper()} {path}", described))
    return API_HEAD[language] + "\n".join(lines) + "\n" + API_FOOT[language]


def _route(language: Language, route: str, described: dict[str, Any]) -> str:
    summary = CHINESE["routes"][route] if language == "zh" else described["summary"]
    always = ("必须" if language == "zh" else "always") if "security" in described else ""
    keys = ", ".join(f"`{each['name']}`" for each in described.get("parameters", ()) if each["in"] == "query")
    return f"| `{route}` | {_cell(summary)} | {always} | {keys} |"


def configuration() -> str:
    """The English page: the samples themselves, whose comments are in English."""
    samples = (
        DEPLOY / "collector.sample.toml",
        DEPLOY / "agent.sample.toml",
        DEPLOY / "terms.sample.toml",
        DEPLOY.parent / "collector/policy.toml",
    )
    titles = ("collector.toml", "agent.toml", "terms.toml", "policy.toml")
    parts = [CONFIGURATION_EN]
    for title, file in zip(titles, samples, strict=True):
        parts.append(f"## {title}\n\n```toml\n{file.read_text(encoding='utf-8').rstrip()}\n```\n")
    return "\n".join(parts) + "\nNext: the commands that read these files are in [Commands](reference-commands.md).\n"


def columns(language: Language) -> str:
    """The sheets of the inventory with all their columns."""
    parts = []
    for sheet in SHEETS:
        name = f"`{sheet.name}`（{sheet.words.zh}）" if language == "zh" else f"`{sheet.name}` ({sheet.words.zh})"
        heading = (
            ("列", "英文表头", "必填", "内容")
            if language == "zh"
            else ("Chinese heading", "English heading", "needed", "what a cell holds")
        )
        lines = [f"### {name}", "", "| " + " | ".join(heading) + " |", "| --- " * 4 + "|"]
        lines += [_column(column, language) for column in sheet.columns]
        parts.append("\n".join(lines) + "\n")
    return "\n".join(parts)


def _column(column: Column, language: Language) -> str:
    named = "、".join((column.chinese, *column.alike))
    needed = ("是" if language == "zh" else "yes") if column.needed else ""
    holds = CHINESE["cells"][column.kind] if language == "zh" else CELLS_EN[column.kind]
    return f"| {named} | `{column.key}` | {needed} | {holds} |"


if __name__ == "__main__":
    for file, text in pages().items():
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            print(f"written: {file.relative_to(PAGES.parents[1])}")
