"""What the lesson stream costs on the wire, and what old and new ends make of each other's minutes."""

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from campus_wire.codec import compress, decode_result, encode_envelope, encode_result
from campus_wire.failures import Validity
from campus_wire.records import Envelope, HostRecord, HostResult, LessonMinute, LessonStreamRecord, LessonStreamResult
from tests.dictionaries.samples import interruption, lesson_minute, result_id

BEGIN = datetime(2026, 9, 1, tzinfo=UTC)
BOOT = "0f9a3c5e-1111-4222-8333-944444444444"
MAX_BYTES_OF_A_SCHOOL_DAY = 30_000
FIVE_MINUTES = timedelta(minutes=5)


def common(at: datetime, random: Random) -> dict[str, Any]:
    return {
        "id": result_id(at, random),
        "started_at": at + timedelta(microseconds=random.randrange(20_000)),
        "boot_id": BOOT,
        "monotonic_seconds": round((at - BEGIN).total_seconds() + random.random(), 6),
        "duration_seconds": 300.0,
        "validity": Validity.OK,
        "school": "s001",
    }


def batch_bytes(at: datetime, *results: LessonStreamResult | HostResult) -> int:
    raws = [msgspec.Raw(encode_result(result)) for result in results]
    envelope = Envelope(schema_version=1, agent_id="s001", boot_id=BOOT, sent_at=at, results=raws)
    return len(compress(encode_envelope(envelope)))


def test_a_school_day_takes_few_bytes() -> None:
    """08:00 to 17:00 in the batches that are sent each five minutes anyway, every seventh minute lossy, one record in ten with an interruption."""
    random, total = Random(20), 0
    for number in range(9 * 12):
        at = BEGIN + number * FIVE_MINUTES
        minutes = [lesson_minute(random, at + timedelta(minutes=index), 0.0123) for index in range(5)]
        broken = [interruption(random, at)] if random.random() < 0.1 else []
        record = LessonStreamRecord("measure.edu.example.cn", 20, 100, True, minutes, broken)
        stream = LessonStreamResult(subject="uplink", record=record, **common(at, random))
        host = HostResult(
            subject="gateway",
            record=HostRecord(random.random(), 2, 0.5, 2**31, 2**30, 2**34, 2**33, 86400.0, 30_000_000),
            **common(at, random),
        )
        total += batch_bytes(at, host, stream) - batch_bytes(at, host)
    assert 10_000 < total < MAX_BYTES_OF_A_SCHOOL_DAY


def test_a_minute_may_grow_at_its_end() -> None:
    """An older end reads a newer minute and leaves out what it does not know; a newer one takes defaults for what is not there."""
    minute = LessonMinute(BEGIN, 1200)
    longer = [*msgspec.json.decode(msgspec.json.encode(minute)), "of a later version"]
    assert msgspec.json.decode(msgspec.json.encode(longer), type=LessonMinute) == minute
    assert msgspec.json.decode(msgspec.json.encode(longer[:2]), type=LessonMinute) == minute


def test_a_result_without_minutes_is_read() -> None:
    result = LessonStreamResult(
        subject="uplink", record=LessonStreamRecord("h", 20, 100, False), **common(BEGIN, Random(1))
    )
    assert decode_result(encode_result(result)) == result
