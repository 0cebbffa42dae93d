"""STAMP test packets, bytes <-> values (RFC 8762 section 4; the TLVs of RFC 8972 as far as they are used: Extra Padding). Pure.

All fields are big-endian. The text of the RFC counts octets from the start of the UDP payload:

    sender, unauthenticated (44)     0 sequence (4)  4 timestamp (8)  12 error estimate (2)  14 session id (2)  16 zero (28)
    sender, authenticated (112)      0 sequence (4)  4 zero (12)  16 timestamp (8)  24 error estimate (2)  26 session id (2)  28 zero (68)  96 HMAC (16)
    reflector, unauthenticated (44)  0 sequence (4)  4 timestamp (8)  12 error estimate (2)  14 session id (2)  16 receive timestamp (8)
                                     24 sender's sequence (4)  28 sender's timestamp (8)  36 sender's error estimate (2)  38 zero (2)  40 sender's TTL (1)  41 zero (3)
    reflector, authenticated (112)   0 sequence (4)  4 zero (12)  16 timestamp (8)  24 error estimate (2)  26 session id (2)  28 zero (4)  32 receive timestamp (8)
                                     40 zero (8)  48 sender's sequence (4)  52 zero (12)  64 sender's timestamp (8)  72 sender's error estimate (2)  74 zero (6)
                                     80 sender's TTL (1)  81 zero (15)  96 HMAC (16)

The session id (SSID) is that of RFC 8972 section 3; a sender of RFC 8762 leaves it zero. The HMAC is HMAC-SHA-256 cut to 16 octets, over the 96 before
it (RFC 8762 section 4.4). A TLV (RFC 8972 section 4) is flags (1), type (1), length (2), value.
"""

import hmac
import struct
from typing import NamedTuple

OPEN_BYTES, AUTHENTICATED_BYTES = 44, 112
TWAMP_LIGHT_BYTES = 41
"""The shortest answer of a TWAMP-Light reflector: the open one without the three zeros at its end."""
HMAC_BYTES = 16
_HMAC_AT = AUTHENTICATED_BYTES - HMAC_BYTES
NTP_EPOCH_SECONDS = 2_208_988_800
"""From 1900 (NTP) to 1970 (Unix)."""
_NS = 1_000_000_000
_SYNCHRONIZED, _PTP = 0x8000, 0x4000

_OPEN_SENDER = struct.Struct("!IQHH28x")
_OPEN_REFLECTOR = struct.Struct("!IQHHQIQH2xB3x")
_AUTHENTICATED_SENDER = struct.Struct("!I12xQHH68x")
_AUTHENTICATED_REFLECTOR = struct.Struct("!I12xQHH4xQ8xI12xQH6xB15x")
_TLV = struct.Struct("!BBH")
_UNRECOGNIZED, _MALFORMED, _INTEGRITY = 0x80, 0x40, 0x20
EXTRA_PADDING = 1


class SenderPacket(NamedTuple):
    """What a Session-Sender sent: its sequence number, timestamp and error estimate as they came, and the session id."""

    sequence: int
    timestamp: int
    error_estimate: int
    session: int


class ReflectedPacket(NamedTuple):
    """What a Session-Reflector answered; its times in nanoseconds since 1970, of the reflector's clock; the sender's timestamp as it was sent."""

    sequence: int
    sent_ns: int
    received_ns: int
    session: int
    sender_sequence: int
    sender_timestamp: int
    sender_ttl: int


def error_estimate(seconds: float, *, synchronized: bool = False, ptp: bool = False) -> int:
    """S, Z, scale and multiplier (RFC 4656 section 4.1.2, with Z of RFC 8186): an error of multiplier x 2^-32 x 2^scale seconds, rounded up.

    The multiplier is never 0: that would be no estimate at all.
    """
    units = max(1, -int(-seconds * 2**32 // 1))
    scale = max(0, units.bit_length() - 8)
    multiplier = -(-units >> scale)
    if multiplier > 255:
        scale, multiplier = scale + 1, (multiplier + 1) // 2
    if scale > 63:
        scale, multiplier = 63, 255
    return (_SYNCHRONIZED if synchronized else 0) | (_PTP if ptp else 0) | scale << 8 | multiplier


def to_timestamp(ns: int, *, ptp: bool = False) -> int:
    """64 bits of an NTP timestamp (RFC 5905), or of a truncated PTPv2 one (IEEE 1588), from nanoseconds since 1970."""
    seconds, rest = divmod(ns, _NS)
    if ptp:
        return (seconds & 0xFFFFFFFF) << 32 | rest
    return (seconds + NTP_EPOCH_SECONDS & 0xFFFFFFFF) << 32 | (rest << 32) // _NS


def from_timestamp(timestamp: int, error: int) -> int:
    """Nanoseconds since 1970, by the format that the error estimate names; NTP's era from 1968 to 2104 (RFC 4330 section 3)."""
    seconds, rest = timestamp >> 32, timestamp & 0xFFFFFFFF
    if error & _PTP:
        return seconds * _NS + rest
    if seconds < 0x80000000:
        seconds += 1 << 32
    return (seconds - NTP_EPOCH_SECONDS) * _NS + (rest * _NS + (1 << 31) >> 32)


def tag_of(key: bytes, head: bytes | bytearray | memoryview) -> bytes:
    """The HMAC field for the first 96 octets of a packet."""
    return hmac.digest(key, head, "sha256")[:HMAC_BYTES]


def pack_sender(packet: SenderPacket, key: bytes | None, size: int = 0) -> bytes:
    """A Session-Sender's packet, with Extra Padding up to `size` where that is longer; authenticated with a key."""
    layout = _OPEN_SENDER if key is None else _AUTHENTICATED_SENDER
    base = layout.pack(*packet)
    if key is not None:
        base += tag_of(key, base)
    padding = size - len(base) - _TLV.size
    if padding < 0:
        return base
    return base + _TLV.pack(_UNRECOGNIZED, EXTRA_PADDING, padding) + bytes(padding)


def padded_bytes(size: int, *, authenticated: bool) -> int:
    """How long `pack_sender` makes a packet that is asked to have this size."""
    base = AUTHENTICATED_BYTES if authenticated else OPEN_BYTES
    return size if size - base >= _TLV.size else base


def unpack_sender(packet: bytes | memoryview, key: bytes | None) -> SenderPacket | None:
    """What a Session-Sender sent; None where it is too short or its HMAC is wrong."""
    if key is None:
        if len(packet) >= OPEN_BYTES:
            return SenderPacket._make(_OPEN_SENDER.unpack_from(packet))
        if len(packet) < TWAMP_LIGHT_BYTES:
            return None
        return SenderPacket._make(_OPEN_SENDER.unpack(bytes(packet).ljust(OPEN_BYTES, b"\0")))
    if len(packet) < AUTHENTICATED_BYTES:
        return None
    if not hmac.compare_digest(tag_of(key, packet[:_HMAC_AT]), packet[_HMAC_AT:AUTHENTICATED_BYTES]):
        return None
    return SenderPacket._make(_AUTHENTICATED_SENDER.unpack_from(packet))


def reflect(
    packet: bytes | memoryview,
    sender: SenderPacket,
    key: bytes | None,
    *,
    sequence: int,
    received: int,
    sent: int,
    error: int,
    ttl: int,
) -> bytes:
    """The answer, exactly as long as the question: `sequence` is the reflector's own; `received` and `sent` are timestamps of its clock.

    TLVs follow as they came, but for their flags. Extra octets of a sender that knows no TLVs (TWAMP-Light) go back changed in one octet at most.
    """
    head = (
        sequence,
        sent,
        error,
        sender.session,
        received,
        sender.sequence,
        sender.timestamp,
        sender.error_estimate,
        ttl,
    )
    if key is None:
        base = _OPEN_REFLECTOR.pack(*head)
    else:
        base = _AUTHENTICATED_REFLECTOR.pack(*head)
        base += tag_of(key, base)
    if len(packet) <= len(base):
        return base[: len(packet)]
    return base + reflected_tlvs(packet[len(base) :])


def reflected_tlvs(tlvs: bytes | memoryview) -> bytes:
    """TLVs with the flags that a Session-Reflector sets (RFC 8972 section 4): U for a type it does not know, M from a wrong length on."""
    answer = bytearray(tlvs)
    at = 0
    while at < len(answer):
        if len(answer) - at < _TLV.size:
            answer[at] |= _MALFORMED
            break
        flags, kind, length = _TLV.unpack_from(answer, at)
        if at + _TLV.size + length > len(answer):
            answer[at] |= _MALFORMED
            break
        answer[at] = flags & ~_UNRECOGNIZED if kind == EXTRA_PADDING else flags | _UNRECOGNIZED
        at += _TLV.size + length
    return bytes(answer)


def unpack_reflected(packet: bytes | memoryview, key: bytes | None) -> ReflectedPacket | None:
    """What a Session-Reflector answered; None where it is too short or its HMAC is wrong."""
    if key is None:
        if len(packet) < TWAMP_LIGHT_BYTES:
            return None
        values = _OPEN_REFLECTOR.unpack(bytes(packet[:OPEN_BYTES]).ljust(OPEN_BYTES, b"\0"))
    else:
        if len(packet) < AUTHENTICATED_BYTES:
            return None
        if not hmac.compare_digest(tag_of(key, packet[:_HMAC_AT]), packet[_HMAC_AT:AUTHENTICATED_BYTES]):
            return None
        values = _AUTHENTICATED_REFLECTOR.unpack_from(packet)
    sequence, sent, error, session, received, sender_sequence, sender_timestamp, _, ttl = values
    return ReflectedPacket(
        sequence,
        from_timestamp(sent, error),
        from_timestamp(received, error),
        session,
        sender_sequence,
        sender_timestamp,
        ttl,
    )
