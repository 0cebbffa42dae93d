"""Is this result one we can keep? Each is examined on its own; a bad one never costs its neighbours. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from campus_base.text import printable_line
from campus_collector.domain.records import Bad, Valid
from campus_collector.ingest.reasons import without_patterns
from campus_wire.codec import WireError, decode_result
from campus_wire.failures import Validity
from campus_wire.records import AgentState, Announcement, AnyResult, Quarantined, says_nothing

EARLIEST = datetime(2020, 1, 1, tzinfo=UTC)
EARLIEST_CLOCK, LATEST_CLOCK = datetime(1970, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
"""What even a clock that was never set, or set wrong, can show."""
LATEST_AHEAD = timedelta(minutes=10)
MAX_RESULT_BYTES = 256 * 1024
MAX_KEPT_BAD_BYTES = 16 * 1024
MAX_REASON_LETTERS = 500


class _Id(msgspec.Struct):
    id: str | None = None


def examine(
    raws: Sequence[msgspec.Raw], school: str, now: datetime
) -> tuple[list[Valid], list[Bad], list[Quarantined]]:
    """Part a batch into what is kept and what is kept apart, with the reason."""
    valid: list[Valid] = []
    bad: list[Bad] = []
    quarantined: list[Quarantined] = []
    for index, raw in enumerate(raws):
        octets = bytes(raw)
        try:
            result = _one(octets, school, now)
        except WireError as error:
            known, reason = _id_of(octets), without_patterns(str(error))[:MAX_REASON_LETTERS]
            bad.append(Bad(known, reason, octets[:MAX_KEPT_BAD_BYTES]))
            quarantined.append(Quarantined(known, reason, index))
        else:
            valid.append(Valid(result, octets))
    return valid, bad, quarantined


Sent = TypeVar("Sent", AgentState, Announcement)


def cleaned(sent: Sent) -> Sent:
    """What an agent says beside its results, with every name and sentence on one line and printable; results stay octet for octet."""
    if isinstance(sent, Announcement):
        return msgspec.structs.replace(
            sent,
            classrooms=[msgspec.structs.replace(room, name=printable_line(room.name)) for room in sent.classrooms],
            services=[msgspec.structs.replace(service, name=printable_line(service.name)) for service in sent.services],
        )
    return msgspec.structs.replace(
        sent,
        version=printable_line(sent.version),
        os=printable_line(sent.os),
        config_problem_en=printable_line(sent.config_problem_en),
        config_problem_zh=printable_line(sent.config_problem_zh),
    )


def _one(octets: bytes, school: str, now: datetime) -> AnyResult:
    if len(octets) > MAX_RESULT_BYTES:
        raise WireError("too_large", f"result of {len(octets)} bytes is larger than {MAX_RESULT_BYTES} bytes")
    result = decode_result(octets)
    if result.school is not None and result.school != school:
        raise WireError("another_school", f"subject of another school: {result.school}, the token is for {school}")
    if not EARLIEST_CLOCK <= result.started_at < LATEST_CLOCK:
        raise WireError("no_time", f"started_at {result.started_at.isoformat()} is no time any clock shows")
    if says_nothing(result):
        raise WireError("says_nothing", "validity is ok, but there is neither a record nor a failure")
    if result.validity is Validity.CLOCK_UNTRUSTED:
        return result
    if result.started_at > now + LATEST_AHEAD:
        raise WireError("future", f"started_at {result.started_at.isoformat()} is in the future")
    if result.started_at < EARLIEST:
        raise WireError("past", f"started_at {result.started_at.isoformat()} is before {EARLIEST.date()}")
    return result


def _id_of(octets: bytes) -> str | None:
    """The id of a result that is otherwise not understood, if it has one."""
    try:
        found = msgspec.json.decode(octets, type=_Id).id
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return found[:96] if found else None
