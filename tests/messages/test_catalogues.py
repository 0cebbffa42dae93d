"""Everything that people read is in both languages, and stands in a catalogue."""

import ast
import gettext
import re
import string
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog

from campus_collector.http.pages.help import SITE as MANUAL
from tests.messages.catalogues import PACKAGES, ROOT, extracted, kept, mo_file

CHINESE = re.compile("[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]")
NOT_IN_A_CATALOGUE = {
    "campus_agent/schedule/calendar.py": "names of public holidays, as the State Council announces them: data of the calendar",
    "campus_base/dates.py": "how people write dates",
    "campus_base/settings.py": "an ideographic space, which is no part of a secret",
    "campus_collector/cli/grafana.py": "default name of a folder in Grafana",
    "campus_collector/inventory/csv_text.py": "what text of a wrong encoding looks like",
    "campus_collector/inventory/exemptions.py": "words by which people say that there is no exemption",
    "campus_collector/inventory/headings.py": "headings of the inventory's sheets, as people write them",
    "campus_collector/inventory/number_format.py": "a word of spreadsheet number formats",
    "campus_collector/inventory/read.py": "what people write into cells",
    "campus_collector/inventory/sample.py": "invented names of a sample county",
    "campus_collector/inventory/sources.py": "words of rows below a table",
    "campus_collector/report/forms/pdf_fonts.py": "names of fonts",
    "campus_collector/report/forms/docx.py": "the ideographic space between issuer and date",
    "campus_collector/report/templates/report.html": "names of fonts",
    "campus_collector/simulate/county.py": "an invented reason of an exemption",
    "campus_collector/report/templates/report.typ": "names of fonts",
}
"""Files with Chinese text that is no message, and why."""
STORED = Path(__file__).with_name("stored_evidence.txt")
EVIDENCE = (
    ("campus_collector", "campus_collector/judge/causes.py"),
    ("campus_collector", "campus_collector/judge/shared_causes.py"),
    ("campus_base", "campus_base/wire_words.py"),
)
"""Where the sentences of a problem's evidence come from."""
OF_A_DATE = {"year", "month", "number", "day"}
ENGLISH_WITH_CHINESE = frozenset({"中文"})
"""Parts of English messages that show Chinese on purpose."""


def entries(catalogue: Catalog) -> dict[tuple[str | None, str], str]:
    return {(entry.context, str(entry.id)): str(entry.string) for entry in catalogue if entry.id}


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_is_in_the_catalogue_and_every_entry_is_used(package: str) -> None:
    used, translated = entries(extracted(package)).keys(), entries(kept(package)).keys()
    assert sorted(used - translated, key=str) == [], "run `python -m tests.messages` and translate"
    assert sorted(translated - used, key=str) == [], "run `python -m tests.messages`"


def test_what_was_stored_with_a_problem_can_still_be_read_in_chinese() -> None:
    """The ledger stores the English template of a problem's evidence; the catalogue must know it as long as the database lives."""
    stored = STORED.read_text().splitlines()
    now = {
        str(entry.id)
        for package, file in EVIDENCE
        for entry in extracted(package)
        if entry.id and any(path == file for path, _ in entry.locations)
    }
    known = {english for package in PACKAGES for _, english in entries(kept(package))}
    assert sorted(now - set(stored)) == [], f"add it to {STORED.name}"
    assert sorted(set(stored) - known) == [], "keep the old sentence in RETIRED of judge/causes.py, and its translation"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_message_is_translated(package: str) -> None:
    assert [key for key, chinese in entries(kept(package)).items() if not chinese] == []
    assert [entry.id for entry in kept(package) if entry.id and entry.fuzzy] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_both_languages_have_the_same_values(package: str) -> None:
    """But for dates: 2026-11 in English is 2026年11月 in Chinese."""
    wrong = [
        (english, chinese)
        for (_, english), chinese in entries(kept(package)).items()
        if values_of(english) - OF_A_DATE != values_of(chinese) - OF_A_DATE
    ]
    assert wrong == []


@pytest.mark.parametrize("package", PACKAGES)
def test_the_compiled_catalogue_is_that_of_the_sources(package: str) -> None:
    with mo_file(package).open("rb") as stream:
        compiled = gettext.GNUTranslations(stream)
    for (context, english), chinese in entries(kept(package)).items():
        shown = compiled.pgettext(context, english) if context else compiled.gettext(english)
        assert shown == chinese, "run `python -m tests.messages`"


def test_a_message_reads_the_same_in_every_catalogue() -> None:
    forms: dict[tuple[str | None, str], set[str]] = defaultdict(set)
    for package in PACKAGES:
        for key, chinese in entries(kept(package)).items():
            forms[key].add(chinese)
    assert {key: found for key, found in forms.items() if len(found) > 1} == {}


def test_templates_are_literals_that_can_be_extracted() -> None:
    wrong = []
    for file, tree in sources():
        inside = {node for outer in ast.walk(tree) if isinstance(outer, ast.JoinedStr) for node in ast.walk(outer)}
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("message", "pmessage")
            ):
                needed = 2 if node.func.id == "pmessage" else 1
                literal = all(
                    isinstance(argument, ast.Constant) and isinstance(argument.value, str)
                    for argument in node.args[:needed]
                )
                if not literal or len(node.args) != needed or node in inside:
                    wrong.append(f"{file}:{node.lineno}: {ast.unparse(node)[:80]}")
    assert wrong == []


def test_values_of_a_message_are_those_that_it_names() -> None:
    """Values may be given later; what is given is used."""
    wrong = []
    for file, tree in sources():
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id in ("message", "pmessage")
                and node.keywords
            ):
                template = node.args[-1]
                assert isinstance(template, ast.Constant)
                given = {keyword.arg for keyword in node.keywords}
                if None not in given and given - values_of(template.value):
                    wrong.append(f"{file}:{node.lineno}: {sorted(map(str, given - values_of(template.value)))}")
    assert wrong == []


def test_no_chinese_stands_outside_the_catalogues() -> None:
    """Docstrings and comments apart, and the manual, which `make docs` builds."""
    actual = defaultdict(list)
    for file, tree in sources():
        documentation = {
            id(node.value)
            for outer in ast.walk(tree)
            if isinstance(outer, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            for node in outer.body
            if isinstance(node, ast.Expr)
        }
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Constant)
                and isinstance(node.value, str)
                and id(node) not in documentation
                and CHINESE.search(node.value)
                and not is_message(node.value)
            ):
                actual[file].append(node.value[:40])
    for folder in PACKAGES.values():
        for path in folder.rglob("*"):
            if path.suffix in (".html", ".typ", ".js", ".css", ".svg") and not path.is_relative_to(MANUAL):
                text = re.sub(r"\{#.*?#\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
                actual[name_of(path)] += [line.strip()[:60] for line in text.splitlines() if CHINESE.search(line)]
    assert {file: lines for file, lines in actual.items() if lines and file not in NOT_IN_A_CATALOGUE} == {}
    assert sorted(NOT_IN_A_CATALOGUE.keys() - {file for file, lines in actual.items() if lines}) == [], (
        "no Chinese there any more"
    )


def is_message(text: str) -> bool:
    return text in ENGLISH_WITH_CHINESE or text in all_messages()


@cache
def all_messages() -> set[str]:
    return {english for package in PACKAGES for _, english in entries(kept(package))}


def values_of(template: str) -> set[str]:
    """`{name}` and `%(name)s`."""
    percent = set(re.findall(r"%\((\w+)\)", template))
    try:
        return percent | {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError:  # a brace that is text
        return percent


def sources() -> Iterator[tuple[str, ast.Module]]:
    for folder in PACKAGES.values():
        for path in sorted(folder.rglob("*.py")):
            yield name_of(path), ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix().partition("/")[2]
