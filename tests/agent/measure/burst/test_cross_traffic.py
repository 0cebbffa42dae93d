"""Whose was the other traffic? The cases of docs/pages/en/protocol.md, section 6.3, in Mbit/s."""

import pytest

from campus_agent.measure.burst.estimate.cross_traffic import CrossTraffic, Rates, Trust, attribute

M = 1e6


def ask(
    own: float,
    offered: float,
    received: float | None,
    sent: float | None,
    subscriber_receives: bool,
    sent_and_arrived: float | None = None,
) -> CrossTraffic:
    arrived = offered if sent_and_arrived is None else sent_and_arrived
    rates = Rates(
        own * M,
        offered * M,
        arrived * M,
        None if received is None else received * M,
        None if sent is None else sent * M,
    )
    return attribute(rates, subscriber_receives=subscriber_receives, allowance=3 * M)


CASES = {
    # what happens:                     own offered rx   tx   rx is the subscriber's -> others, unattributed, rx counts
    "nothing else, narrow further on": (90, 115, 90, 115, True, 0, 0, True),
    "nothing else, own interface narrow": (90, 115, 90, 90, True, 0, 0, True),
    "burst from the gateway itself": (70, 115, 100, 164, True, 30, 0, True),
    "the same, own interface narrow": (70, 115, 100, 100, True, 30, 0, True),
    "room: other rooms on the gateway's interface": (90, 115, 90, 215, True, 0, 78.26, True),
    "room: traffic inside the room, unseen by the gateway": (60, 115, 90, 115, True, 30, 0, True),
    "from the room: other rooms arrive too": (90, 115, 190, 115, False, 0, 100, False),
    "from the room: its own other traffic": (70, 115, 100, 100, False, 30, 0, True),
    "uplink: the school's traffic goes elsewhere": (700, 1150, 700, 1480, False, 200.87, 0, False),
    "uplink: the same, own interface narrow": (700, 1150, 700, 990, False, 290, 0, False),
    "no counters anywhere": (90, 115, None, None, True, 0, 0, False),
    "receiver's counters only": (70, 115, 100, None, True, 30, 0, True),
    "sender's counters only": (70, 115, None, 164.3, True, 30, 0, False),
    "sender's counters only, nothing else": (90, 115, None, 116, True, 0, 0, False),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_attribution(case) -> None:
    *question, cross_traffic, unattributed, counts = case
    actual = ask(*question)
    assert actual.rate == pytest.approx(cross_traffic * M, abs=0.1 * M)
    assert actual.unattributed == pytest.approx(unattributed * M, abs=0.1 * M)
    assert actual.receiver_counts is counts


@pytest.mark.parametrize(
    ("sent", "sent_and_arrived", "cross_traffic"),
    [(1132, 1135, 0), (1120, 1100, 17.6), (1260, 700, 67.0), (990, 700, 290), (990, 1150, 20)],
    ids=["lost before the counter", "and others", "lost behind it", "full queue before it", "queue before it grows"],
)
def test_losses_at_the_sender_are_not_other_traffic(sent: float, sent_and_arrived: float, cross_traffic: float) -> None:
    own = 970 if sent_and_arrived > 700 else 700
    actual = ask(own, 1150, own, sent, subscriber_receives=False, sent_and_arrived=sent_and_arrived)
    assert actual.rate == pytest.approx(cross_traffic * M, abs=0.1 * M)


@pytest.mark.parametrize("subscriber_receives", [True, False])
def test_counts_that_differ_are_settled_by_what_is_known_from_elsewhere(subscriber_receives: bool) -> None:
    rates = Rates(70 * M, 115 * M, 75 * M, 100 * M, 190 * M)
    kept = attribute(rates, subscriber_receives=subscriber_receives, allowance=3 * M, trust=Trust.RECEIVER)
    assert (kept.rate, kept.unattributed, kept.receiver_counts) == (pytest.approx(30 * M), 0, True)
    lesser = attribute(rates, subscriber_receives=subscriber_receives, allowance=3 * M, trust=Trust.LESSER)
    assert lesser.rate == pytest.approx(30 * M)
    assert lesser.unattributed == pytest.approx((75 * 70 / 115 - 30) * M)
