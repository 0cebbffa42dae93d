"""The header of test packets: bytes and values, strangers' packets."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.burst.protocol.datagram import HEADER_BYTES, MAX_HELD_NS, Datagram, Kind, pack, renew, unpack

TOKEN = bytes(range(16))
SAMPLE = Datagram(Kind.LOAD, TOKEN, 3, 42, 123_456_789_012, 98_765, 4_000, 10**12, 10**9)


def test_the_layout_is_the_documented_one() -> None:
    packed = pack(SAMPLE)
    assert HEADER_BYTES == len(packed) == 64
    assert packed[:4] == b"CM\x01\x03"
    assert packed[4:20] == TOKEN
    assert [int.from_bytes(packed[a:b], "big") for a, b in [(20, 24), (24, 28), (28, 36), (36, 44), (44, 48)]] == [
        3,
        42,
        123_456_789_012,
        98_765,
        4_000,
    ]
    assert [int.from_bytes(packed[a:b], "big") for a, b in [(48, 56), (56, 64)]] == [10**12, 10**9]


_U32, _U64 = st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1)


@given(st.tuples(st.sampled_from(Kind), st.binary(min_size=16, max_size=16), _U32, _U32, _U64, _U64, _U32, _U64, _U64))
def test_round_trip(values) -> None:
    datagram = Datagram(*values)
    assert unpack(pack(datagram, 1472), 1472) == datagram


def test_renewing_changes_only_what_differs() -> None:
    buffer = bytearray(pack(SAMPLE, 1472))
    renew(buffer, Kind.LOAD_PROBE, 43, 5, 6, MAX_HELD_NS + 99, 8, 9)
    assert unpack(buffer, 1472) == Datagram(Kind.LOAD_PROBE, TOKEN, 3, 43, 5, 6, MAX_HELD_NS, 8, 9)


@pytest.mark.parametrize(
    "stranger",
    [
        b"",
        b"CM",
        pack(SAMPLE)[:-1],
        b"XX" + pack(SAMPLE)[2:],
        b"CM\x02" + pack(SAMPLE)[3:],
        b"CM\x01\x00" + pack(SAMPLE)[4:],
        b"CM\x01\x05" + pack(SAMPLE)[4:],
    ],
    ids=["empty", "short", "one octet short", "magic", "version", "kind 0", "kind 5"],
)
def test_what_is_not_ours_is_nothing(stranger: bytes) -> None:
    assert unpack(stranger, len(stranger)) is None


@given(st.binary(max_size=200))
def test_no_bytes_make_it_fail(data: bytes) -> None:
    unpack(data, len(data))
