"""What commands print: control characters that came from agents, devices or people are shown escaped, never sent to the terminal."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from campus_base.messages import Message
from campus_base.system_errors import error_words

_CONTROL = re.compile(
    r"\r(?!\n)"
    r"|[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
    r"|[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]"  # they turn or break lines (Unicode Standard Annex 9)
    r"|[\ud800-\udfff]"
)
_ERASE_LINE = "\r\x1b[K"


def escape_controls(text: str) -> str:
    r"""The text with control characters, marks of direction and lone surrogates as \uXXXX, which is the same text in JSON.

    Line ends and tabs are kept.
    """
    return _CONTROL.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def escape_cell(text: str) -> str:
    """The same for a text that must stay on its line, such as a cell of a table."""
    return escape_controls(text).replace("\r", "\\u000d").replace("\n", "\\u000a").replace("\t", "\\u0009")


class OutputError(Exception):
    """What a command prints cannot be written, for example because the disk is full."""

    def __init__(self, text: Message) -> None:
        """`text` is the system's reason."""
        super().__init__(text.en)
        self.text = text


class EscapedStream:
    """A text stream that escapes what is written to it; everything else is the stream's."""

    def __init__(self, stream: TextIO) -> None:
        """`stream` stays open and is not changed."""
        self.unescaped = stream

    def write(self, text: str) -> int:
        """Write the text escaped. The number of characters of the given text. Raises OutputError, BrokenPipeError."""
        with _output_errors():
            self.unescaped.write(escape_controls(text))
        return len(text)

    def flush(self) -> None:
        """Write what is buffered. Raises OutputError, BrokenPipeError."""
        with _output_errors():
            self.unescaped.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unescaped, name)


@contextmanager
def _output_errors() -> Iterator[None]:
    """A failed write is distinguished from the errors of files that a command works with."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise OutputError(error_words(error)) from error


@contextmanager
def escaped_output() -> Iterator[None]:
    """Within it, standard output and standard error escape control characters. A stream that the shell has closed takes everything and keeps nothing."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere:
        out, err = (cast(TextIO, EscapedStream(stream or nowhere)) for stream in (sys.stdout, sys.stderr))
        with redirect_stdout(out), redirect_stderr(err):
            yield


def redraw_line(text: str, stream: TextIO) -> None:
    """Replace the terminal's current line by the text, escaped."""
    unescaped = stream.unescaped if isinstance(stream, EscapedStream) else stream
    unescaped.write(_ERASE_LINE + escape_cell(text))
    unescaped.flush()
