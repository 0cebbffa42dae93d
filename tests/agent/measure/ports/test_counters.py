"""What passed between two looks at a port: wraps, restarts, jumps; never a figure the port could not have carried."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.ports.counters import PortTraffic, traffic_between
from campus_agent.measure.ports.reading import PortReading

START = PortReading(
    name="Gi1", up=True, speed_bits_per_second=1e9, duplex="full", uptime_ticks=1_000_000, discontinuity_ticks=0,
    received_octets=1_000, sent_octets=2_000, received_packets=10, receive_errors=1, send_errors=0, fcs_errors=1,
    late_collisions=0,
)  # fmt: skip


def later(**changes: object) -> PortReading:
    return msgspec.structs.replace(START, **({"uptime_ticks": 1_030_000} | changes))


def between(**changes: object) -> PortTraffic | None:
    return traffic_between(START, later(**changes))


def test_five_minutes() -> None:
    actual = between(
        received_octets=1_000 + 3_000_000, sent_octets=2_000 + 7_500_000_000, received_packets=2_010, receive_errors=5
    )
    assert actual == PortTraffic(300.0, 3_000_000, 7_500_000_000, 2_000, 4, 0, 0, 0)
    assert actual.utilization(1e9) == pytest.approx(0.2)
    assert actual.utilization(None) is None


def test_a_64_bit_counter_wraps() -> None:
    before = msgspec.structs.replace(START, received_octets=2**64 - 500)
    actual = traffic_between(before, later(received_octets=500))
    assert actual is not None
    assert actual.received_octets == 1_000


def test_a_32_bit_counter_wraps() -> None:
    """Once in five minutes at 100 Mbit/s, seen; at a gigabit any number of times, unseen."""
    for speed, expected in ((100e6, 1_000), (1e9, None), (None, None)):
        before = msgspec.structs.replace(START, octet_bits=32, received_octets=2**32 - 500, speed_bits_per_second=speed)
        actual = traffic_between(before, later(octet_bits=32, received_octets=500, speed_bits_per_second=speed))
        assert actual is not None
        assert actual.received_octets == expected


def test_a_restart_says_nothing() -> None:
    assert between(uptime_ticks=500) is None


def test_uptime_wraps_after_497_days() -> None:
    before = msgspec.structs.replace(START, uptime_ticks=2**32 - 100)
    actual = traffic_between(before, later(uptime_ticks=29_900))
    assert actual is not None
    assert actual.seconds == 300.0


def test_a_jump_the_switch_tells_of_says_nothing() -> None:
    assert between(discontinuity_ticks=1_010_000) is None


def test_a_jump_of_four_gigabytes_that_it_does_not_tell_of() -> None:
    slow = msgspec.structs.replace(START, speed_bits_per_second=10e6)
    actual = traffic_between(slow, later(speed_bits_per_second=10e6, received_octets=1_000 + 4_000_000_000))
    assert actual is not None
    assert actual.received_octets is None, "a port of 10 Mbit/s carries 375 MB in five minutes"
    assert between(received_octets=900) == PortTraffic(300.0, None, 0, 0, 0, 0, 0, 0), "backwards without a wrap"


def test_another_port_or_no_time_says_nothing() -> None:
    assert between(name="Gi2") is None
    assert traffic_between(START, START) is None
    actual = between(octet_bits=32)
    assert actual is not None
    assert (actual.received_octets, actual.sent_octets) == (None, None)


counters = st.integers(0, 2**64 - 1)


@given(
    counters,
    counters,
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from([None, 10e6, 1e9]),
    st.sampled_from([32, 64]),
)
def test_never_absurd(before: int, after: int, start: int, end: int, speed: float | None, bits: int) -> None:
    limit = 2**bits
    first = msgspec.structs.replace(
        START, uptime_ticks=start, speed_bits_per_second=speed, octet_bits=bits, received_octets=before % limit
    )
    second = msgspec.structs.replace(first, uptime_ticks=end, received_octets=after % limit)
    actual = traffic_between(first, second)
    if actual is None:
        return
    assert actual.seconds > 0
    if actual.received_octets is not None:
        assert actual.received_octets >= 0
        if speed is not None:
            assert actual.received_octets * 8 <= 1.06 * speed * (actual.seconds + 1)
    utilization = actual.utilization(speed)
    assert utilization is None or 0 <= utilization <= 1
