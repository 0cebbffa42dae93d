"""Arrivals as a message and back."""

from dataclasses import replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_agent.measure.burst.observation import Arrivals, CounterSample
from campus_agent.measure.burst.protocol.control import ControlConnection
from campus_agent.measure.burst.protocol.messages import ProtocolError, Received
from campus_agent.measure.burst.protocol.report import from_message, to_message
from campus_agent.measure.burst.spec import MAX_REPORT_ROWS
from tests.agent.measure.burst.line import Line, send


@given(st.lists(st.tuples(*[st.integers(0, 2**60)] * 2, st.integers(0, 10**7)), max_size=50), st.data())
def test_round_trip(rows: list[tuple[int, int, int]], data: st.DataObject) -> None:
    samples = data.draw(st.lists(st.tuples(*[st.integers(0, 2**60)] * 3), max_size=9))
    seen = Arrivals(
        received_ns=[row[0] for row in rows],
        sent_ns=[row[1] for row in rows],
        sequence=[row[2] for row in rows],
        count=list(range(1, len(rows) + 1)),
        samples=[CounterSample(*sample) for sample in samples],
        packets=len(rows),
        overflow=3,
        overflow_ns=11,
        clock_step_ns=17,
        kernel_stamps=False,
    )
    assert from_message(to_message(1, seen)) == seen


def test_a_long_pulse_is_thinned_and_still_fits_a_frame() -> None:
    packets = 39_000
    seen = Arrivals(
        received_ns=[10**15 + 12_300 * row for row in range(packets)],
        sent_ns=[10**14 + 11_900 * row for row in range(packets)],
        sequence=list(range(packets)),
        count=list(range(1, packets + 1)),
        samples=[CounterSample(10**15 + 12_300 * row, 1514 * row, row) for row in range(7, packets, 83)],
        packets=packets,
    )
    message = to_message(1, seen)
    back = from_message(message)
    assert MAX_REPORT_ROWS / 2 < len(back.received_ns) <= MAX_REPORT_ROWS + 1
    assert (back.packets, back.count[-1], back.received_ns[-1]) == (packets, packets, seen.received_ns[-1])
    assert back.samples == seen.samples
    frame = ControlConnection("responder")
    frame.seal_with(b"k")
    assert len(frame.frame_of(message)) < 400_000


def test_departures_travel_in_the_packets_not_in_the_report() -> None:
    seen = send(Line(100e6), 115e6).arrivals
    assert from_message(to_message(1, seen)) == replace(seen, departures=[])


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"sent_ns": [1]}, "columns of a report differ in length"),
        ({"sample_bytes": []}, "sample columns of a report differ in length"),
    ],
)
def test_a_lying_report_is_refused(change: dict[str, list[int]], complaint: str) -> None:
    honest = Received(1, 2, [5, 1], [7, 0], [0, 1], [1, 1], [5], [1514], [1])
    with pytest.raises(ProtocolError, match=complaint):
        from_message(msgspec.structs.replace(honest, **change))
