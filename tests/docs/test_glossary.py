"""One word for one idea: what the programs print are the words of the glossary."""

import re

import pytest

from campus_base.wire_words import RESULT_WORDS, VERDICT_WORDS
from campus_wire.verdicts import Verdict
from tests.messages.catalogues import ROOT
from tests.messages.chinese_texts import CATALOGUES, catalogue, chinese_texts

GLOSSARY = (ROOT / "docs/pages/en/glossary.md").read_text(encoding="utf-8")
ONLY_IN_DOCUMENTS = {
    "单向时延", "时延变化", "最大容量", "服务质量等级", "局域网验收", "宽带接入速率测试", "公文",
}  # fmt: skip
"""Terms of the field that the programs do not print."""
A_HEADING = ("exemptions", "免考核")


def rows(heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    section = re.split(r"^## ", GLOSSARY, flags=re.MULTILINE)
    text = next(line for line in section if line.startswith(heading))
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def test_the_verdicts_are_those_of_the_glossary() -> None:
    written = [(english, chinese) for english, chinese, *_ in rows("Verdicts")]
    assert written == [(VERDICT_WORDS[verdict].en, VERDICT_WORDS[verdict].zh) for verdict in Verdict]


@pytest.mark.parametrize("verdict", list(Verdict))
def test_a_verdict_has_one_form_in_each_language(verdict: Verdict) -> None:
    """Pages, report, tables and spreadsheets take their words from the catalogues."""
    words = VERDICT_WORDS[verdict]
    forms = {
        (str(entry.id).lower(), str(entry.string))
        for path in CATALOGUES
        for entry in catalogue(path)
        if entry.context != "result"
    } - {A_HEADING}
    assert {form for form in forms if words.en == form[0] or words.zh == form[1]} == {(words.en, words.zh)}


def test_every_term_is_printed_somewhere_or_is_a_term_of_documents() -> None:
    printed = "\n".join(text for _, text in chinese_texts())
    terms = [
        row[1]
        for heading in ("Verdicts", "What is judged", "Measurements", "Ledger and report")
        for row in rows(heading)
    ]
    assert [term for term in terms if term not in printed and term not in ONLY_IN_DOCUMENTS] == []
    assert [term for term in ONLY_IN_DOCUMENTS if term not in terms] == []


def test_no_chinese_term_has_two_meanings() -> None:
    terms = [
        row[1]
        for heading in ("Verdicts", "What is judged", "Measurements", "Ledger and report")
        for row in rows(heading)
    ]
    assert sorted({term for term in terms if terms.count(term) > 1}) == []


def test_words_that_are_not_used_are_not_used() -> None:
    forbidden = [row[0] for row in rows("Words that are not used") if re.search("[\u4e00-\u9fff]", row[0])]
    assert forbidden
    wrong = [
        (file, text[:60])
        for file, text in chinese_texts()
        for word in forbidden
        if re.search(f"{word}(?!核)" if word == "免考" else word, text)
    ]
    assert wrong == []


def test_one_result_passes_and_a_subject_is_met() -> None:
    """合格 is said of results, 达标 of subjects: never of the same thing in one message."""
    for verdict in Verdict:
        assert "合格" not in VERDICT_WORDS[verdict].zh
        assert "达标" not in RESULT_WORDS[verdict].zh


def test_rates_have_one_unit() -> None:
    """百兆进班 and 千兆进校 are names; a figure is in Mbps."""
    programs = [(file, text) for file, text in chinese_texts() if not file.endswith(".md")]
    assert [(file, text) for file, text in programs if re.search("(?<![百千])兆", text)] == []
