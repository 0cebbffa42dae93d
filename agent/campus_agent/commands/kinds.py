"""What can be asked of a gateway, and what does it: the one table of kinds."""

from collections.abc import Awaitable, Callable

import msgspec

from campus_wire.commands import CausedResult, Command, CommandReport

NOT_AVAILABLE = "not_available"
UNKNOWN_KIND = "unknown_kind"
UNKNOWN_SUBJECT = "unknown_subject"
INTERRUPTED = "interrupted"
INTERNAL = "internal"


class CommandOutcome(msgspec.Struct, frozen=True):
    """What came of a command: `state` is done, refused or failed; `reason` one of the words above, or of SkipReason and GateReason."""

    state: str
    reason: str = ""
    detail: str = ""
    results: list[CausedResult] = []
    text: str = ""


class CommandProgress(msgspec.Struct, frozen=True):
    """How far a command is: queued for a break that begins in so many seconds, or running."""

    starts_in_seconds: float | None = None
    ratio: float | None = None


Report = Callable[[CommandProgress], Awaitable[None]]
Handler = Callable[[Command, Report], Awaitable[CommandOutcome]]


async def not_available(command: Command, report: Report) -> CommandOutcome:
    """The answer to a kind that this version of the agent cannot do."""
    return CommandOutcome("refused", NOT_AVAILABLE, "this version of the agent cannot do it")


def handlers(measure: Handler, doctor: Handler, log_summary: Handler, upgrade: Handler) -> dict[str, Handler]:
    """Every kind that a gateway knows. To make a kind work, put its handler here."""
    return {"measure": measure, "doctor": doctor, "log_summary": log_summary, "upgrade": upgrade}


def progress_report(claim: str, progress: CommandProgress) -> CommandReport:
    """As it travels."""
    if progress.starts_in_seconds is not None:
        return CommandReport("queued", claim, starts_in_seconds=progress.starts_in_seconds)
    return CommandReport("running", claim, progress_ratio=progress.ratio)
