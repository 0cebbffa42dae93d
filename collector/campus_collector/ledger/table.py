"""The ledger as a supervision list: for a terminal, CSV and XLSX, in the columns that the bureau uses (序号、镇街、学校、问题 …)."""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from campus_base.language import Language
from campus_base.messages import Message, message, pmessage
from campus_base.text import printable
from campus_collector.domain.problem import STATE_WORDS, Problem
from campus_collector.judge.explanations import CAUSE_WORDS, EXPLANATIONS, UNIT_WORDS
from campus_collector.judge.policy import TARGET_WORDS

HEADINGS: tuple[Message, ...] = (
    pmessage("row", "no."),
    message("town"),
    message("school"),
    message("problem"),
    message("responsible"),
    message("measure"),
    message("due"),
    message("state"),
    pmessage("date", "opened"),
    pmessage("date", "struck off"),
)
WHOLE_SCHOOL = message("whole school ({count} classrooms)")
OVERDUE = pmessage("column", "overdue")
CONTRADICTED = message("claim contradicted by measurements")


@dataclass(frozen=True, slots=True)
class Names:
    """What ids are called: schools, towns, and (school, subject); and the units of a school that the inventory names."""

    schools: Mapping[str, str]
    towns: Mapping[str, str]
    subjects: Mapping[tuple[str, str], str]
    units: Mapping[tuple[str, str], str] = field(default_factory=dict)

    def unit(self, problem: Problem, language: Language) -> str:
        """Who has to act, by name where it is known."""
        named = self.schools.get(problem.school) if problem.unit == "school" else None
        return named or self.units.get((problem.school, problem.unit)) or UNIT_WORDS[problem.unit].in_(language)

    def subject(self, problem: Problem, language: Language) -> str:
        if not problem.subject:
            return WHOLE_SCHOOL.in_(language, count=len(problem.covers))
        if problem.subject == "uplink":
            return message("uplink").in_(language)
        if problem.subject == "recording_room":
            return message("recording room").in_(language)
        return self.subjects.get((problem.school, problem.subject), problem.subject)


NO_NAMES = Names({}, {}, {})


def problem_words(problem: Problem, names: Names, language: Language) -> str:
    """The problem in one sentence: what of whom is not met, and the likeliest cause."""
    evidence = problem.evidence.in_(language)
    values = {
        "subject": names.subject(problem, language),
        "target": TARGET_WORDS[problem.target].in_(language),
        "cause": CAUSE_WORDS[problem.diagnosis].in_(language),
        "evidence": evidence,
    }
    if not evidence:
        return message("{subject}: {target}: {cause}").in_(language, **values)
    return message("{subject}: {target}: {cause} ({evidence})").in_(language, **values)


def state_words(problem: Problem, today: date, language: Language) -> str:
    states = [STATE_WORDS[problem.state].in_(language)]
    if problem.overdue_on(today):
        states.append(OVERDUE.in_(language))
    if problem.is_open and problem.contradicted:
        states.append(CONTRADICTED.in_(language))
    return message("; ").in_(language).join(states)


def rows(problems: Sequence[Problem], names: Names, today: date, language: Language) -> list[tuple[str, ...]]:
    """One row a problem, under the number that every page, list and report gives it; a workbook can hold each cell."""
    cells: list[tuple[str, ...]] = []
    for problem in problems:
        unit = problem.responsible or names.unit(problem, language)
        measure = problem.measure or EXPLANATIONS[problem.diagnosis].advice.in_(language)
        cells.append(
            (
                str(problem.id),
                printable(names.towns.get(problem.town, problem.town)),
                printable(names.schools.get(problem.school, problem.school)),
                printable(problem_words(problem, names, language)),
                printable(unit),
                printable(measure),
                problem.due_on.isoformat(),
                state_words(problem, today, language),
                problem.opened_on.isoformat(),
                problem.closed_on.isoformat() if problem.closed_on else "",
            )
        )
    return cells


AS_OF = message("data as of {day}")
WORKING = message("; still being worked out")


def as_csv(problems: Sequence[Problem], names: Names, today: date, language: Language, note: str = "") -> bytes:
    """UTF-8 with BOM; no cell begins like a formula. A note stands below all rows."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([heading.in_(language) for heading in HEADINGS])
    writer.writerows([[escape_formula(cell) for cell in row] for row in rows(problems, names, today, language)])
    if note:
        writer.writerow([escape_formula(note)])
    return out.getvalue().encode("utf-8-sig")


def as_xlsx(problems: Sequence[Problem], names: Names, today: date, language: Language, note: str = "") -> bytes:
    """One sheet, headings frozen, filters on; printed on A4 across. A note stands below all rows."""
    from openpyxl import Workbook  # heavy: imported where it is used
    from openpyxl.styles import Alignment, Border, Font, Side
    from openpyxl.utils import get_column_letter

    workbook = Workbook()
    page = workbook.active
    page.title = message("ledger").in_(language)
    page.append([heading.in_(language) for heading in HEADINGS])
    for row in rows(problems, names, today, language):
        page.append(list(row))
    thin = Side(style="thin")
    for cells in page.iter_rows():
        for cell in cells:
            cell.data_type = "s"
            cell.border = Border(left=thin, right=thin, top=thin, bottom=thin)
            cell.alignment = Alignment(wrap_text=True, vertical="top")
    for cell in page[1]:
        cell.font = Font(bold=True)
    for number, width in enumerate((6, 12, 22, 46, 16, 40, 12, 16, 12, 12), 1):
        page.column_dimensions[get_column_letter(number)].width = width
    page.freeze_panes, page.auto_filter.ref = "A2", page.dimensions
    if note:
        below = page.cell(page.max_row + 1, 1, note)
        below.data_type = "s"
    page.page_setup.orientation, page.page_setup.paperSize, page.page_setup.fitToHeight = "landscape", 9, 0
    page.sheet_properties.pageSetUpPr.fitToPage = True
    page.print_title_rows = "1:1"
    out = io.BytesIO()
    workbook.save(out)
    return out.getvalue()


def escape_formula(cell: str) -> str:
    """A cell that a spreadsheet program will not calculate."""
    return f"'{cell}" if cell[:1] in ("=", "+", "-", "@", "\t", "\r") else cell
