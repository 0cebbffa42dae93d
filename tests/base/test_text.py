"""Names and words from elsewhere can be written everywhere."""

import re
import xml.etree.ElementTree as ElementTree
from xml.sax.saxutils import escape

import pytest

from campus_base.text import printable, printable_line


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("一年级1班", "一年级1班"),
        ("一\x00年\x1b级\x7f1\x9b班", "一年级1班"),
        ("a\r\nb\rc\x0bd\x85e\u2028f\tg", "a\nb\nc\nd\ne\nf\tg"),
        ("\u202egnp.exe\u2069\ufeff", "gnp.exe"),
        ("班\ud800\ufffe\uffff", "班\ufffd\ufffd\ufffd"),
        ("e\u0301", "é"),
        ("𠮷", "𠮷"),
        ("\x00=1+1", "=1+1"),
    ],
)
def test_what_is_left_of_a_text(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_a_name_stays_on_its_line() -> None:
    assert printable_line("\x00 一\r\n班\t\x07") == "一 班"
    assert printable_line("\x00\x01") == ""


def test_it_is_bounded() -> None:
    assert len(printable("\u0958" * 100, 50)) == 50  # each becomes two letters
    assert printable("abc", 2) == "ab"


def test_every_character_can_stand_in_xml() -> None:
    whole = "".join(map(chr, range(0x11000)))
    shown = printable(whole, len(whole))
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]", shown)
    assert ElementTree.fromstring(f"<a>{escape(shown)}</a>").text == shown
