"""What one cell of a spreadsheet holds. Most are plain text; a `Cell` is one whose text, value or soundness differ. Pure."""

import re
import unicodedata
from dataclasses import dataclass

from campus_base.messages import Message, message, verbatim

MAX_CELL_CHARACTERS = 2_000
_BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")


NO_PROBLEM = verbatim("")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not plain text.

    `shown` is what its writer sees (None: that cannot be said), `value` the number, day or truth behind it; `problem` says why
    it cannot be taken as text, or, with `broken`, why it cannot be taken at all.
    """

    shown: str | None
    value: str
    problem: Message = NO_PROBLEM
    broken: bool = False


AnyCell = str | Cell

ERROR_VALUES = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
     "#GETTING_DATA", "#UNKNOWN!", "#CONNECT!", "#BUSY!", "#PYTHON!", "#EXTERNAL!"}
)  # fmt: skip
_OTHER_ERROR = re.compile(r"#[^\W\d_]{1,12}[!?\uff01\uff1f]|Err:[0-9]{3}|#{2,}")
"""An error in the language of the program (#名称?), of LibreOffice (Err:502), or a number too wide for its column, saved as it is shown."""
UNCALCULATED = message(
    "is a formula whose result was not saved: open the file in a spreadsheet program, save it, and import it again"
)
TOO_LONG_A_NUMBER = message(
    "is a number of more than 15 digits, which spreadsheet programs alter: format the column as text and type it again"
)
NOT_AS_SHOWN = message("is a number in a format that is not known here: format the column as text")
A_DATE = message("is a date for the spreadsheet program: format the column as text and type it again")
BEYOND_REPAIR = message("holds characters that were lost when the file was saved (�): type it again")


def error_value(text: str) -> Cell | None:
    """The cell of a formula's error such as #REF!, whichever program wrote it; None for any other text."""
    if text.upper() not in ERROR_VALUES and _OTHER_ERROR.fullmatch(text) is None:
        return None
    problem = message("is the error {text} of a formula", text=text)
    return Cell(None, text, problem, broken=True)


def tidy(text: str) -> str:
    """A cell's text as it is seen: line breaks and odd spaces are spaces, characters without width are gone, NFC, bounded.

    Other control characters stay: whoever reads the cell refuses them.
    """
    text = text[: MAX_CELL_CHARACTERS + 1]
    if not text.isascii():
        text = unicodedata.normalize("NFC", text)
    if not text.isprintable():
        text = "".join(map(_visible, text.replace("\r\n", "\n")))
    return text.strip()


def _visible(letter: str) -> str:
    category = unicodedata.category(letter)
    if letter in _BREAKS or category == "Zs":
        return " "
    return "" if category == "Cf" else letter


def is_empty(cell: AnyCell) -> bool:
    return not cell and isinstance(cell, str)


def text_of(cell: AnyCell) -> str:
    """What its writer sees, for messages."""
    if isinstance(cell, str):
        return cell
    return cell.value if cell.shown is None else cell.shown
