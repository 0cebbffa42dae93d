"""The bytes that are sent for a spooled result: as they are, or with the true start where the clock was wrong when it was measured."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from campus_agent.clock.clock import (
    NOTICEABLE_SECONDS,
    ClockEstimate,
    CorrectedStart,
    corrected_start,
    of_boot,
    start_without_clock,
)
from campus_agent.spool.spool import Entry
from campus_agent.spool.time_floor import TimeFloor, is_before_floor
from campus_wire.failures import Validity

_MAX_DETAIL = 300


class _Label(msgspec.Struct):
    started_at: datetime
    validity: str
    clock_offset_seconds: float | None = None
    detail: str = ""


_label_of = msgspec.json.Decoder(_Label).decode


class ClockKnowledge(msgspec.Struct, frozen=True):
    """What is known of time at the moment of sending: an estimate for each boot that learnt one, this boot's own, and the floors of boots
    whose clock was behind.
    """

    estimates: tuple[ClockEstimate, ...] = ()
    here: ClockEstimate | None = None
    now: datetime | None = None
    behind: tuple[TimeFloor, ...] = ()


def corrected(entry: Entry, known: ClockKnowledge, last_monotonic_seconds: Callable[[str], float | None]) -> bytes:
    """The bytes to send. Fields that this version does not have stay; what cannot be read is sent as it is: the collector judges it."""
    try:
        label = _label_of(entry.body)
        if label.started_at.tzinfo is None:
            return entry.body
        truth = _truth(label, entry, known, last_monotonic_seconds)
        return _relabelled(entry.body, label, truth)
    except (msgspec.MsgspecError, UnicodeDecodeError, OverflowError, OSError, ValueError, TypeError, LookupError):
        return entry.body


def _truth(
    label: _Label, entry: Entry, known: ClockKnowledge, last_monotonic_seconds: Callable[[str], float | None]
) -> CorrectedStart:
    estimate = of_boot(known.estimates, entry.boot_id)
    truth = corrected_start(label.started_at, label.clock_offset_seconds, entry.monotonic_seconds, estimate)
    if estimate is not None or known.here is None or known.now is None:
        return truth
    late = label.started_at > known.now + timedelta(seconds=NOTICEABLE_SECONDS + known.here.error_seconds)
    early = is_before_floor(known.behind, entry.boot_id, entry.monotonic_seconds, label.started_at)
    if truth.trusted and not late and not early:
        return truth
    last = last_monotonic_seconds(entry.boot_id)
    boot_began = datetime.fromtimestamp(known.here.epoch_at_boot, UTC)
    return start_without_clock(
        label.started_at, entry.monotonic_seconds, entry.monotonic_seconds if last is None else last, boot_began
    )


def _relabelled(body: bytes, label: _Label, truth: CorrectedStart) -> bytes:
    if truth.trusted and truth.started_at == label.started_at:
        return body
    fields = msgspec.json.decode(body)
    fields["started_at"] = truth.started_at
    _shift_moments(fields, truth.started_at - label.started_at)
    fields["clock_offset_seconds"] = truth.clock_offset_seconds
    if not truth.trusted:
        if label.validity not in (Validity.OK, Validity.CLOCK_UNTRUSTED):
            fields["detail"] = f"{label.validity}; {label.detail}"[:_MAX_DETAIL]
        fields["validity"] = Validity.CLOCK_UNTRUSTED
    return msgspec.json.encode(fields)


def _shift_moments(fields: dict[str, Any], by: timedelta) -> None:
    """The moments within the record of a lesson stream or an interruption, which are of the same clock; minutes stay whole minutes."""
    record, kind = fields.get("record"), fields.get("kind")
    if not isinstance(record, dict) or kind not in ("lesson_stream", "interruption"):
        return
    for row in record.get("minutes", []):
        row[0] = datetime.fromisoformat(row[0]) + timedelta(minutes=round(by.total_seconds() / 60))
    for interruption in [record] if kind == "interruption" else record.get("interruptions", []):
        for name in ("began_at", "ended_at"):
            if interruption.get(name) is not None:
                interruption[name] = datetime.fromisoformat(interruption[name]) + by
