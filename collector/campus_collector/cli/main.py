"""`campus-collector`: the commands of the collector, a module each, and their help in the reader's language."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from campus_base.command_line import EXIT_FAILED, CommandParser, run_command
from campus_base.language import Language
from campus_base.messages import message
from campus_collector.config import load_config
from campus_collector.store.errors import ArchiveLost, StoreError
from campus_wire.version import VERSION

DEFAULT_FILE = Path("/etc/campus-collector/collector.toml")
DESCRIPTION = message(
    "The collector of CampusMeter at the education bureau: takes results in, judges them, shows them."
)
COMMANDS = {
    "serve": message("serve agents, pages and Prometheus until stopped"),
    "agent-token": message("print a new token for a school's agent"),
    "measure": message("ask a school's gateway for a test now"),
    "judge": message("the verdicts of a month"),
    "enroll-code": message("a one-time code by which a school's gateway enrols"),
    "area": message("upward reporting: months that go up, and counties that hand them in"),
    "tls": message("a private authority, for bureaus without one"),
    "inventory": message("which schools, classrooms, devices and platforms there are"),
    "backup": message("copy the database while the collector runs"),
    "restore": message("put a backup where no database is"),
    "store": message("copy a store to another database; pack what an older collector stored"),
    "migrations": message("the steps this database has taken, and the ones it would take"),
    "explain": message("how a verdict follows from the results"),
    "ledger": message("the problem ledger: list it, export it"),
    "archive": message("closed months as files that any program reads; verify such files"),
    "release": message("releases of the agent, which gateways fetch and install by themselves"),
    "report": message("the monthly report: make it, close a month, verify what was issued"),
    "rejudge": message("what another policy would have meant in archived months"),
    "person": message("people who may read and change things"),
    "verify": message("recompute the chain of results, the audit trail and the evidence; name the first difference"),
    "quarantine": message("results that were not accepted, with the reason"),
    "grafana": message("the dashboards for Grafana"),
    "simulate": message("fill a collector with an invented fleet and known faults"),
    "check-config": message("find all mistakes in configuration and policy at once"),
}
EPILOG = message(
    "Every command takes --config FILE or --state-dir DIR (default: {file} if it exists).\n"
    "Exit codes: 0 done, 1 failed, 2 usage or configuration. CAMPUS_LANG=zh|en chooses the language."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code."""
    return run_command(argv, build_parser, _execute)


def build_parser(language: Language) -> CommandParser:
    """All commands, with help in one language."""
    parser = CommandParser(
        language,
        prog="campus-collector",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language, file=DEFAULT_FILE),
    )
    parser.add_version(f"campus-collector {VERSION}")
    parser.add_modules("campus_collector.cli", COMMANDS)
    return parser


def _execute(arguments: argparse.Namespace, language: Language) -> int:
    file, state_dir = arguments.config, arguments.state_dir
    if file is None and state_dir is None and DEFAULT_FILE.exists():
        file = DEFAULT_FILE
    try:
        code: int = arguments.command(arguments, load_config(file, state_dir), language)
        return code
    except ArchiveLost as error:
        print(f"campus-collector: {error.in_(language)}", file=sys.stderr)
        return EXIT_FAILED
    except StoreError as error:
        text = message("the database cannot be used: {error}")
        print(f"campus-collector: {text.in_(language, error=error.in_(language))}", file=sys.stderr)
        return EXIT_FAILED
