"""Moments of arrival: the stamp of the kernel on the monotonic clock, also where this process is stopped between two clocks."""

import socket
import struct
import time

import pytest

from campus_agent.measure.link import timestamps

SO_TIMESTAMPNS = 35
MILLISECOND = 1_000_000


def stamp(wall_ns: int) -> timestamps.Ancillary:
    return [(socket.SOL_SOCKET, SO_TIMESTAMPNS, struct.pack("@ll", *divmod(wall_ns, 1_000_000_000)))]


def test_the_time_that_a_packet_lay_in_the_kernel_is_no_part_of_its_arrival() -> None:
    before = time.monotonic()
    arrived = timestamps.arrived_seconds(stamp(time.time_ns() - 200 * MILLISECOND))
    assert before - 0.2 - 0.001 < arrived <= time.monotonic() - 0.2 + 0.001


def test_a_process_stopped_between_the_clocks_moves_no_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read as two clocks after each other, the stop of 20 ms was taken from the round trip, which became 0."""
    clock, stops = time.time_ns, [0.02]

    def stopped_once() -> int:
        time.sleep(stops.pop() if stops else 0)
        return clock()

    monkeypatch.setattr(timestamps, "time_ns", stopped_once)
    sent = time.monotonic()
    arrived = timestamps.arrived_seconds(stamp(clock()))
    assert sent - 0.001 < arrived


@pytest.mark.parametrize("wrong_by_ms", [-3_600_000, -1500, 50, 3_600_000])
def test_a_stamp_of_another_time_is_not_used(wrong_by_ms: int) -> None:
    before = time.monotonic()
    arrived = timestamps.arrived_seconds(stamp(time.time_ns() + wrong_by_ms * MILLISECOND))
    assert before <= arrived <= time.monotonic()


def test_without_a_stamp_the_moment_of_reading_counts() -> None:
    before = time.monotonic()
    assert before <= timestamps.arrived_seconds([]) <= time.monotonic()
