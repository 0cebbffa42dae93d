"""The kinds `doctor` and `log_summary`: texts about the gateway, for the people who look after it."""

import asyncio
import logging
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from campus_agent.commands.kinds import INTERNAL, CommandOutcome, CommandProgress, Handler, Report
from campus_base.logs import extras
from campus_wire.commands import MAX_REPORT_LETTERS, Command

DOCTOR_SECONDS = 180.0
MAX_OUTPUT_BYTES = 256 * 1024
MAX_KINDS_OF_LINES = 60
MAX_LINE_LETTERS = 240
_SHOWN_EXTRAS = ("reason", "error", "detail", "lane", "status")


class DoctorLine(msgspec.Struct, omit_defaults=True):
    """A check as `campus-agent doctor --json` prints it."""

    check: str
    ok: bool | None
    what: str
    remedy: str | None
    zh: dict[str, str | None]


def doctor_of(file: Path | None) -> Handler:
    """Runs the doctor in a process of its own: what it needs is not loaded here."""

    arguments = ["--config", str(file.resolve())] if file is not None else []

    async def doctor(command: Command, report: Report) -> CommandOutcome:
        await report(CommandProgress())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "campus_agent", "doctor", "--json", *arguments),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            async with asyncio.timeout(DOCTOR_SECONDS):
                assert process.stdout is not None
                output = await process.stdout.read(MAX_OUTPUT_BYTES)
                await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
        try:
            lines = msgspec.json.decode(output, type=list[DoctorLine])
        except msgspec.MsgspecError as error:
            return CommandOutcome("failed", INTERNAL, f"the doctor ended with {process.returncode}: {error}"[:300])
        return CommandOutcome("done", text=bounded(lines))

    return doctor


def bounded(lines: list[DoctorLine]) -> str:
    """As JSON; what is in order is left out first where the whole is too long."""
    lines = sorted(lines, key=lambda line: {False: 0, None: 1, True: 2}[line.ok])
    while lines and len(text := msgspec.json.encode(lines).decode()) > MAX_REPORT_LETTERS:
        lines.pop()
    return text if lines else "[]"


class LogSummary(logging.Handler):
    """Counts warnings and errors since the program began, by what they say, with the newest of each; the log itself stays on the gateway."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self._lines: dict[tuple[str, str], tuple[int, float, str]] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """One more of its kind; the kind that was not seen for longest makes room."""
        key = (record.levelname, str(record.msg)[:MAX_LINE_LETTERS])
        count, _, _ = self._lines.pop(key, (0, 0.0, ""))
        shown = extras(record)
        detail = " ".join(f"{name}={shown[name]}" for name in _SHOWN_EXTRAS if name in shown)
        self._lines[key] = (count + 1, record.created, detail[:MAX_LINE_LETTERS])
        while len(self._lines) > MAX_KINDS_OF_LINES:
            del self._lines[next(iter(self._lines))]

    def text(self) -> str:
        """One line for each kind, the newest first."""
        return "\n".join(self._shown())[:MAX_REPORT_LETTERS]

    def _shown(self) -> Iterable[str]:
        for (level, words), (count, at, detail) in reversed(list(self._lines.items())):
            moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
            yield f"{moment} {level} ({count}x) {words} {detail}".rstrip()

    async def send(self, command: Command, report: Report) -> CommandOutcome:
        """The handler of the kind `log_summary`."""
        return CommandOutcome("done", text=self.text())
