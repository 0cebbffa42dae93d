"""`campus-agent`: the commands of the gateway, a module each, and their help in the reader's language."""

import argparse
from collections.abc import Sequence

from campus_base.command_line import CommandParser, run_command
from campus_base.language import Language
from campus_base.messages import message
from campus_wire.version import VERSION

DESCRIPTION = message("The agent of CampusMeter on a school's gateway: measures, keeps, sends.")
COMMANDS = {
    "enroll": message("become a school's agent by the bureau's one-time code"),
    "run": message("measure by the timetable and send the results, until stopped"),
    "measure": message("one measurement now"),
    "respond": message("be the classroom's end of throughput tests"),
    "page": message("the classroom's test page: any browser, nothing to install"),
    "discover": message("what is on this school's own network"),
    "probe-device": message("which profile fits an unknown device; a draft of one"),
    "profiles": message("types of equipment that can be asked"),
    "schedule": message("the plan for a day: lessons, breaks, tests"),
    "check-config": message("find all mistakes in the configuration at once"),
    "status": message("what was done, what waits, what is wrong"),
    "upgrade": message("look for a release of the agent, pin the key that signs them"),
    "doctor": message("permissions, tools, reachability, clock: what to do about each"),
}
EPILOG = message(
    "Exit codes: 0 met or fine, 1 not met or something is wrong, 2 usage or configuration, 3 could"
    " not be measured.\n"
    "CAMPUS_LANG=zh|en chooses the language; CAMPUS_<TABLE>_<KEY> overrides a key of the"
    " configuration."
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. The exit code."""
    return run_command(argv, build_parser, _execute)


def build_parser(language: Language) -> CommandParser:
    """All commands, with help in one language."""
    parser = CommandParser(
        language,
        prog="campus-agent",
        description=DESCRIPTION.in_(language),
        epilog=EPILOG.in_(language),
    )
    parser.add_version(f"campus-agent {VERSION}")
    parser.add_modules("campus_agent.cli", COMMANDS)
    return parser


def _execute(arguments: argparse.Namespace, language: Language) -> int:
    code: int = arguments.command(arguments, language)
    return code
