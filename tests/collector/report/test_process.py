"""Forms are made in a process of their own: the same octets as here, its failures told in words, its libraries never loaded by the collector."""

import subprocess
import sys

import pytest

from campus_base.language import Language
from campus_collector.report.compose import compose
from campus_collector.report.figures import canonical
from campus_collector.report.forms import process
from campus_collector.report.forms.process import FormFailed, render_apart
from campus_collector.report.forms.render import FORMS, Form, render
from tests.collector.report.county import figures

HEAVY = ("typst", "docx", "xlsxwriter", "lxml", "openpyxl")


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("language", ["zh", "en"])
def test_it_is_the_same_document(form: Form, language: Language) -> None:
    content = canonical(figures())
    assert render_apart(content, language, form) == render(compose(content, language), form)


@pytest.mark.parametrize(
    ("name", "value", "words"), [("MEMORY_BYTES", "2**20", "pdf: could not be made"), ("CPU_SECONDS", "0", "pdf")]
)
def test_a_process_that_ends_is_told_in_words(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, words: str
) -> None:
    code = f"import sys\nfrom campus_collector.report.forms import process\nprocess.{name} = {value}\nsys.exit(process.main(sys.argv[1:]))"
    real = subprocess.run

    def run(command: list[str], **more: object) -> object:
        return real([sys.executable, "-c", code, *command[3:]], **more)  # type: ignore[call-overload]

    monkeypatch.setattr(process.subprocess, "run", run)
    with pytest.raises(FormFailed, match=words) as raised:
        render_apart(figures(), "zh", "pdf")
    assert raised.value.words.zh.startswith("pdf：")


def test_a_process_that_cannot_begin_or_does_not_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "WALL_SECONDS", 0)
    with pytest.raises(FormFailed, match="not made within 0 s"):
        render_apart(figures(), "zh", "pdf")
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with pytest.raises(FormFailed, match="cannot be made: No such file"):
        render_apart(figures(), "zh", "pdf")


def test_the_collector_never_loads_what_makes_forms() -> None:
    code = (
        "import sys, campus_collector.http.app, campus_collector.report.service\n"
        f"print([one for one in {HEAVY!r} if one in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert done.stdout.strip() == b"[]"
