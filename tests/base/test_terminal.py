"""Nothing that came from outside reaches the terminal as a control character."""

import io
import json
import sys

import pytest

from campus_base.terminal import EscapedStream, escape_cell, escape_controls, escaped_output, redraw_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J\x1b]0;owned\x07", "\\u001b[2J\\u001b]0;owned\\u0007"),
        ("a\rb", "a\\u000db"),
        ("a,b\r\nc\t校园\n", "a,b\r\nc\t校园\n"),
        ("\x9b31m\x7f\x00", "\\u009b31m\\u007f\\u0000"),
        ("\u202egnp\u2069\u2028", "\\u202egnp\\u2069\\u2028"),
        ("\ud800", "\\ud800"),
    ],
)
def test_controls_are_shown_escaped(text: str, shown: str) -> None:
    assert escape_controls(text) == shown


def test_a_cell_stays_on_its_line() -> None:
    assert escape_cell("a\r\nb\tc") == "a\\u000d\\u000ab\\u0009c"


def test_json_is_the_same_text_after_it(capsys: pytest.CaptureFixture[str]) -> None:
    value = {"detail": "\x1b[31m\x9b\u202e\x7f校园"}
    with escaped_output():
        print(json.dumps(value, ensure_ascii=False))
        print("\x1b[1m", file=sys.stderr)
    printed = capsys.readouterr()
    assert not {"\x1b", "\x9b", "\u202e", "\x7f"} & set(printed.out + printed.err)
    assert json.loads(printed.out) == value


def test_only_the_program_erases_a_line() -> None:
    out = io.StringIO()
    redraw_line("50 % \x1b[2J", EscapedStream(out))
    assert out.getvalue() == "\r\x1b[K50 % \\u001b[2J"
