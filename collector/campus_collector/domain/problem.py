"""A problem of the ledger and what happens to it, as they are stored and sent."""

from datetime import date, datetime
from typing import Literal

import msgspec

from campus_base.messages import Message, message, pmessage, verbatim

State = Literal["open", "acknowledged", "claimed_fixed", "closed"]
STATES: tuple[State, ...] = ("open", "acknowledged", "claimed_fixed", "closed")
STATE_WORDS: dict[str, Message] = {
    "open": message("open"),
    "acknowledged": pmessage("state of a problem", "acknowledged"),
    "claimed_fixed": message("claimed fixed, being verified"),
    "closed": pmessage("state of a problem", "struck off"),
}
What = Literal[
    "opened",
    "reopened",
    "changed",
    "acknowledged",
    "assigned",
    "due_changed",
    "measure_noted",
    "commented",
    "claimed_fixed",
    "claim_contradicted",
    "closed",
    "merged",
    "withdrawn",
    "inventory_imported",
    "logged_in",
    "person_admitted",
    "person_refused",
    "person_locked",
    "person_unlocked",
    "password_changed",
    "token_issued",
    "tokens_revoked",
    "code_issued",
    "agent_enrolled",
    "member_code_issued",
    "member_enrolled",
    "member_revoked",
    "enrolled_above",
    "month_archived",
    "month_removal_begun",
    "month_removed",
    "command_asked",
    "release_added",
    "release_wave",
    "release_stopped",
    "release_done",
]
WHAT_WORDS: dict[str, Message] = {
    "opened": pmessage("event", "opened"),
    "reopened": message("opened again"),
    "changed": message("evidence changed"),
    "acknowledged": pmessage("event", "acknowledged"),
    "assigned": message("assigned"),
    "due_changed": message("due date changed"),
    "measure_noted": message("measure noted"),
    "commented": message("comment"),
    "claimed_fixed": message("claimed fixed"),
    "claim_contradicted": message("measurements contradict the claim"),
    "closed": message("struck off: measurements pass"),
    "merged": message("now part of a problem of the whole school"),
    "withdrawn": message("no longer judged: removed or exempt"),
    "inventory_imported": message("inventory imported"),
    "logged_in": message("logged in"),
    "person_admitted": message("let a person in"),
    "person_refused": message("withdrew a person's access"),
    "person_locked": message("locked after wrong passwords"),
    "person_unlocked": message("unlocked a person"),
    "password_changed": message("password changed"),
    "token_issued": message("agent token issued"),
    "tokens_revoked": message("agent tokens revoked"),
    "code_issued": message("enrolment code issued"),
    "agent_enrolled": message("gateway enrolled"),
    "member_code_issued": message("enrolment code for a county issued"),
    "member_enrolled": message("county enrolled for upward reporting"),
    "member_revoked": message("county's token revoked"),
    "enrolled_above": message("enrolled at the level above"),
    "month_archived": message("month archived"),
    "month_removal_begun": message("an archived month begins to leave the database"),
    "month_removed": message("an archived month has left the database"),
    "command_asked": message("asked a gateway"),
    "release_added": message("release of the agent added"),
    "release_wave": message("release of the agent goes to more gateways"),
    "release_stopped": message("release of the agent stopped"),
    "release_done": message("release of the agent is at all gateways"),
}
MEASUREMENTS = "measurements"
"""Who acts when no person does."""
CONSOLE = "console"
"""Who acts by a command on the collector's machine."""
ACTOR_WORDS = {MEASUREMENTS: message("measurements"), CONSOLE: message("command line")}


class Problem(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One subject, or a whole school (subject ""), that fails one target from a day on. `covers` are the subjects of a school's problem."""

    id: int = 0
    school: str
    town: str
    target: str
    subject: str
    state: State
    opened_on: date
    due_on: date
    diagnosis: str
    evidence: Message = verbatim("")
    unit: str
    failing_days: int
    covers: list[str] = []
    severity: Literal["failing", "silent"] = "failing"
    reopened: int = 0
    contradicted: int = 0
    claimed_on: date | None = None
    closed_on: date | None = None
    last_failing_on: date | None = None
    passing_days: int = 0
    measure: str = ""
    responsible: str = ""
    version: int = 0
    """Grows with each change: work that was done on an older one is not written over a newer one."""

    @property
    def is_open(self) -> bool:
        """Is there still something to do?"""
        return self.state != "closed"

    def overdue_on(self, day: date) -> bool:
        """Is it still open after its due date?"""
        return self.is_open and day > self.due_on


class Event(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something that happened: by whom (a person, or `measurements`), when, and in what words."""

    at: datetime
    who: str
    what: What
    text: str = ""
    problem: int | None = None
    values: dict[str, str] = {}
