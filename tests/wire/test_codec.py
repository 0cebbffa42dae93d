"""Round trips, unknown fields, and input from somebody who means harm: one clear error, never a traceback of another kind."""

import gc
import json
from datetime import datetime, timedelta, timezone
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_wire import codec
from campus_wire.bandwidth import Verdict, verdict_of
from campus_wire.codec import (
    WireError,
    compress,
    decode_envelope,
    decode_result,
    decompress,
    encode_envelope,
    encode_result,
)
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason, Validity
from campus_wire.records import LatencyProbeRecord, LatencyRecord, LatencyResult
from tests.wire.samples import COMMON, ENVELOPE, RESULTS, throughput

seconds = st.floats(0, 1e9, allow_nan=False) | st.integers(0, 10**9).map(float)
latencies = st.builds(
    LatencyRecord,
    method=st.sampled_from(["icmp", "udp", "tcp", "tcp_info"]),
    packets_sent=st.integers(0, 1000),
    packets_received=st.integers(0, 1000),
    rtt_median_seconds=st.none() | seconds,
    loss_ratio=st.none() | st.floats(0, 1),
)
# Fixed offsets, as RFC 3339 has them: a named zone's repeated hour has no order with other zones.
offsets = st.integers(-1439, 1439).map(lambda minutes: timezone(timedelta(minutes=minutes)))
results = st.builds(
    LatencyResult,
    id=st.uuids().map(str),
    subject=st.from_regex(r"[a-z0-9][a-z0-9_-]{0,63}", fullmatch=True),
    started_at=st.datetimes(datetime(1971, 1, 1), datetime(2200, 1, 1), timezones=offsets),
    boot_id=st.text(max_size=64),
    monotonic_seconds=seconds,
    duration_seconds=seconds,
    validity=st.sampled_from(Validity),
    detail=st.text(max_size=300),
    failure=st.none()
    | st.builds(Failure, st.sampled_from(Operation), st.sampled_from(FailureKind), st.text(max_size=50)),
    skipped=st.none() | st.sampled_from(SkipReason),
    record=st.none() | st.builds(LatencyProbeRecord, segment=st.sampled_from(["classroom", "uplink"]), idle=latencies),
)


@given(results)
def test_every_result_comes_back_as_it_went(result: LatencyResult) -> None:
    assert decode_result(encode_result(result)) == result


@given(st.lists(results, max_size=5))
def test_a_batch_keeps_the_octets_of_each_result(batch: list[LatencyResult]) -> None:
    raws = [msgspec.Raw(encode_result(result)) for result in batch]
    body = encode_envelope(msgspec.structs.replace(ENVELOPE, results=raws))
    assert [bytes(raw) for raw in decode_envelope(decompress(compress(body))).results] == [bytes(raw) for raw in raws]


@given(st.dictionaries(st.text(min_size=1, max_size=20).map(lambda t: "x_" + t), st.integers() | st.text(), max_size=5))
def test_unknown_fields_survive_the_collector_and_do_not_disturb_this_version(unknown: dict[str, Any]) -> None:
    plain = json.loads(encode_result(RESULTS[0]))
    newer = json.dumps(plain | unknown).encode()
    envelope = json.loads(encode_envelope(ENVELOPE))
    envelope |= {"x_new": 1, "results": [json.loads(newer)]}
    raw = decode_envelope(json.dumps(envelope).encode()).results[0]
    assert json.loads(bytes(raw)) == plain | unknown
    assert decode_result(raw) == RESULTS[0]


@given(st.binary(max_size=400))
def test_noise_is_one_clear_error(noise: bytes) -> None:
    for read in (decode_envelope, decode_result, codec.decode_receipt, decompress):
        try:
            read(noise)
        except WireError as error:
            assert str(error)


@given(st.data())
def test_a_broken_batch_is_one_clear_error(data: st.DataObject) -> None:
    body = bytearray(encode_envelope(ENVELOPE))
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(body) - 1))
        body[place] = data.draw(st.integers(0, 255))
    try:
        for raw in decode_envelope(bytes(body)).results:
            decode_result(raw)
    except WireError as error:
        assert str(error)


def changed(**fields: Any) -> bytes:
    return json.dumps(json.loads(encode_result(throughput())) | fields).encode()


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "Input data was truncated"),
        (b"[]", "Expected `object`, got `array`"),
        (b'{"kind":', "Input data was truncated"),
        (changed(kind="weather"), "Invalid value 'weather' - at `$.kind`"),
        (changed(subject="C 101"), "Expected `str` matching regex '^[a-z0-9][a-z0-9_-]{0,63}\\\\Z' - at `$.subject`"),
        (changed(subject="x" * 65), "Expected `str` matching regex '^[a-z0-9][a-z0-9_-]{0,63}\\\\Z' - at `$.subject`"),
        (changed(validity=1), "Expected `str`, got `int` - at `$.validity`"),
        (changed(started_at="yesterday"), "Invalid RFC3339 encoded datetime - at `$.started_at`"),
        (
            changed(started_at="2026-11-23T01:02:03"),
            "Expected `datetime` with a timezone component - at `$.started_at`",
        ),
        (changed(duration_seconds=-1), "Expected `float` >= 0.0 - at `$.duration_seconds`"),
        (changed(duration_seconds="1"), "Expected `float`, got `str` - at `$.duration_seconds`"),
        (changed(detail="x" * 301), "Expected `str` of length <= 300 - at `$.detail`"),
        (changed(failure={"operation": "connect"}), "Object missing required field `kind` - at `$.failure`"),
        (
            changed(record={**json.loads(encode_result(throughput()))["record"], "encapsulation": {"mtu_bytes": 40}}),
            "mtu_bytes must be 576 to 65535, not 40 - at `$.record.encapsulation`",
        ),
        (b'{"kind":"throughput","x":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "nested too deeply"),
        (b'{"kind":"throughput","id":"\xff\xff\xff\xff\xff\xff\xff\xff"}', "text is not valid UTF-8"),
    ],
)
def test_a_bad_result_names_the_place(raw: bytes, message: str) -> None:
    with pytest.raises(WireError) as caught:
        decode_result(raw)
    assert message in str(caught.value)


def test_a_newer_word_reads_as_unknown_and_is_not_judged() -> None:
    result = decode_result(changed(validity="solar_storm", skipped="eclipse"))
    assert (result.validity, result.skipped) == (Validity.UNKNOWN, SkipReason.UNKNOWN)
    assert verdict_of(result) is Verdict.INSUFFICIENT


def test_another_schema_version_is_refused_by_name() -> None:
    body = json.dumps(json.loads(encode_envelope(ENVELOPE)) | {"schema_version": 2}).encode()
    with pytest.raises(WireError, match="schema_version 2 is not supported; this side speaks 1") as caught:
        decode_envelope(body)
    assert caught.value.code == "schema_version"


def test_too_many_results_are_refused() -> None:
    raws = [msgspec.Raw(b"{}")] * (codec.MAX_BATCH_RESULTS + 1)
    with pytest.raises(codec.TooLarge, match="more than 1000 results in one batch"):
        decode_envelope(encode_envelope(msgspec.structs.replace(ENVELOPE, results=raws)))


def test_an_oversized_body_is_refused_before_it_is_read() -> None:
    with pytest.raises(codec.TooLarge, match="is larger than 4194304 bytes"):
        decode_envelope(b" " * (codec.MAX_BODY_BYTES + 1))


def test_a_compressed_bomb_stops_at_the_limit() -> None:
    with pytest.raises(codec.TooLarge, match="grows beyond 1000 bytes when decompressed"):
        decompress(compress(b"0" * 50_000_000), limit_bytes=1000)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"not gzip", "body is not valid gzip: Error -3"),
        (compress(b"x" * 1000)[:-4], "body is not valid gzip: it ends too early"),
        (compress(b"x") + b"more", "body is not valid gzip: something follows its end"),
    ],
)
def test_broken_compression_is_named(body: bytes, message: str) -> None:
    with pytest.raises(WireError, match=message):
        decompress(body)


def test_the_common_fields_are_complete() -> None:
    assert set(COMMON) < set(json.loads(encode_result(RESULTS[0])))


def test_no_record_takes_part_in_the_search_for_cycles() -> None:
    """A collector that holds many of them would look through all, again and again."""
    for result in RESULTS:
        decoded = decode_result(encode_result(result))
        tracked = [type(each).__name__ for each in records_in(decoded) if gc.is_tracked(each)]
        assert not tracked


def records_in(value: Any) -> list[msgspec.Struct]:
    """All structs that a value consists of."""
    if isinstance(value, dict):
        return [record for each in value.values() for record in records_in(each)]
    if isinstance(value, list | tuple):
        return [record for each in value for record in records_in(each)]
    if isinstance(value, msgspec.Struct):
        return [value, *records_in(msgspec.structs.astuple(value))]
    return []
