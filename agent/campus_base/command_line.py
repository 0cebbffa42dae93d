"""What the command lines of both programs share: parsers in the reader's language, one module a command, the ends that every command may have."""

import argparse
import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import date
from importlib import import_module
from typing import Any

from campus_base.dates import NotADay, parse_day
from campus_base.language import Language, from_environment
from campus_base.messages import Message, message
from campus_base.settings import ConfigurationError
from campus_base.terminal import OutputError, escaped_output
from campus_base.usage import localize

EXIT_OK, EXIT_FAILED, EXIT_USAGE, EXIT_INTERRUPTED = 0, 1, 2, 130


class CommandParser(argparse.ArgumentParser):
    """A parser with its reader's language; the module of a command is loaded, and adds its arguments, when the command is chosen."""

    def __init__(self, language: Language, **options: Any) -> None:
        """`options` are those of ArgumentParser."""
        super().__init__(formatter_class=argparse.RawDescriptionHelpFormatter, **options)
        self.language: Language = language
        self._module = ""
        self._commands: Any = None

    def words(self, text: Message, **values: object) -> str:
        """A text in the reader's language."""
        return text.in_(self.language, **values)

    def add_version(self, program: str) -> None:
        """The option --version, which prints the program and its version."""
        words = self.words(message("show program's version number and exit"))
        self.add_argument("--version", action="version", version=program, help=words)

    def format_help(self) -> str:
        """The help, with the colons of its headings in the reader's language."""
        text = super().format_help()
        for heading in (message("positional arguments"), message("options")):
            words = self.words(message("{heading}:"), heading=heading)
            text = text.replace(f"\n{self.words(heading)}:\n", f"\n{words}\n")
        return text

    def add_command(
        self, name: str, words: Message, command: Callable[..., int] | None = None, more: Message | None = None
    ) -> "CommandParser":
        """The parser of a command below this one; `command` does it, `more` stands at the end of its help."""
        if self._commands is None:
            self._commands = self.add_subparsers(required=True, metavar=self.words(message("COMMAND")))
        described = self.words(words)
        parser: CommandParser = self._commands.add_parser(
            name,
            language=self.language,
            help=described,
            description=described,
            epilog=self.words(more) if more else None,
        )
        if command is not None:
            parser.set_defaults(command=command)
        return parser

    def subcommands_are_optional(self) -> None:
        """This command does something without one of those below it, too."""
        self._commands.required = False

    def add_modules(self, package: str, commands: Mapping[str, Message]) -> None:
        """A command each, whose module in `package` has its name and a function `register(parser)`."""
        for name, words in commands.items():
            self.add_command(name, words)._module = f"{package}.{name.replace('-', '_')}"

    def load(self) -> None:
        """Load the module of this command, once."""
        module, self._module = self._module, ""
        if module:
            import_module(module).register(self)

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        self.load()
        return super().parse_known_args(args, namespace)


def run_command(
    argv: Sequence[str] | None,
    build_parser: Callable[[Language], CommandParser],
    execute: Callable[[argparse.Namespace, Language], int],
) -> int:
    """Parse the arguments and execute their command; mistakes in a configuration are printed. The exit code."""
    language = from_environment()
    localize(language)
    with escaped_output():
        code = EXIT_OK
        try:
            code = _parse_and_execute(argv, language, build_parser, execute)
            sys.stdout.flush()  # here and not when the interpreter ends: that would print a traceback
        except KeyboardInterrupt:  # also while the command's modules are loaded
            code = EXIT_INTERRUPTED
        except BrokenPipeError:  # the reader wants no more (`| head`)
            _discard_output()
        except OutputError as error:
            _discard_output()
            code = EXIT_FAILED
            with suppress(OutputError, BrokenPipeError):
                words = message("what is printed cannot be written: {reason}")
                print(words.in_(language, reason=error.text), file=sys.stderr, flush=True)
        return code


def _parse_and_execute(
    argv: Sequence[str] | None,
    language: Language,
    build_parser: Callable[[Language], CommandParser],
    execute: Callable[[argparse.Namespace, Language], int],
) -> int:
    try:
        arguments = build_parser(language).parse_args(argv)
    except SystemExit:  # of help and of wrong arguments
        sys.stdout.flush()
        raise
    try:
        return execute(arguments, language)
    except ConfigurationError as error:
        print(error.in_(language), file=sys.stderr)
        return EXIT_USAGE


def _discard_output() -> None:
    """From now on, standard output takes everything and keeps nothing."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def day_argument(language: Language) -> Callable[[str], date]:
    """The type of an option that takes a day; what is none is refused with the ways it can be written."""

    def read(text: str) -> date:
        try:
            return parse_day(text)
        except NotADay as error:
            raise argparse.ArgumentTypeError(error.text.in_(language)) from None

    return read


def whole_number(language: Language, lowest: int, highest: int) -> Callable[[str], int]:
    """The type of an option that takes a whole number within bounds; another value is refused with them."""

    def read(text: str) -> int:
        number = int(text) if re.fullmatch(r"[+-]?\d{1,18}", text, re.ASCII) else None
        if number is not None and lowest <= number <= highest:
            return number
        words = message("must be within {lowest} … {highest}, not {text}")
        values = {"lowest": lowest, "highest": highest, "text": repr(text[:40])}
        raise argparse.ArgumentTypeError(words.in_(language, **values))

    return read


def json_line(answer: Any) -> str:
    """What `--json` prints: one line, not escaped beyond what JSON asks for."""
    return json.dumps(answer, ensure_ascii=False)


def failed(code: int, reason: str) -> int:
    """Print the reason on standard error. The exit code."""
    print(reason, file=sys.stderr)
    return code
