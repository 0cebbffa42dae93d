"""`campus-collector grafana provision|export`: the dashboards into a Grafana, by its API or as files."""

import argparse
import ipaddress
import sys
from pathlib import Path
from urllib.parse import urlsplit

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language, Text
from campus_base.settings import read_secret
from campus_base.terminal import escape_cell
from campus_collector.cli.common import data_options, json_option, language_option
from campus_collector.config import CollectorConfig
from campus_collector.export.grafana.provision import DesiredSetup, NotProvisioned, Provisioner, write_tree

DEFAULT_PROMETHEUS = "http://127.0.0.1:9090"


def register(parser: CommandParser) -> None:
    _provision_options(
        parser.add_command(
            "provision",
            Text("bring folder, data source and dashboards to a Grafana", "将文件夹、数据源和仪表板写入 Grafana"),
            _provision,
        )
    )
    exported = parser.add_command(
        "export", Text("write the tree for Grafana's file provisioning", "导出 Grafana 文件方式部署目录"), _export
    )
    data_options(exported)
    exported.add_argument("path", type=Path, metavar="DIR", help=parser.words(Text("where to", "写到哪里")))
    _dashboard_options(exported)


def _dashboard_options(parser: CommandParser) -> None:
    language_option(parser, Text("of the dashboards", "仪表板语言"), "zh")
    parser.add_argument(
        "--prometheus-url",
        default=DEFAULT_PROMETHEUS,
        help=parser.words(Text("as Grafana reaches it", "Grafana 访问 Prometheus 的地址")),
    )


def _provision_options(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.add_argument(
        "--url", required=True, help=words(Text("of Grafana (10.0 or later)", "Grafana 地址（10.0 及以上）"))
    )
    parser.add_argument(
        "--token-file",
        required=True,
        type=Path,
        metavar="F",
        help=words(Text("a service account's token", "服务账号令牌文件")),
    )
    parser.add_argument("--folder", default="校园测 CampusMeter", help=words(Text("name of the folder", "文件夹名称")))
    parser.add_argument(
        "--ca-file", type=Path, metavar="F", help=words(Text("authority of its certificate", "证书颁发机构文件"))
    )
    parser.add_argument(
        "--dry-run", action="store_true", help=words(Text("only show what would change", "只显示将发生的变化"))
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help=words(Text("also what somebody else made or changed", "覆盖他人创建或修改的内容")),
    )
    parser.add_argument(
        "--insecure-http", action="store_true", help=words(Text("the token may travel readable", "允许令牌以明文传输"))
    )
    json_option(parser)
    _dashboard_options(parser)


def _provision(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    if urlsplit(arguments.url).scheme == "http" and not _is_loopback(arguments.url) and not arguments.insecure_http:
        text = Text(
            "{url}: the token would travel readable; use https, or --insecure-http",
            "{url}：令牌会以明文传输；请使用 https，或加 --insecure-http",
        )
        return failed(EXIT_USAGE, text.in_(language, url=arguments.url))
    try:
        token = read_secret(arguments.token_file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is empty"
        text = Text("--token-file: {file}: {reason}", "--token-file：{file}：无法读取或为空（{reason}）")
        return failed(EXIT_USAGE, text.in_(language, file=arguments.token_file, reason=reason))
    if arguments.token_file.stat().st_mode & 0o077:
        text = Text("{file} can be read by others: chmod 600", "{file} 可被他人读取：请执行 chmod 600")
        print(text.in_(language, file=arguments.token_file), file=sys.stderr)
    wish = DesiredSetup(arguments.folder, arguments.prometheus_url, arguments.lang, arguments.overwrite)
    try:
        steps = Provisioner(arguments.url, token, arguments.ca_file).run(wish, arguments.dry_run)
    except NotProvisioned as error:
        return failed(EXIT_FAILED, escape_cell(f"campus-collector grafana: {error.in_(language)}"))
    conflict = any(step.what == "conflict" for step in steps)
    if arguments.json:
        keys = ("kind", "uid", "title", "what", "keys")
        listed = [{key: getattr(step, key) for key in keys} for step in steps]
        print(json_line({"applied": not arguments.dry_run and not conflict, "steps": listed}))
    else:
        print("\n".join(escape_cell(step.in_(language)) for step in steps))
        if arguments.dry_run:
            print(Text("Nothing was changed (--dry-run).", "未做任何修改（--dry-run）。").in_(language))
    return EXIT_FAILED if conflict else EXIT_OK


def _export(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    try:
        written = write_tree(arguments.path, arguments.prometheus_url, arguments.lang)
    except OSError as error:
        return failed(EXIT_FAILED, f"{arguments.path}: {error.strerror or error}")
    print("\n".join(str(path) for path in written))
    return EXIT_OK


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
