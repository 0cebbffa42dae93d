"""Results as they were stored, read again. What an earlier version accepted is read as far as it makes sense, and never stops a reader."""

import logging
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from campus_collector.store.packing import unpack
from campus_wire.codec import WireError, decode_result
from campus_wire.records import AnyResult, DirectionRecord, ThroughputRecord, ThroughputResult

log = logging.getLogger(__name__)


@lru_cache(maxsize=4096)
def decode_packed(packed: bytes) -> AnyResult | None:
    """A packed result, as `decode_stored`; raises DamagedResult.

    The newest are remembered: judge, /metrics and pages read them shortly after one another.
    """
    return decode_stored(unpack(packed))


def decode_stored(raw: bytes) -> AnyResult | None:
    """A stored result. Times without a zone are taken as UTC; None, with a line in the log, for what today's contract cannot read at all."""
    try:
        return decode_result(raw)
    except WireError:
        pass
    try:
        return decode_result(msgspec.json.encode(_with_zones(msgspec.json.decode(raw))))
    except (WireError, msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        log.warning("a stored result is not read", extra={"error": str(error)[:200], "begins": ascii(raw[:80])})
        return None


class _DirectionWithoutSlices(DirectionRecord, frozen=True, omit_defaults=True):
    intervals: msgspec.Raw = msgspec.Raw(b"[]")  # type: ignore[assignment]


class _RecordWithoutSlices(ThroughputRecord, frozen=True, omit_defaults=True):
    down: _DirectionWithoutSlices | None = None
    up: _DirectionWithoutSlices | None = None


class _TestWithoutSlices(ThroughputResult, frozen=True, kw_only=True, tag="throughput"):
    record: _RecordWithoutSlices | None = None


_test_decoder = msgspec.json.Decoder(_TestWithoutSlices)


def decode_test(raw: bytes) -> ThroughputResult | None:
    """A stored throughput result whose `intervals` are not read, which takes less than half the time; nothing may look at them."""
    try:
        return _test_decoder.decode(raw)
    except (msgspec.MsgspecError, RecursionError, UnicodeError):
        result = decode_stored(raw)
        return result if isinstance(result, ThroughputResult) else None


def _with_zones(value: Any) -> Any:
    """Every text under a key that names a moment (`..._at`) gets a zone, where it is a time without one."""
    if isinstance(value, list):
        return [_with_zones(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: _zoned(item) if isinstance(item, str) and key.endswith("_at") else _with_zones(item)
        for key, item in value.items()
    }


def _zoned(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return text if moment.tzinfo is not None else moment.replace(tzinfo=UTC).isoformat()
