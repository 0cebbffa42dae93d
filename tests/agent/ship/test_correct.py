"""The octets that are sent: untouched, or with the true start and the reason why it is not trusted."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from campus_agent.clock.clock import ClockEstimate
from campus_agent.ship.correct import ClockKnowledge, corrected
from campus_agent.spool.spool import Entry
from campus_wire.codec import decode_result, encode_result
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import (
    Interruption,
    InterruptionResult,
    LessonMinute,
    LessonStreamRecord,
    LessonStreamResult,
)
from tests.agent.spool.things import AT, BOOT, result

EPOCH = AT.timestamp()
HERE = ClockEstimate("this-boot", 50.0, EPOCH + 10_000, 0.01)
NOW = AT + timedelta(seconds=10_100)
NO_CLOCK = datetime(1970, 1, 1, 0, 5, tzinfo=UTC)


def entry(record: Any) -> Entry:
    return Entry(1, record.id, record.boot_id, record.monotonic_seconds, encode_result(record))


def send(record: Any, known: ClockKnowledge, last: float | None = None) -> Any:
    return decode_result(corrected(entry(record), known, lambda _: last))


def test_a_right_label_is_sent_octet_by_octet() -> None:
    late = entry(result(5))
    learnt = ClockKnowledge((ClockEstimate(BOOT, 100.0, EPOCH - 5.0, 0.01),))
    assert corrected(late, learnt, lambda _: None) is late.body
    assert corrected(late, ClockKnowledge(), lambda _: None) is late.body


def test_the_same_boot_is_corrected_by_monotonic_time() -> None:
    late = result(300, at=NO_CLOCK)
    sent = send(late, ClockKnowledge((ClockEstimate(BOOT, 400.0, EPOCH - 300.0, 0.01),)))
    assert sent.started_at == AT
    assert sent.clock_offset_seconds == round((AT - NO_CLOCK).total_seconds(), 3)
    assert sent.validity is Validity.OK


def test_the_moments_of_a_lesson_stream_follow_its_label() -> None:
    """Interruptions exactly, minutes as whole minutes."""
    known = ClockKnowledge((ClockEstimate(BOOT, 400.0, EPOCH - 300.0, 0.01),))
    broken = Interruption("i", NO_CLOCK, NO_CLOCK + timedelta(seconds=20), "up", "uplink", 400)
    common = {
        name: getattr(result(300, at=NO_CLOCK), name) for name in ("id", "started_at", "boot_id", "monotonic_seconds")
    }
    common |= {"subject": "uplink", "duration_seconds": 300.0, "validity": Validity.OK}
    alone = send(InterruptionResult(record=broken, **common), known)
    assert (alone.record.began_at, alone.record.ended_at) == (AT, AT + timedelta(seconds=20))
    record = LessonStreamRecord(
        "h",
        20,
        112,
        True,
        [LessonMinute(NO_CLOCK.replace(second=0), 1200)],
        [msgspec.structs.replace(broken, ended_at=None)],
    )
    stream = send(LessonStreamResult(record=record, **common), known)
    (minute,), (open_one,) = stream.record.minutes, stream.record.interruptions
    assert minute.minute.second == 0
    assert abs(minute.minute - AT) < timedelta(minutes=1)
    assert (open_one.began_at, open_one.ended_at) == (AT, None)


def test_an_earlier_boot_that_learnt_is_corrected_by_its_own_estimate() -> None:
    late = result(300, at=NO_CLOCK)
    sent = send(late, ClockKnowledge((ClockEstimate(BOOT, 400.0, EPOCH - 300.0, 0.01), HERE), HERE, NOW))
    assert (sent.started_at, sent.validity) == (AT, Validity.OK)


@pytest.mark.parametrize("at", [NO_CLOCK, datetime(2019, 5, 5, tzinfo=UTC), NOW + timedelta(days=400)])
def test_an_earlier_boot_that_never_learnt_is_kept_but_not_trusted(at: datetime) -> None:
    sent = send(result(300, at=at), ClockKnowledge((HERE,), HERE, NOW), last=340.0)
    boot_began = AT + timedelta(seconds=10_000)
    assert sent.validity is Validity.CLOCK_UNTRUSTED
    assert sent.started_at == boot_began - timedelta(seconds=40), "its last result at the latest possible moment"
    assert sent.started_at - timedelta(seconds=sent.clock_offset_seconds) == pytest.approx(at, abs=timedelta(seconds=1))


def test_an_earlier_boot_with_a_plausible_clock_is_believed() -> None:
    late = entry(result(300))
    assert corrected(late, ClockKnowledge((HERE,), HERE, NOW), lambda _: 1.0) is late.body


def test_what_was_unsound_anyway_says_so_still() -> None:
    failure = Failure(Operation.CONNECT, FailureKind.TIMEOUT)
    late = result(3, at=NO_CLOCK, validity=Validity.ENDPOINT_OFF, failure=failure, detail="no answer")
    sent = send(late, ClockKnowledge((HERE,), HERE, NOW), last=3.0)
    assert (sent.validity, sent.failure, sent.detail) == (Validity.CLOCK_UNTRUSTED, failure, "endpoint_off; no answer")


def test_before_the_time_is_known_an_impossible_label_is_not_trusted() -> None:
    sent = send(result(3, at=NO_CLOCK), ClockKnowledge())
    assert (sent.started_at, sent.validity) == (NO_CLOCK, Validity.CLOCK_UNTRUSTED)


def test_fields_of_another_version_survive_the_correction() -> None:
    body = json.dumps(json.loads(encode_result(result(300, at=NO_CLOCK))) | {"x_new": {"deep": [1.5, "字"]}}).encode()
    known = ClockKnowledge((ClockEstimate(BOOT, 400.0, EPOCH - 300.0, 0.01),))
    sent = json.loads(corrected(Entry(1, "x", BOOT, 300.0, body), known, lambda _: None))
    assert sent["x_new"] == {"deep": [1.5, "字"]}
    assert sent["started_at"] == "2026-11-23T01:02:03Z"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b"\xff\xfe", b'{"started_at":"2026-11-23T01:02:03","validity":"ok"}', b"{" * 5000],
)
def test_what_cannot_be_read_goes_as_it_is(body: bytes) -> None:
    known = ClockKnowledge((HERE,), HERE, NOW)
    assert corrected(Entry(1, "x", BOOT, 3.0, body), known, lambda _: None) == body
