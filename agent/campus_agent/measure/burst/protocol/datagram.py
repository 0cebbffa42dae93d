"""The header of every test datagram, bytes <-> values (docs/pages/en/protocol.md, section 4).

    0  magic "CM"   2  version   3  kind   4  token (16)   20  burst (4)   24  sequence (4)   28  sent_ns (8)
    36 answers_ns (8)   44 held_ns (4)   48 counter_bytes (8)   56 counter_packets (8)   64 filler

All big-endian. `sent_ns` is the sender's monotonic clock. `answers_ns` copies `sent_ns` of the probe that is answered here, 0 when
none is; `held_ns` is how long the answer waited, so that RTT = now - answers_ns - held_ns. The counters are what the sender's
interface has sent so far, 0 when it cannot tell.
"""

import struct
from enum import IntEnum
from typing import NamedTuple

from campus_agent.measure.burst.spec import PROTOCOL_VERSION, TOKEN_BYTES

MAGIC = b"CM"
_LAYOUT = struct.Struct(f">2sBB{TOKEN_BYTES}sIIQQIQQ")
_PER_PACKET = struct.Struct(">IQQIQQ")
HEADER_BYTES = _LAYOUT.size
_KIND_OFFSET = 3
_PER_PACKET_OFFSET = HEADER_BYTES - _PER_PACKET.size
_FIRST_KIND, _LAST_KIND = 1, 4  # comparing enumeration members would cost more than the rest of `unpack`
MAX_HELD_NS = 2**32 - 1


class Kind(IntEnum):
    PROBE = 1
    REPLY = 2
    LOAD = 3
    LOAD_PROBE = 4
    """A packet of the load that asks to be answered like a probe."""


class Datagram(NamedTuple):
    kind: int
    token: bytes
    burst: int
    sequence: int
    sent_ns: int
    answers_ns: int = 0
    held_ns: int = 0
    counter_bytes: int = 0
    counter_packets: int = 0


def pack_into(buffer: bytearray | memoryview, datagram: Datagram) -> None:
    """Write the header at the start of a buffer."""
    kind, token, burst, sequence, sent_ns, answers_ns, held_ns, counter_bytes, counter_packets = datagram
    held = min(held_ns, MAX_HELD_NS)
    _LAYOUT.pack_into(
        buffer,
        0,
        MAGIC,
        PROTOCOL_VERSION,
        kind,
        token,
        burst,
        sequence,
        sent_ns,
        answers_ns,
        held,
        counter_bytes,
        counter_packets,
    )


def renew(
    buffer: bytearray | memoryview,
    kind: int,
    sequence: int,
    sent_ns: int,
    answers_ns: int,
    held_ns: int,
    counter_bytes: int,
    counter_packets: int,
) -> None:
    """Rewrite what differs from packet to packet of one burst: a fifth of the cost of the whole header."""
    buffer[_KIND_OFFSET] = kind
    held = held_ns if held_ns <= MAX_HELD_NS else MAX_HELD_NS
    _PER_PACKET.pack_into(
        buffer, _PER_PACKET_OFFSET, sequence, sent_ns, answers_ns, held, counter_bytes, counter_packets
    )


def pack(datagram: Datagram, size: int = HEADER_BYTES) -> bytes:
    """A whole datagram of this size, filler zero."""
    buffer = bytearray(size)
    pack_into(buffer, datagram)
    return bytes(buffer)


def unpack(buffer: bytes | bytearray | memoryview, size: int, start: int = 0) -> Datagram | None:
    """The header of a received datagram of `size` bytes that begins at `start`; None for anything that is not one of ours."""
    if size < HEADER_BYTES or len(buffer) < start + HEADER_BYTES:
        return None
    values = _LAYOUT.unpack_from(buffer, start)
    if values[0] != MAGIC or values[1] != PROTOCOL_VERSION or not _FIRST_KIND <= values[2] <= _LAST_KIND:
        return None
    return Datagram._make(values[2:])
