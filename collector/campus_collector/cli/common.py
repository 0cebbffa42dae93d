"""What several commands of the collector share: options, checks of what was typed, and a progress bar."""

import sys
from pathlib import Path
from time import monotonic

from campus_base.command_line import CommandParser
from campus_base.language import Language
from campus_base.messages import Message, bilingual, message
from campus_base.settings import ConfigurationError, Mistake
from campus_base.terminal import redraw_line
from campus_collector.config import CollectorConfig
from campus_collector.judge.month import Month, parse_month
from campus_collector.store.lookup import look_up
from campus_collector.store.store import Store
from campus_wire.ids import is_id

ARCHIVE_BUSY = message(
    "an archive is being written just now, by the serving collector or by another command: try again in two minutes"
)
MOST_SEED = 10**9


def data_options(parser: CommandParser) -> None:
    """The options that say where the collector's data is."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--config", type=Path, metavar="FILE", help=parser.words(message("configuration file")))
    where.add_argument(
        "--state-dir",
        type=Path,
        metavar="DIR",
        help=parser.words(message("no configuration: SQLite here, loopback port 8080")),
    )


def month_option(parser: CommandParser) -> None:
    """The option --month, required."""
    parser.add_argument("--month", required=True, metavar="YYYY-MM", help=parser.words(message("the month")))


def json_option(parser: CommandParser) -> None:
    parser.add_argument("--json", action="store_true", help=parser.words(message("one JSON object")))


def language_option(parser: CommandParser, words: Message, default: Language) -> None:
    parser.add_argument("--lang", choices=("zh", "en"), default=default, help=parser.words(words))


def ids_are_valid(language: Language, **named: str | None) -> bool:
    """Are these ids as ids are written? Says what is wrong on standard error; None was not given."""
    for name, value in named.items():
        if value is not None and not is_id(value):
            text = message("{name}: lower-case letters, digits, '-' and '_', not {value!r}")
            shown = name.upper() if name == "school" else f"--{name}"
            print(text.in_(language, name=shown, value=value), file=sys.stderr)
            return False
    return True


def are_known(store: Store, language: Language, school: str | None = None, town: str | None = None) -> bool:
    """Are this school and this town known? Says on standard error which is not; None was not given."""
    _, unknown = look_up(store, school, town)
    if unknown is not None:
        print(unknown.in_(language), file=sys.stderr)
    return unknown is None


def month_from(text: str, config: CollectorConfig) -> Month:
    """The month of `--month`. Raises ConfigurationError."""
    try:
        return parse_month(text, config.timezone)
    except ValueError as error:
        wrong = message("a month is written like 2026-11, not {text!r}", text=text)
        # in English the parser's own words, which say more
        raise ConfigurationError("campus-collector", [Mistake("--month", bilingual(str(error), wrong.zh))]) from None


class ProgressBar:
    """Says on a terminal how far long work is; nothing when the output goes to a file."""

    EVERY_SECONDS = 0.2

    def __init__(self, words: Message, language: Language) -> None:
        """`words` is what is being done."""
        self._words = words.in_(language)
        self._shown = False
        self._last = 0.0
        self._began = monotonic()

    def __call__(self, done: int, whole: int) -> None:
        if not sys.stderr.isatty() or (monotonic() - self._last < self.EVERY_SECONDS and done < whole):
            return
        self._last, self._shown = monotonic(), True
        share = done / whole if whole else 1.0
        seconds = monotonic() - self._began
        left = f"  ~{seconds / share - seconds:.0f} s" if 0 < share < 1 and seconds > 2 else ""
        redraw_line(f"{self._words} {share:4.0%}  {done}/{whole}{left}", sys.stderr)

    def done(self) -> None:
        if self._shown:
            redraw_line("", sys.stderr)
