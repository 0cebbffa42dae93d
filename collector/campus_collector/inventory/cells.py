"""What one cell of a spreadsheet holds. Most are plain text; a `Cell` is one whose text, value or soundness differ. Pure."""

import unicodedata
from dataclasses import dataclass

from campus_base.language import Text

MAX_CELL_CHARACTERS = 2_000
_BREAKS = frozenset("\t\n\v\f\r\x85\u2028\u2029")


NO_PROBLEM = Text("", "")


@dataclass(frozen=True, slots=True)
class Cell:
    """A cell that is not plain text.

    `shown` is what its writer sees (None: that cannot be said), `value` the number, day or truth behind it; `problem` says why
    it cannot be taken as text, or, with `broken`, why it cannot be taken at all.
    """

    shown: str | None
    value: str
    problem: Text = NO_PROBLEM
    broken: bool = False


AnyCell = str | Cell

ERROR_VALUES = frozenset(
    {"#REF!", "#N/A", "#VALUE!", "#DIV/0!", "#NAME?", "#NULL!", "#NUM!", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!",
     "#GETTING_DATA", "#UNKNOWN!", "#CONNECT!", "#BUSY!", "#PYTHON!", "#EXTERNAL!"}
)  # fmt: skip
UNCALCULATED = Text(
    "is a formula whose result was not saved: open the file in a spreadsheet program, save it, and import it again",
    "为公式，但文件中没有保存计算结果：请用表格软件打开并保存后重新导入",
)
TOO_LONG_A_NUMBER = Text(
    "is a number of more than 15 digits, which spreadsheet programs alter: format the column as text and type it again",
    "为超过 15 位的数字，表格软件会改动其末尾：请将该列设为文本格式后重新录入",
)
NOT_AS_SHOWN = Text(
    "is a number in a format that is not known here: format the column as text",
    "为带有特殊数字格式的数值，无法确定显示内容：请将该列设为文本格式",
)
A_DATE = Text(
    "is a date for the spreadsheet program: format the column as text and type it again",
    "被表格软件识别为日期：请将该列设为文本格式后重新录入",
)
BEYOND_REPAIR = Text(
    "holds characters that were lost when the file was saved (�): type it again",
    "含有保存时已损坏的字符（�）：请重新录入",
)


def error_value(text: str) -> Cell | None:
    """The cell of a formula's error such as #REF!, whichever program wrote it; None for any other text."""
    if text.upper() not in ERROR_VALUES:
        return None
    problem = Text(f"is the error {text} of a formula", f"为公式错误值 {text}")
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
