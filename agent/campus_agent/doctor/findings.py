"""What a check found, and what to do about it, in the reader's language."""

import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from campus_base.language import Language, Text
from campus_base.settings import SecretError, read_secret

CLOCK_REMEDY = Text(
    "set the clock: timedatectl set-ntp true, or date -s '2026-01-31 08:00'",
    "请校准时钟：timedatectl set-ntp true，或 date -s '2026-01-31 08:00'",
)


@dataclass(frozen=True, slots=True)
class Finding:
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


def in_words(findings: list[Finding], language: Language) -> str:
    """One line each, the remedy below."""
    lines = []
    for one in findings:
        mark = {True: "✓", False: "✗", None: "·"}[one.ok]
        lines.append(f"{mark} {one.check.in_(language)}: {one.what.in_(language)}")
        if one.remedy is not None and one.ok is not True:
            lines.append(f"    → {one.remedy.in_(language)}")
    wrong = sum(one.ok is False for one in findings)
    text = Text("{wrong} of {all} checks need attention.", "共 {all} 项检查，{wrong} 项需要处理。")
    lines.append(text.in_(language, wrong=wrong, all=len(findings)))
    return "\n".join(lines)


def secret(check: Text, file: Path, remedy: Text) -> Finding:
    try:
        read_secret(file)
        mode = stat.S_IMODE(file.stat().st_mode)
    except (OSError, ValueError) as error:
        said = (
            error.text
            if isinstance(error, SecretError)
            else Text(*[getattr(error, "strerror", None) or str(error)] * 2)
        )
        return Finding(check, False, Text(f"{file}: {said.en}", f"{file}：{said.zh}"), remedy)
    if mode & 0o077:
        what = Text(f"{file} can be read by others (mode {mode:o})", f"{file} 可被其他用户读取（权限 {mode:o}）")
        return Finding(check, False, what, Text(f"chmod 600 {file}", f"chmod 600 {file}"))
    return Finding(check, True, Text(f"{file}", f"{file}"))
