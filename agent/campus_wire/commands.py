"""What the bureau asks a gateway to do, and what the gateway says of it: GET /v1/commands, POST /v1/commands/ID.

The gateway asks with the tag of the list that it has; the collector holds the request until the list is another one, or the time is over (304).
Times are relative, because a school's clock may be wrong. The kinds are a closed list: nothing else can be asked of a gateway.
"""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from campus_wire.records import Id, Moment, ResultId, Word

CommandKind = Literal["measure", "doctor", "log_summary", "upgrade"]
"""Measure a subject now; run the doctor; send a summary of the log; look for an upgrade now."""
COMMAND_KINDS: tuple[CommandKind, ...] = ("measure", "doctor", "log_summary", "upgrade")
MeasurableKind = Literal["classroom", "uplink", "service", "recording_room", "device"]
MEASURABLE_KINDS: tuple[MeasurableKind, ...] = ("classroom", "uplink", "service", "recording_room", "device")

CommandState = Literal["asked", "taken", "queued", "running", "done", "refused", "failed"]
"""`asked`: no gateway has taken it yet. `queued`: it waits for the end of a lesson. The last three are final."""
FINAL_STATES: tuple[CommandState, ...] = ("done", "refused", "failed")

COMMAND_ID_PATTERN = r"^[0-9a-f]{32}\Z"
CommandId = Annotated[str, Meta(pattern=COMMAND_ID_PATTERN)]
MAX_COMMANDS = 64
"""More are not waiting for one school."""
MAX_REPORT_LETTERS = 20_000
MAX_COMMAND_RESULTS = 100
MAX_HOLD_SECONDS = 240.0
"""So long a collector holds a request at most."""
LONGEST_QUEUE_SECONDS = 3600.0
"""So long a command may wait for the end of a lesson."""


class Command(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something that a person asks of a gateway. `kind` is any text: an older agent refuses a kind that it does not know.

    `expires_in_seconds`: later than so long after the answer was received the gateway must not begin any more.
    """

    id: CommandId
    kind: Annotated[str, Meta(max_length=32)]
    expires_in_seconds: Annotated[float, Meta(ge=0, le=86_400)]
    subject: Annotated[str, Meta(max_length=64)] = ""
    subject_kind: Annotated[str, Meta(max_length=32)] = ""


class Commands(msgspec.Struct, frozen=True):
    """The commands of a school that no gateway has taken, the oldest first."""

    commands: Annotated[list[Command], Meta(max_length=MAX_COMMANDS)]
    server_time: Moment


class CausedResult(msgspec.Struct, frozen=True):
    """A result that a command caused; it is sent as every other result is."""

    id: ResultId
    kind: Annotated[str, Meta(max_length=32)]
    subject: Id
    started_at: Moment


class CommandReport(msgspec.Struct, frozen=True, omit_defaults=True):
    """How far a gateway is with a command. `claim` is made by the gateway once for each command: who took it alone may report.

    `reason` is a word of a closed list (`failures.SkipReason`, or see the manual), `detail` is for a technician.
    """

    state: Literal["taken", "queued", "running", "done", "refused", "failed"]
    claim: CommandId
    reason: Annotated[str, Meta(max_length=40)] = ""
    detail: Word = ""
    starts_in_seconds: Annotated[float, Meta(ge=0, le=LONGEST_QUEUE_SECONDS)] | None = None
    progress_ratio: Annotated[float, Meta(ge=0, le=1)] | None = None
    results: Annotated[list[CausedResult], Meta(max_length=MAX_COMMAND_RESULTS)] = []
    text: Annotated[str, Meta(max_length=MAX_REPORT_LETTERS)] = ""
    """What the doctor found, or the summary of the log."""


class CommandReceipt(msgspec.Struct, frozen=True):
    """The collector's answer to a report: the state as it is now kept."""

    state: str
