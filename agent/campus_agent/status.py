"""What the agent did, what waits, what is wrong: the daemon writes a snapshot, `campus-agent status` reads it."""

import contextlib
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.ship import chain
from campus_agent.ship.shipper import OUTCOME_KEY, ShipOutcome
from campus_agent.spool.errors import NoSpool, SpoolError
from campus_agent.spool.spool import open_spool
from campus_base.files import follow_owner
from campus_base.language import Language
from campus_base.messages import Message, message
from campus_base.wire_words import FAILURE_WORDS, RESULT_WORDS, SKIP_WORDS, VALIDITY_WORDS
from campus_wire.bandwidth import Verdict
from campus_wire.failures import Failure, SkipReason, Validity
from campus_wire.records import AnyResult, Outcome, ServiceResult, ThroughputResult, outcome_of
from campus_wire.verdicts import verdict_of_measurement

FILE = "status.json"


class LastResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """The newest result of one subject, in short."""

    started_at: datetime
    outcome: Outcome
    validity: Validity
    verdict: Verdict | None = None
    failure: Failure | None = None
    skipped: SkipReason | None = None
    detail: str = ""

    @classmethod
    def of(cls, result: AnyResult) -> "LastResult":
        return cls(
            started_at=result.started_at,
            outcome=outcome_of(result),
            validity=result.validity,
            verdict=verdict_of_measurement(result) if isinstance(result, ThroughputResult | ServiceResult) else None,
            failure=result.failure,
            skipped=result.skipped,
            detail=result.detail,
        )


class Snapshot(msgspec.Struct):
    """The daemon's own view of itself."""

    version: str
    boot_id: str
    started_at: datetime
    pid: int = msgspec.field(default_factory=os.getpid)
    written_at: float = 0.0
    running: dict[str, str] = {}
    last: dict[str, LastResult] = {}
    ended: dict[str, float] = {}
    next_seconds: dict[str, float] = {}
    spool_error: str | None = None
    lost_results: int = 0


def write_snapshot(folder: Path, snapshot: Snapshot) -> None:
    """Replace the snapshot in one step. A full disk costs the snapshot, not the daemon."""
    snapshot.written_at = time.time()
    with contextlib.suppress(OSError):
        new = folder / f".{FILE}.new"  # one daemon a folder: the name is ours
        new.write_bytes(msgspec.json.encode(snapshot))
        follow_owner(new)
        new.replace(folder / FILE)


def read_snapshot(folder: Path) -> Snapshot | None:
    """What the daemon wrote last; None when it never ran here, or the file is not readable as such."""
    try:
        return msgspec.json.decode((folder / FILE).read_bytes(), type=Snapshot)
    except (OSError, msgspec.MsgspecError):
        return None


def read_status(config: AgentConfig) -> dict[str, Any]:
    """The whole status as `--json` prints it; `healthy` is false when a person should look, `problems` says why."""
    snapshot = read_snapshot(config.state_dir)
    problems: list[dict[str, str]] = []
    status: dict[str, Any] = {
        "school": config.school,
        "timezone": config.timezone.key,
        "healthy": True,
        "running": False,
        "problems": problems,
        "agent": msgspec.to_builtins(snapshot) if snapshot else None,
        "spool": None,
        "ship": None,
        "chain": None,
        "chain_mismatch": None,
        "quarantined": [],
    }
    status["running"] = snapshot is not None and _alive(snapshot.pid)
    if not status["running"]:
        problems.append(_problem(message("the agent is not running")))
    if snapshot and snapshot.spool_error:
        text = message("the spool cannot be written: {reason}")
        problems.append(_problem(text, reason=snapshot.spool_error))
    _read_spool(config, status, problems)
    status["healthy"] = not problems
    return status


def _read_spool(config: AgentConfig, status: dict[str, Any], problems: list[dict[str, str]]) -> None:
    try:
        with open_spool(config.state_dir, config.spool, role="reader") as spool:
            state = spool.status()
            status["spool"] = msgspec.to_builtins(state) | {"lost_total": state.lost_total}
            status["quarantined"] = [
                {"id": result_id, "reason": reason} for result_id, reason, _ in spool.quarantined()
            ]
            outcome = spool.recall(OUTCOME_KEY, ShipOutcome)
            receipt = spool.recall(chain.CHAIN_KEY, chain.LastReceipt)
            mismatch = spool.recall(chain.MISMATCH_KEY, chain.Mismatch)
    except NoSpool:
        return
    except SpoolError as error:
        problems.append(_problem(error.text))
        return
    problems += [_problem(_DAMAGED, folder=config.state_dir, name=name) for name in state.damaged_files]
    status["chain"] = msgspec.to_builtins(receipt)
    status["chain_mismatch"] = msgspec.to_builtins(mismatch)
    if mismatch is not None and time.time() - mismatch.at.timestamp() < chain.SHOWN_DAYS * 86_400:
        problems.append(_mismatch_problem(mismatch, config.timezone))
    if outcome is None:
        return
    status["ship"] = msgspec.to_builtins(outcome)
    if outcome.failures_in_a_row:
        problems.append(_ship_problem(outcome))


def _mismatch_problem(mismatch: chain.Mismatch, zone: ZoneInfo) -> dict[str, str]:
    return _problem(
        _MISMATCH,
        day=mismatch.at.astimezone(zone).date(),
        url=mismatch.url,
        known=mismatch.known.sequence,
        head=mismatch.known.head[:16],
        received=mismatch.received.sequence,
    )


def _ship_problem(outcome: ShipOutcome) -> dict[str, str]:
    reason = _REASONS.get(outcome.reason or "", _UNKNOWN)
    if outcome.failure and not outcome.reason:
        reason = FAILURE_WORDS[outcome.failure.kind]
    detail = outcome.detail
    return _problem(message("not shipped: {reason} ({detail})", reason=reason, detail=detail))


_DAMAGED = message(
    "{folder}: the spool was damaged once and set aside as {name}; what could be read was saved;"
    " keep or remove the file"
)
_MISMATCH = message(
    "{day}: the collector {url} does not have the results it gave a receipt for: the receipt was for"
    " {known} results ({head}…), then its chain had {received}; tell the bureau (there:"
    " campus-collector verify)"
)
_UNKNOWN = message("unknown reason")
_REASONS = {
    "token_refused": message("the collector refuses our token"),
    "not_understood": message("the collector does not understand this agent"),
    "overloaded": message("the collector is busy"),
    "server_error": message("the collector has an error"),
    "bad_receipt": message("the collector's receipt does not add up"),
    "redirected": message("the address redirects elsewhere; put the final address into [collector] url"),
    "clock_wrong": message(
        "this gateway's clock is wrong, so the collector's certificate cannot be checked; set the clock"
        " (timedatectl set-ntp true, or date -s '2026-01-31 08:00') and replace the clock battery"
    ),
    "spool_failed": message("the spool could not be read or written"),
}


def in_words(status: dict[str, Any], language: Language) -> str:
    state = message("running") if status["running"] else message("not running")
    lines = [message("School {school}: {state}").in_(language, school=status["school"], state=state)]
    spool = status["spool"]
    if spool:
        text = message(
            "Waiting to be sent: {pending_results}; sent: {acknowledged_total}; lost: {lost_total}; refused:"
            " {quarantined_total}"
        )
        lines.append(text.in_(language, **spool))
        lines += [f"  {count} × {reason}" for reason, count in spool["quarantine_reasons"]]
    agent = status["agent"]
    if agent:
        for name, last in sorted(agent["last"].items()):
            at = datetime.fromisoformat(last["started_at"]).astimezone(ZoneInfo(status["timezone"]))
            lines.append(f"  {name:<28} {at:%Y-%m-%d %H:%M:%S}  {_last_words(last, language)}")
        for what in agent["running"].values():
            lines.append(message("  now measuring: {what}").in_(language, what=what))
    lines += [f"! {problem[language]}" for problem in status["problems"]]
    return "\n".join(lines)


def _last_words(last: dict[str, Any], language: Language) -> str:
    if last.get("skipped"):
        return SKIP_WORDS[SkipReason(last["skipped"])].in_(language)
    if last.get("failure"):
        return FAILURE_WORDS[msgspec.convert(last["failure"], Failure).kind].in_(language)
    if last["validity"] != Validity.OK:
        return f"{VALIDITY_WORDS[Validity(last['validity'])].in_(language)} {last.get('detail', '')}".strip()
    return RESULT_WORDS[Verdict(last["verdict"])].in_(language) if last.get("verdict") else "✓"


def _problem(text: Message, **values: object) -> dict[str, str]:
    return {"en": text.in_("en", **values), "zh": text.in_("zh", **values)}


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
