"""The verdicts of a month for a person at a terminal. Pure."""

import unicodedata
from collections.abc import Sequence

from campus_base.figures import percent, percent_as_written
from campus_base.language import Language
from campus_base.messages import Message, message, pmessage, verbatim
from campus_base.terminal import escape_cell
from campus_base.wire_words import VERDICT_WORDS
from campus_collector.judge.agreement import total
from campus_collector.judge.explanations import CAUSE_WORDS
from campus_collector.judge.policy import TARGET_WORDS
from campus_collector.judge.verdict import AreaVerdict, SubjectVerdict

_COUNTY = message("county")
_AREA_HEADINGS = (
    message("target"),
    message("area"),
    message("met"),
    message("not met"),
    message("insufficient data"),
    message("exempt"),
    message("rate"),
)
_SUBJECT_HEADINGS = (
    message("school"),
    message("subject"),
    message("target"),
    pmessage("column", "verdict"),
    message("passing/valid"),
    message("cause"),
)


_AGREEMENT = message("Quick tests against iperf3 for 10 s: {agreeing} of {compared} directions agree.")


def as_table(month: str, areas: Sequence[AreaVerdict], subjects: Sequence[SubjectVerdict], language: Language) -> str:
    """Areas first, then each subject; then whether the quick test is to be believed."""
    if not subjects:
        return message("{month}: no subject is known yet.").in_(language, month=month)
    area_rows = [[heading.in_(language) for heading in _AREA_HEADINGS]]
    for area in areas:
        ratio = area_ratio_words(area).in_(language)
        town = area.town or _COUNTY.in_(language)
        counts = [str(n) for n in (area.met, area.not_met, area.insufficient, area.exempt)]
        area_rows.append([TARGET_WORDS[area.target].in_(language), town, *counts, ratio])
    rows = [[heading.in_(language) for heading in _SUBJECT_HEADINGS]]
    for subject in subjects:
        needed = f" (≥ {percent_as_written(subject.rule.passing_share)})" if subject.rule else ""
        counted = f"{subject.evidence.passing_results}/{subject.evidence.valid_results}{needed}"
        cause = CAUSE_WORDS[subject.diagnosis].in_(language)
        target, verdict = TARGET_WORDS[subject.target].in_(language), VERDICT_WORDS[subject.verdict].in_(language)
        rows.append([subject.school, subject.subject, target, verdict, counted, cause])
    compared = total(subject.agreement for subject in subjects)
    agreement = (
        _AGREEMENT.in_(language, agreeing=compared.agreeing, compared=compared.compared) if compared.compared else ""
    )
    return f"{month}\n\n{aligned(area_rows)}\n\n{aligned(rows)}\n\n{agreement}".rstrip()


NO_DATA = message("no data")
"""The rate of a target whose subjects all lack data: not known, which is not 0 %."""


def area_ratio_words(area: AreaVerdict) -> Message:
    if area.compliance_ratio is None:
        return verbatim("—")
    if not area.has_data:
        return NO_DATA
    text = percent(area.compliance_ratio)
    return verbatim(text)


def aligned(rows: list[list[str]]) -> str:
    """Columns for a terminal; a line end or control character within a cell is shown escaped."""
    rows = [[escape_cell(cell) for cell in row] for row in rows]
    widths = [max(_width(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = ("  ".join(cell + " " * (w - _width(cell)) for cell, w in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)


def _width(text: str) -> int:
    """Columns on a terminal: Chinese characters take two (Unicode Standard Annex 11)."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)
