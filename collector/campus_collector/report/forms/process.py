"""A report's forms made in a process of their own: typesetting, fonts and office libraries take hundreds of megabytes that a resident collector never gives back.

`python -m campus_collector.report.forms.process FORM LANGUAGE [FONT_FILE...]` reads figures (JSON) and writes the document; exit code 3 and words on standard error say
why it could not.
"""

import json
import resource
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.system_errors import error_words
from campus_collector.report.compose import compose
from campus_collector.report.document import Document
from campus_collector.report.figures import Figures, encoded_figures, figures_of
from campus_collector.report.forms.pdf_fonts import FontMissing
from campus_collector.report.forms.render import FORMS, Form, render

WALL_SECONDS = 600
CPU_SECONDS = 300
MEMORY_BYTES = 4 * 2**30
"""Of address space: a province's workbook takes 0.6 GB, fonts are mapped beside it."""
NO_FONT = 3
MAX_WORDS = 500
PROCESS = "campus_collector.report.forms.process"


class FormFailed(Exception):
    """The process ended without a document; the words say how."""

    def __init__(self, words: Message) -> None:
        self.words = words
        super().__init__(words.en)


def render_apart(figures: Figures, language: Language, form: Form, font_files: Sequence[Path] = ()) -> bytes:
    """One form of one report; `font_files` are used beside the fonts that are installed. Raises FontMissing, FormFailed."""
    return render_content(encoded_figures(figures), language, form, font_files, PROCESS)


def render_content(content: bytes, language: Language, form: Form, font_files: Sequence[Path], process: str) -> bytes:
    """The same of figures that the module `process` reads and composes. Raises as `render_apart`."""
    command = [sys.executable, "-m", process, form, language, *map(str, font_files)]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=WALL_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        raise FormFailed(
            message("{form}: not made within {wall_seconds} s", form=form, wall_seconds=WALL_SECONDS)
        ) from None
    except OSError as error:
        raise FormFailed(message("{form}: cannot be made: {why}", form=form, why=error_words(error))) from None
    if done.returncode == NO_FONT:
        raise FontMissing
    if done.returncode != 0 or not done.stdout:
        lines = done.stderr.decode(errors="replace").strip().splitlines()
        why = (lines[-1] if lines else f"exit {done.returncode}")[:MAX_WORDS]
        raise FormFailed(message("{form}: could not be made: {why}", form=form, why=why))
    return done.stdout


def compose_content(content: bytes, language: Language) -> Document:
    """The document of encoded figures."""
    return compose(figures_of(content), language)


def main(arguments: list[str], composer: Callable[[bytes, Language], Document] = compose_content) -> int:
    """Write the form that the arguments name, of what `composer` makes of standard input."""
    form = next((form for form in FORMS if [form] == arguments[:1]), None)
    language = next((language for language in get_args(Language) if [language] == arguments[1:2]), None)
    if form is None or language is None:
        print(json.dumps({"usage": "FORM LANGUAGE [FONT_FILE...]"}), file=sys.stderr)
        return 2
    for limit, most in (
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_AS, MEMORY_BYTES),
        (resource.RLIMIT_CORE, 0),
    ):
        resource.setrlimit(limit, (most, most))
    try:
        document = render(composer(sys.stdin.buffer.read(), language), form, [Path(file) for file in arguments[2:]])
    except FontMissing as missing:
        print(missing, file=sys.stderr)
        return NO_FONT
    sys.stdout.buffer.write(document)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
