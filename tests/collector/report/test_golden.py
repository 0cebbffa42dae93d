"""No word of a report changes without being seen: `python -m tests.collector.report.golden` writes the files anew."""

import pytest

from campus_collector.report.forms.pdf import FontMissing, fonts
from tests.collector.report.golden import FOLDER, NAMES, text_of


@pytest.mark.parametrize("name", NAMES)
def test_the_report_says_what_it_said(name: str) -> None:
    try:
        families = fonts().families
    except FontMissing:
        pytest.skip("NO FONT: install the package fonts-noto-cjk")
    if "pdf" in name and families["body"][0] != "Noto Serif CJK SC":
        pytest.skip("the file was written with other fonts")
    assert text_of(name) == (FOLDER / name).read_text(encoding="utf-8")
