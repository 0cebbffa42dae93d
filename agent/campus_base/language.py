"""Which language does this reader want, and how is a sentence kept in both?

Everything that people read exists in Chinese and English side by side, in one place, so that neither can be forgotten.
"""

import os
from collections.abc import Mapping
from typing import Literal, NamedTuple

Language = Literal["zh", "en"]


class Text(NamedTuple):
    """One sentence in both languages; `{name}` placeholders are filled by `Text.in_`."""

    en: str
    zh: str

    def in_(self, language: Language, **values: object) -> str:
        """The sentence in one language, placeholders filled."""
        template = self.zh if language == "zh" else self.en
        return template.format(**values) if values else template


def from_environment(environ: Mapping[str, str] = os.environ) -> Language:
    """The language for a terminal: `CAMPUS_LANG`, else the POSIX order LC_ALL, LC_MESSAGES, LANG; English otherwise."""
    for variable in ("CAMPUS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
