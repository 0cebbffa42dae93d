"""Names and words from agents, devices and people as every document, table and page can hold them. Pure."""

import re
import unicodedata

MOST_LETTERS = 32_767
"""What one cell of a workbook holds."""
_LINE_ENDS = re.compile("\r\n|[\r\x0b\x0c\x85\u2028\u2029]")
_REMOVED = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff]"  # they turn lines (Unicode Standard Annex 9), or mark an encoding
)
_REPLACED = re.compile("[\ud800-\udfff\ufffe\uffff]")
"""Letters that were lost: XML 1.0 (section 2.2) and UTF-8 have no place for them."""


def printable(text: str, most: int = MOST_LETTERS) -> str:
    """The text in NFC with at most so many letters; line ends are LF, tabs stay.

    Other control characters and marks of direction are removed; a lone surrogate, U+FFFE and U+FFFF become U+FFFD.
    """
    text = text[:most]
    if not text.isprintable():
        text = _REPLACED.sub("\ufffd", _REMOVED.sub("", _LINE_ENDS.sub("\n", text)))
    return text if text.isascii() else unicodedata.normalize("NFC", text)[:most]


def printable_line(text: str, most: int = MOST_LETTERS) -> str:
    """The same on one line, without spaces at its ends: a name, a cell that a program reads back."""
    return printable(text, most).replace("\n", " ").replace("\t", " ").strip()
