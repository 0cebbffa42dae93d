"""What people ask of a school's gateway, as it is stored, and what may be asked. Pure.

A command is taken within minutes or expires, and is run once. A test that is asked for is judged like every other, so that its number is bounded.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

import msgspec

from campus_base.messages import Message, message
from campus_wire.commands import FINAL_STATES, Command, CommandKind, CommandReport, MeasurableKind

Shown = Literal["asked", "taken", "queued", "running", "done", "refused", "failed", "expired"]
SHOWN: tuple[Shown, ...] = get_args(Shown)
TAKEN_WITHIN = timedelta(minutes=10)
REPORTED_WITHIN = timedelta(minutes=15)
"""A gateway that has taken a command says more of it before this is over, or it has expired."""
MOST_LIVE, MOST_IN_AN_HOUR, MOST_TESTS_IN_A_DAY = 20, 60, 6
"""Of a school; of a school; of a subject: of a hundred tests a month a person must not choose the moments of most."""
MOST_OF_A_PERSON_IN_AN_HOUR = 120
"""At all schools together: a stolen session must not set a county's gateways to work."""
DAY, HOUR = timedelta(days=1), timedelta(hours=1)

KIND_WORDS: dict[str, Message] = {
    "measure": message("test now"),
    "doctor": message("check of the gateway"),
    "log_summary": message("summary of the gateway's log"),
    "upgrade": message("look for an upgrade"),
}
STATE_WORDS: dict[str, Message] = {
    "asked": message("waits for the gateway"),
    "taken": message("the gateway has it"),
    "queued": message("waits for the end of the lesson"),
    "running": message("running now"),
    "done": message("done"),
    "refused": message("refused by the gateway"),
    "failed": message("failed"),
    "expired": message("expired: the gateway did not answer in time"),
}


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for: a kind, and of which subject where it is a test. `problem` is the entry of the ledger that it is for."""

    kind: CommandKind
    subject: str = ""
    subject_kind: MeasurableKind | Literal[""] = ""
    problem: int | None = None


class CommandBody(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is stored of a command beside its columns."""

    subject_kind: MeasurableKind | Literal[""] = ""
    problem: int | None = None
    reported_at: datetime | None = None
    report: CommandReport | None = None


@dataclass(frozen=True, slots=True)
class StoredCommand:
    """A command with the newest report of its gateway."""

    school: str
    number: int
    id: str
    kind: str
    subject: str
    person: str
    state: str
    asked_at: datetime
    expires_at: datetime
    body: CommandBody

    def shown_at(self, now: datetime) -> Shown:
        """Its state; `expired` where a gateway has said nothing for too long."""
        if self.state not in FINAL_STATES and now > self.expires_at:
            return "expired"
        return self.state  # type: ignore[return-value]

    def is_live(self, now: datetime) -> bool:
        """May it still come to something?"""
        return self.state not in FINAL_STATES and now <= self.expires_at

    def on_the_wire(self, now: datetime) -> Command:
        """As the gateway gets it."""
        seconds = max(0.0, (self.expires_at - now).total_seconds())
        return Command(self.id, self.kind, seconds, self.subject, self.body.subject_kind)


def refusal(wanted: Wanted, last_day: Sequence[StoredCommand], asked_by_person: int, now: datetime) -> Message | None:
    """Why it may not be asked of a school, beside what was asked of it within a day; None when it may.

    `asked_by_person`: how many commands the person asked of any school within an hour.
    """
    live = [command for command in last_day if command.is_live(now)]
    for command in live:
        if (command.kind, command.subject) == (wanted.kind, wanted.subject):
            return message("it is asked for already (no. {number})", number=command.number)
    if len(live) >= MOST_LIVE:
        return message("{count} are waiting for this gateway already", count=len(live))
    if sum(command.asked_at > now - HOUR for command in last_day) >= MOST_IN_AN_HOUR:
        return message("this gateway was asked {most} times within an hour", most=MOST_IN_AN_HOUR)
    if asked_by_person >= MOST_OF_A_PERSON_IN_AN_HOUR:
        return message("you asked {most} times within an hour", most=MOST_OF_A_PERSON_IN_AN_HOUR)
    tests = sum(_may_have_results(each) and each.subject == wanted.subject for each in last_day)
    if wanted.kind == "measure" and tests >= MOST_TESTS_IN_A_DAY:
        return message("it was tested {most} times on request within a day: no more now", most=MOST_TESTS_IN_A_DAY)
    return None


def _may_have_results(command: StoredCommand) -> bool:
    """A test that was taken and not refused: also one whose last report was lost has left its results."""
    return command.kind == "measure" and command.state not in ("asked", "refused")


def after_report(command: StoredCommand, report: CommandReport, now: datetime) -> StoredCommand | Message:
    """The command after a report of its gateway, or why the report is refused. The same report once more changes nothing."""
    before = command.body.report
    if before is not None and before.claim != report.claim:
        return message("another gateway has taken it")
    if command.state in FINAL_STATES:
        if command.state == report.state:
            return command
        return message("it is over: {state}", state=command.state)
    if not command.is_live(now):
        return message("it has expired")
    if before is None and report.state != "taken":
        return message("it has to be taken first")
    if before is not None and report.state == "taken":
        return command
    wait = timedelta(seconds=report.starts_in_seconds or 0.0)
    body = msgspec.structs.replace(command.body, report=report, reported_at=now)
    return replace(command, state=report.state, expires_at=now + wait + REPORTED_WITHIN, body=body)
