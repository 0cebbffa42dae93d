"""What version 1 looks like, octet for octet. `CAMPUS_REWRITE_GOLDEN=1 pytest tests/wire` after a field was added."""

import os
from pathlib import Path

import msgspec

from campus_wire.codec import decode_envelope, decode_result, encode_envelope
from campus_wire.records import kind_of, outcome_of
from tests.wire.samples import ENVELOPE, RESULTS

GOLDEN = Path(__file__).parent / "golden" / "envelope-1.json"


def test_version_1_is_still_written_the_same() -> None:
    written = msgspec.json.format(encode_envelope(ENVELOPE), indent=1) + b"\n"
    if os.environ.get("CAMPUS_REWRITE_GOLDEN"):
        GOLDEN.write_bytes(written)
    assert written.decode() == GOLDEN.read_text()


def test_version_1_is_still_read() -> None:
    envelope = decode_envelope(GOLDEN.read_bytes())
    assert [decode_result(raw) for raw in envelope.results] == RESULTS
    assert envelope.announcement == ENVELOPE.announcement
    assert envelope.agent == ENVELOPE.agent


def test_each_sample_is_counted_in_one_heap() -> None:
    counted = [(kind_of(result), outcome_of(result)) for result in RESULTS]
    assert counted == [
        ("throughput", "ok"),
        ("throughput", "failed"),
        ("throughput", "skipped"),
        ("latency", "ok"),
        ("host", "ok"),
        ("service", "ok"),
        ("service", "failed"),
        ("throughput", "ok"),
        ("lesson_stream", "ok"),
        ("interruption", "ok"),
    ]
