"""What the agent makes is within the bounds of the wire: cut where it is too long, a failed result where nothing can be done."""

from pathlib import Path

import pytest

from campus_agent.spool.spool import open_spool
from campus_agent.spool.wire_bounds import encode_within_bounds
from campus_wire.codec import decode_result
from campus_wire.failures import Failure, FailureKind, Operation, Validity
from campus_wire.records import AnyResult, DeviceRecord, DeviceResult, PortRecord, PortResult
from tests.agent.spool.things import AT, result

LABEL = {
    "id": "x",
    "subject": "rec-1",
    "started_at": AT,
    "boot_id": "boot",
    "monotonic_seconds": 1.0,
    "duration_seconds": 1.0,
    "validity": Validity.OK,
}


def device(**changes: object) -> DeviceResult:
    values = {"room": "r1", "profile": "web-http", "up": True} | changes
    return DeviceResult(**LABEL, record=DeviceRecord(**values))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "shown"),
    [
        (device(words={"codec": "H" * 500}), {"codec": "H" * 120}),
        (device(words={"codec": "编" * 500}), {"codec": "编" * 120}),
        (device(words={"codec": "a\ud800b", "Not a name": "x"}), {"codec": "a?b"}),
        (device(words={f"w{n}": "x" for n in range(40)}), {f"w{n}": "x" for n in range(32)}),
    ],
)
def test_what_is_too_long_is_cut(made: DeviceResult, shown: dict[str, str]) -> None:
    sound = decode_result(encode_within_bounds(made))
    assert isinstance(sound, DeviceResult)
    assert sound.record is not None
    assert (sound.validity, sound.record.up, sound.record.words) == (Validity.OK, True, shown)


@pytest.mark.parametrize(
    "made",
    [
        device(readings={"temperature": 1e30}),
        device(readings={"temperature": float("nan")}),
        device(room="Not an id"),
        PortResult(**LABEL, record=PortRecord("sw", "1", "lldp", True, received_bytes=-1)),  # type: ignore[arg-type]
    ],
)
def test_what_cannot_be_mended_is_a_failed_result(made: AnyResult, caplog: pytest.LogCaptureFixture) -> None:
    sound = decode_result(encode_within_bounds(made))
    assert sound.failure is not None
    assert (sound.validity, sound.failure.kind) == (Validity.NOT_MEASURED, FailureKind.UNKNOWN)
    assert "could not be made sound" in caplog.text


def test_sound_ones_stay_as_they_are(tmp_path: Path) -> None:
    made = device(failed={"uptime": Failure(Operation.READ, FailureKind.TIMEOUT, "x")}, remarks=["hot 90"])
    assert decode_result(encode_within_bounds(made)) == made
    with open_spool(tmp_path) as spool:
        spool.put(result(1, detail="d" * 900))
        (entry,) = spool.peek()
    assert decode_result(entry.body).detail == "d" * 300
