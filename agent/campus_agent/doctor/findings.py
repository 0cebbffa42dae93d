"""What a check found, and what to do about it, in both languages."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campus_base.language import Language, Text
from campus_base.settings import UnusableFile, read_secret

CLOCK_REMEDY = Text(
    "set the clock: timedatectl set-ntp true, or date -s '2026-01-31 08:00'",
    "请校准时钟：timedatectl set-ntp true，或 date -s '2026-01-31 08:00'",
)


@dataclass(frozen=True, slots=True)
class CheckResult:
    """One line: `ok` None means a remark. `what` is found, `remedy` is what to do."""

    check: Text
    ok: bool | None
    what: Text
    remedy: Text | None = None

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
    text = Text("{wrong} of {all} checks need attention.", "共 {all} 项检查，{wrong} 项需要处理。")
    lines.append(text.in_(language, wrong=wrong, all=len(results)))
    return "\n".join(lines)


def check_secret(check: Text, file: Path, remedy: Text) -> CheckResult:
    try:
        read_secret(file)
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        text = error.text if isinstance(error, UnusableFile) else Text(reason, reason)
        return CheckResult(check, False, Text(f"{file}: {text.en}", f"{file}：{text.zh}"), remedy)
    if mode & 0o077:
        what = Text(f"{file} can be read by others (mode {mode:o})", f"{file} 可被其他用户读取（权限 {mode:o}）")
        return CheckResult(check, False, what, Text(f"chmod 600 {file}", f"chmod 600 {file}"))
    return CheckResult(check, True, Text(f"{file}", f"{file}"))
