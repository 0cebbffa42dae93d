"""What a check found, and what to do about it, in both languages."""

import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campus_base.language import Language
from campus_base.messages import Message, message, verbatim
from campus_base.settings import Secret, read_secret
from campus_base.system_errors import error_words

CLOCK_REMEDY = message("set the clock: timedatectl set-ntp true, or date -s '2026-01-31 08:00'")


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: `ok` None means a remark. `what` is found, `remedy` is what to do."""

    check: Message
    ok: bool | None
    what: Message
    remedy: Message | None = None

    def as_json(self) -> dict[str, Any]:
        """For programs: English, with the Chinese beside it."""
        return {
            "check": self.check.en,
            "ok": self.ok,
            "what": self.what.en,
            "remedy": self.remedy.en if self.remedy else None,
            "zh": {"check": self.check.zh, "what": self.what.zh, "remedy": self.remedy.zh if self.remedy else None},
        }


def in_words(results: list[CheckResult], language: Language) -> str:
    """One line each, the remedy below."""
    lines = []
    for result in results:
        mark = {True: "✓", False: "✗", None: "·"}[result.ok]
        lines.append(f"{mark} {result.check.in_(language)}: {result.what.in_(language)}")
        if result.remedy is not None and result.ok is not True:
            lines.append(f"    → {result.remedy.in_(language)}")
    wrong = sum(result.ok is False for result in results)
    text = message("{wrong} of {all} checks need attention.")
    lines.append(text.in_(language, wrong=wrong, all=len(results)))
    return "\n".join(lines)


def check_secret(
    check: Message, file: Path, remedy: Message, read: Callable[[Path], Secret] = read_secret
) -> CheckResult:
    try:
        read(file)
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, ValueError) as error:
        return CheckResult(check, False, message("{file}: {text}", file=file, text=error_words(error)), remedy)
    if mode & 0o077:
        what = message("{file} can be read by others (mode {mode:o})", file=file, mode=mode)
        return CheckResult(check, False, what, verbatim(f"chmod 600 {file}"))
    return CheckResult(check, True, verbatim(f"{file}"))
