"""What tests of documents share."""

import os

import pytest

from campus_collector.report.forms.pdf import FontMissing, fonts


@pytest.fixture
def chinese_fonts() -> None:
    """PDF and DOCX need them: a failure under CI, a loud skip elsewhere, where there are none."""
    try:
        fonts()
    except FontMissing:
        assert not os.environ.get("CI"), "fonts-noto-cjk must be there under CI"
        pytest.skip("NO FONT: install the package fonts-noto-cjk")
