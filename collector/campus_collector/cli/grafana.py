"""`campus-collector grafana provision|export`: the dashboards into a Grafana, by its API or as files."""

import argparse
import ipaddress
import sys
from pathlib import Path
from urllib.parse import urlsplit

from campus_base.command_line import EXIT_FAILED, EXIT_OK, EXIT_USAGE, CommandParser, failed, json_line
from campus_base.language import Language
from campus_base.messages import message, pmessage
from campus_base.settings import read_secret
from campus_base.system_errors import error_words
from campus_base.terminal import escape_cell
from campus_collector.cli.common import data_options, json_option, language_option
from campus_collector.config import CollectorConfig
from campus_collector.export.grafana.provision import DesiredSetup, NotProvisioned, Provisioner, write_tree

DEFAULT_PROMETHEUS = "http://127.0.0.1:9090"


def register(parser: CommandParser) -> None:
    _provision_options(
        parser.add_command(
            "provision",
            message("bring folder, data source and dashboards to a Grafana"),
            _provision,
        )
    )
    exported = parser.add_command("export", message("write the tree for Grafana's file provisioning"), _export)
    data_options(exported)
    exported.add_argument("path", type=Path, metavar="DIR", help=parser.words(pmessage("file", "where to")))
    _dashboard_options(exported)


def _dashboard_options(parser: CommandParser) -> None:
    language_option(parser, message("of the dashboards"), "zh")
    parser.add_argument(
        "--prometheus-url",
        default=DEFAULT_PROMETHEUS,
        help=parser.words(message("as Grafana reaches it")),
    )


def _provision_options(parser: CommandParser) -> None:
    words = parser.words
    data_options(parser)
    parser.add_argument("--url", required=True, help=words(message("of Grafana (10.0 or later)")))
    parser.add_argument(
        "--token-file",
        required=True,
        type=Path,
        metavar="F",
        help=words(message("a service account's token")),
    )
    parser.add_argument("--folder", default="校园测 CampusMeter", help=words(message("name of the folder")))
    parser.add_argument("--ca-file", type=Path, metavar="F", help=words(message("authority of its certificate")))
    parser.add_argument("--dry-run", action="store_true", help=words(message("only show what would change")))
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help=words(message("also what somebody else made or changed")),
    )
    parser.add_argument("--insecure-http", action="store_true", help=words(message("the token may travel readable")))
    json_option(parser)
    _dashboard_options(parser)


def _provision(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:

    if urlsplit(arguments.url).scheme == "http" and not _is_loopback(arguments.url) and not arguments.insecure_http:
        text = message("{url}: the token would travel readable; use https, or --insecure-http")
        return failed(EXIT_USAGE, text.in_(language, url=arguments.url))
    try:
        token = read_secret(arguments.token_file)
    except (OSError, ValueError) as error:
        reason = error_words(error).in_(language)
        text = message("--token-file: {file}: {reason}")
        return failed(EXIT_USAGE, text.in_(language, file=arguments.token_file, reason=reason))
    if arguments.token_file.stat().st_mode & 0o077:
        text = message("{file} can be read by others: chmod 600")
        print(text.in_(language, file=arguments.token_file), file=sys.stderr)
    wish = DesiredSetup(
        arguments.folder, arguments.prometheus_url, arguments.lang, arguments.overwrite, config.takes_months
    )
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
            print(message("Nothing was changed (--dry-run).").in_(language))
    return EXIT_FAILED if conflict else EXIT_OK


def _export(arguments: argparse.Namespace, config: CollectorConfig, language: Language) -> int:
    try:
        written = write_tree(arguments.path, arguments.prometheus_url, arguments.lang, area=config.takes_months)
    except OSError as error:
        return failed(EXIT_FAILED, f"{arguments.path}: {error_words(error).in_(language)}")
    print("\n".join(str(path) for path in written))
    return EXIT_OK


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
