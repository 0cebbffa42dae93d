"""Both command lines: every module fits its command, and a command loads no other one's module."""

import argparse
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from typing import Any

import pytest

from campus_base.command_line import EXIT_INTERRUPTED, CommandParser, run_command

PROGRAMS = ("campus_agent", "campus_collector")


def leaves(parser: Any) -> Iterator[Any]:
    parser.load()
    below = [action for action in parser._actions if isinstance(action, argparse._SubParsersAction)]
    for action in below:
        for each in action.choices.values():
            yield from leaves(each)
    if not below:
        yield parser


@pytest.mark.parametrize("program", PROGRAMS)
def test_every_command_can_be_executed_and_explained(program: str) -> None:
    parser: CommandParser = import_module(f"{program}.cli.main").build_parser("en")
    commands = list(leaves(parser))
    assert len(commands) > 10
    for command in commands:
        assert command.format_help().startswith("usage: ")


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_command_loads_its_own_module_only(program: str) -> None:
    script = (
        f"import sys; from {program}.cli.main import main\n"
        "try:\n    main(['check-config', '--help'])\n"
        f"except SystemExit:\n    print(*(name for name in sys.modules if name.startswith('{program}.cli.')))\n"
    )
    shown = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    loaded = {name.rpartition(".")[2] for name in shown.splitlines()[-1].split()}
    assert loaded <= {"main", "common", "check_config", "named_files"}


ENDS = {  # how a shell ends the command's line: what the command prints, and its exit code
    "| head -0": (0, ""),
    ">&-": (0, ""),
    ">/dev/full": (1, "what is printed cannot be written: No space left on device\n"),
}


@pytest.mark.parametrize("arguments", [("--version",), ("profiles",), ("profiles", "--json")])
@pytest.mark.parametrize("end", ENDS)
def test_output_that_nobody_takes_is_no_traceback(arguments: tuple[str, ...], end: str) -> None:
    """A small output is written when the command ends, a large one while it works."""
    script = "import sys; from campus_agent.cli.main import main; sys.exit(main(sys.argv[1:]))"
    line = shlex.join([sys.executable, "-c", script, *arguments])
    shell = ["bash", "-c", f"{line} {end}; exit ${{PIPESTATUS[0]}}"]
    done = subprocess.run(shell, capture_output=True, text=True, env={**os.environ, "CAMPUS_LANG": "en"})
    assert (done.returncode, done.stderr) == ENDS[end]


def test_an_interrupt_while_a_command_is_loaded_is_no_traceback() -> None:
    def interrupted(_: object) -> CommandParser:
        raise KeyboardInterrupt

    assert run_command([], interrupted, lambda *_: 0) == EXIT_INTERRUPTED
