"""Which language does this reader want?"""

import os
from collections.abc import Mapping
from typing import Literal

Language = Literal["zh", "en"]


def from_environment(environ: Mapping[str, str] = os.environ) -> Language:
    """The language for a terminal: `CAMPUS_LANG`, else the POSIX order LC_ALL, LC_MESSAGES, LANG; English otherwise."""
    for variable in ("CAMPUS_LANG", "LC_ALL", "LC_MESSAGES", "LANG"):
        value = environ.get(variable, "")
        if value:
            return "zh" if value.lower().startswith("zh") else "en"
    return "en"
