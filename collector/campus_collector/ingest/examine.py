"""Examines the results of a batch, each on its own: a bad one never costs its neighbours. Pure."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

from campus_base.text import printable_line
from campus_collector.domain.results import AcceptedResult, RejectedResult
from campus_collector.ingest.reasons import rejection, without_patterns
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
) -> tuple[list[AcceptedResult], list[RejectedResult], list[Quarantined]]:
    """Results to store, results for quarantine with the reason, and the same for the receipt. Each is decoded once, here."""
    valid: list[AcceptedResult] = []
    bad: list[RejectedResult] = []
    quarantined: list[Quarantined] = []
    for index, raw in enumerate(raws):
        content = bytes(raw)
        try:
            result = _decoded(content, school, now)
        except WireError as error:
            result_id, reason = _id_of(content), without_patterns(str(error))[:MAX_REASON_LETTERS]
            bad.append(RejectedResult(result_id, reason, content[:MAX_KEPT_BAD_BYTES]))
            quarantined.append(Quarantined(result_id, reason, index))
        else:
            valid.append(AcceptedResult(result, content))
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


def _decoded(content: bytes, school: str, now: datetime) -> AnyResult:
    """Raises WireError for a result that is not accepted."""
    if len(content) > MAX_RESULT_BYTES:
        raise rejection("too_large", len(content), MAX_RESULT_BYTES)
    result = decode_result(content)
    if result.school is not None and result.school != school:
        raise rejection("another_school", result.school, school)
    started_at = result.started_at
    if not EARLIEST_CLOCK <= started_at < LATEST_CLOCK:
        raise rejection("no_time", started_at.isoformat())
    if says_nothing(result):
        raise rejection("says_nothing")
    if result.validity is Validity.CLOCK_UNTRUSTED:
        return result
    if started_at > now + LATEST_AHEAD:
        raise rejection("future", started_at.isoformat())
    if started_at < EARLIEST:
        raise rejection("past", started_at.isoformat(), EARLIEST.date())
    return result


def _id_of(content: bytes) -> str | None:
    """The id of a result that is otherwise not understood, if it has one."""
    try:
        result_id = msgspec.json.decode(content, type=_Id).id
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    return result_id[:96] if result_id else None
