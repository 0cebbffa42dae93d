"""Bytes of STAMP packets: vectors worked out by hand from RFC 8762 section 4 (no other implementation is in the registries), and what always holds."""

import hashlib
import hmac

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from campus_agent.measure.stream.packets import (
    AUTHENTICATED_BYTES,
    OPEN_BYTES,
    SenderPacket,
    error_estimate,
    from_timestamp,
    pack_sender,
    padded_bytes,
    reflect,
    reflected_tlvs,
    to_timestamp,
    unpack_reflected,
    unpack_sender,
)

KEY = b"a key of the county"
NS = 10**9
AT = 0xEEADA64B - 2_208_988_800  # NTP counts from 1900, 2 208 988 800 s before 1970 (RFC 868)
SENDER = SenderPacket(0x01020304, 0xEEADA64B_80000000, 0x0A29, 0xBEEF)
OPEN_SENDER = bytes.fromhex("01020304eeada64b800000000a29beef") + bytes(28)
AUTHENTICATED_SENDER = bytes.fromhex("01020304" + "00" * 12 + "eeada64b800000000a29beef") + bytes(68)
OPEN_REFLECTED = bytes.fromhex(
    "00000007eeada64b800100000a29beefeeada64b8000800001020304eeada64b800000000a29000040000000"
)
AUTHENTICATED_REFLECTED = bytes.fromhex(
    "00000007" + "00" * 12 + "eeada64b80010000" "0a29" "beef" "00000000" "eeada64b80008000" + "00" * 8 + "01020304"
    + "00" * 12 + "eeada64b80000000" "0a29" + "00" * 6 + "40" + "00" * 15
)  # fmt: skip
REFLECT = {"sequence": 7, "received": 0xEEADA64B_80008000, "sent": 0xEEADA64B_80010000, "error": 0x0A29, "ttl": 64}


def tag(head: bytes) -> bytes:
    return hmac.new(KEY, head, hashlib.sha256).digest()[:16]


def test_a_sender_s_packet_is_as_the_rfc_draws_it() -> None:
    assert pack_sender(SENDER, None) == OPEN_SENDER
    assert len(OPEN_SENDER) == OPEN_BYTES
    packet = pack_sender(SENDER, KEY)
    assert packet == AUTHENTICATED_SENDER + tag(AUTHENTICATED_SENDER)
    assert len(packet) == AUTHENTICATED_BYTES
    assert unpack_sender(OPEN_SENDER, None) == SENDER
    assert unpack_sender(packet, KEY) == SENDER


def test_a_reflector_s_packet_is_as_the_rfc_draws_it() -> None:
    assert reflect(OPEN_SENDER, SENDER, None, **REFLECT) == OPEN_REFLECTED
    assert len(OPEN_REFLECTED) == OPEN_BYTES
    packet = reflect(pack_sender(SENDER, KEY), SENDER, KEY, **REFLECT)
    assert packet == AUTHENTICATED_REFLECTED + tag(AUTHENTICATED_REFLECTED)
    assert len(packet) == AUTHENTICATED_BYTES
    for answer, key in ((OPEN_REFLECTED, None), (packet, KEY)):
        reflected = unpack_reflected(answer, key)
        assert reflected is not None
        assert (reflected.sequence, reflected.sender_sequence, reflected.session) == (7, 0x01020304, 0xBEEF)
        assert reflected.sender_timestamp == SENDER.timestamp
        assert reflected.received_ns - (AT * NS + NS // 2) == round(0x8000 / 2**32 * NS)
        assert reflected.sent_ns - (AT * NS + NS // 2) == round(0x10000 / 2**32 * NS)
        assert reflected.sender_ttl == 64


def test_padding_is_a_tlv_that_comes_back_recognized() -> None:
    """RFC 8972: flags U=1 from the sender, type 1, length; the reflector clears U."""
    packet = pack_sender(SENDER, None, 100)
    assert packet == OPEN_SENDER + bytes.fromhex("80010034") + bytes(52)
    assert reflect(packet, SENDER, None, **REFLECT) == OPEN_REFLECTED + bytes.fromhex("00010034") + bytes(52)


@pytest.mark.parametrize(
    ("came", "goes"),
    [
        ("800200040102030480010000", "800200040102030400010000"),
        ("00020000", "80020000"),
        ("8001000501020304", "c001000501020304"),
        ("800100008003", "00010000c003"),
        ("00", "40"),
        ("", ""),
    ],
    ids=["unknown type", "unknown, flag not set", "too long", "cut off", "one octet", "none"],
)
def test_tlvs_go_back_with_their_flags_set(came: str, goes: str) -> None:
    assert reflected_tlvs(bytes.fromhex(came)) == bytes.fromhex(goes)


def test_a_twamp_light_sender_gets_its_41_octets() -> None:
    question = OPEN_SENDER[:14] + b"\x5a" * 27
    sender = unpack_sender(question, None)
    assert sender is not None
    answer = reflect(question, sender, None, **REFLECT)
    assert len(answer) == 41
    assert unpack_reflected(answer, None) is not None
    assert unpack_sender(question[:40], None) is None


def test_timestamps_in_both_formats() -> None:
    assert to_timestamp(AT * NS + NS // 2) == SENDER.timestamp
    assert to_timestamp(AT * NS + 5, ptp=True) == AT << 32 | 5
    assert from_timestamp(AT << 32 | 5, error_estimate(0.001, ptp=True)) == AT * NS + 5
    after_2036 = 2_200_000_000 * NS
    assert from_timestamp(to_timestamp(after_2036), 0) == after_2036


def test_an_error_estimate_is_never_smaller_than_the_error_and_never_zero() -> None:
    """RFC 4656 section 4.1.2: multiplier x 2^-32 x 2^scale seconds; a multiplier of 0 is not allowed."""
    assert error_estimate(2**-32) == 0x0001
    assert error_estimate(0) == 0x0001
    assert error_estimate(255 * 2**-32, synchronized=True) == 0x80FF
    assert error_estimate(2**-24 + 2**-32, ptp=True) == 0x4181
    assert error_estimate(1e30) == 0x3FFF


@given(st.floats(0, 1e6))
def test_every_error_has_an_estimate(seconds: float) -> None:
    estimate = error_estimate(seconds)
    assert estimate & 0xFF
    assert estimate & 0xC000 == 0
    value = (estimate & 0xFF) * 2.0 ** ((estimate >> 8 & 63) - 32)
    assert seconds <= value <= max(seconds * 1.02, 2**-32)


@given(st.integers(0, 4_233_462_144 * NS - 1), st.booleans())  # to 2104: RFC 4330 section 3
def test_a_time_comes_back(ns: int, ptp: bool) -> None:
    error = error_estimate(0.001, ptp=ptp)
    assert abs(from_timestamp(to_timestamp(ns, ptp=ptp), error) - ns) <= 1


SENDERS = st.builds(
    SenderPacket, st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 2**16 - 1), st.integers(0, 65535)
)


@given(SENDERS, st.sampled_from([None, KEY]), st.integers(0, 300))
@settings(deadline=None)
def test_any_packet_comes_back_with_the_same_length(sender: SenderPacket, key: bytes | None, size: int) -> None:
    packet = pack_sender(sender, key, size)
    assert len(packet) == padded_bytes(size, authenticated=key is not None)
    assert unpack_sender(packet, key) == sender
    answer = reflect(packet, sender, key, **REFLECT)
    assert len(answer) == len(packet)
    reflected = unpack_reflected(answer, key)
    assert reflected is not None
    assert (reflected.sender_sequence, reflected.session) == (sender.sequence, sender.session)


@given(st.binary(max_size=300), st.sampled_from([None, KEY]))
@settings(deadline=None)
def test_any_bytes_are_read_or_refused(noise: bytes, key: bytes | None) -> None:
    sender = unpack_sender(noise, key)
    unpack_reflected(noise, key)
    if sender is not None:
        assert len(reflect(noise, sender, key, **REFLECT)) == len(noise)
    assert len(reflected_tlvs(noise)) == len(noise)


@given(SENDERS, st.integers(0, AUTHENTICATED_BYTES - 1), st.integers(1, 255))
@settings(deadline=None)
def test_a_changed_octet_is_seen(sender: SenderPacket, at: int, change: int) -> None:
    packet = bytearray(pack_sender(sender, KEY))
    packet[at] ^= change
    assert unpack_sender(bytes(packet), KEY) is None
    assert unpack_sender(pack_sender(sender, b"another key"), KEY) is None
