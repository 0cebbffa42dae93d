"""One direction of a test: pulses until the verdict is certain; on an uplink, until a token bucket would be empty."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import inf
from time import monotonic, sleep
from typing import Literal

from campus_agent.measure.burst.caller import Caller, Shot, UdpBlocked
from campus_agent.measure.burst.estimate.reading import read_pulse, with_waits
from campus_agent.measure.burst.estimate.verdict import Decision, decide, names
from campus_agent.measure.burst.protocol.messages import Direction
from campus_agent.measure.burst.pulse import Flaw, View
from campus_agent.measure.burst.spec import (
    BLOCK_BIAS_RATIO,
    BLOCK_PACKETS,
    BUCKET_COST_RATIO,
    BUCKET_PROOF_RATIO,
    CONTROL_RATIO,
    FALLBACK_MTU_BYTES,
    MAX_NARROWER_HOPS,
    MAX_SUSTAINED_PULSES,
    MIN_BLOCK_BITS_PER_SECOND,
    OFFERED_RATIO,
    OVERTIME_RATIO,
    PULSE_SECONDS,
    RESERVE_SECONDS,
    bucket_bytes,
    bucket_offered_ratio,
    max_ordered_pulses,
    retry_pause_seconds,
)
from campus_wire.failures import Validity
from campus_wire.records import Segment

Way = Literal["down", "up"]
OPEN = Decision(done=False, reached=None, rate=0.0, lower_bound=True, confidence=0.0)


@dataclass(slots=True)
class Budget:
    """What a whole test may still cost."""

    deadline: float
    octets: float

    def share(self, ratio: float) -> "Budget":
        """A part of the octets, for one of several directions; the time is everybody's."""
        return Budget(self.deadline, self.octets * ratio)

    def allows(self, seconds: float, octets: float) -> bool:
        """Is there time and are there octets for a pulse like this?"""
        return octets <= self.octets and monotonic() + seconds * OVERTIME_RATIO + RESERVE_SECONDS < self.deadline


class DirectionTest:
    """What is known of one direction so far."""

    def __init__(
        self,
        caller: Caller,
        way: Way,
        segment: Segment,
        target: float,
        threshold: float,
        budget: Budget,
        max_others: float = inf,
    ) -> None:
        """`target` and `threshold` are line rates; so is `max_others`: more other traffic than this ends an open test at once."""
        self.way = way
        self.views: list[View] = []
        self.decision = OPEN
        self.octets = 0
        self.seconds = 0.0
        self.burst_rate: float | None = None
        self.note = ""
        self.tell: Callable[[DirectionTest], None] | None = None
        self.direction, self._subscriber_receives = roles(segment, way)
        self._caller = caller
        self._target = target
        self._threshold = threshold
        self._budget = budget
        self._max_others = max_others
        self._block_packets = 1
        self._bucket_cost = (1 - CONTROL_RATIO) * BUCKET_COST_RATIO * bucket_bytes(target)
        self._is_uplink = segment == "uplink"
        self._began = monotonic()

    @property
    def disturbs(self) -> bool:
        """Did the last pulse meet more other traffic than a test may disturb?"""
        if not self.views or self.views[-1].flaw is Flaw.WAITED:  # its counters are of another moment than its packets
            return False
        return self.views[-1].others + self.views[-1].unattributed > self._max_others

    def break_off(self) -> None:
        """End here without a verdict, because somebody is using the line."""
        seen = self.views[-1].others + self.views[-1].unattributed
        detail = f"broken off: {seen / 1e6:.1f} Mbit/s of other traffic, more than {self._max_others / 1e6:.1f} Mbit/s"
        self.decision = replace(self.decision, done=True, reached=None, validity=Validity.CROSS_TRAFFIC, detail=detail)

    def run(self) -> None:
        """Make the test. Raises what the caller raises; what was found until then stays."""
        offered = self._target * OFFERED_RATIO
        if not self._budget.allows(PULSE_SECONDS, PULSE_SECONDS * offered / 8):
            detail = "no octets or time left for a pulse"
            self.decision = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)
            return
        first = self._pulse(offered, PULSE_SECONDS)
        if first.flaw is Flaw.NOTHING_ARRIVED and self._caller.lower_mtu(FALLBACK_MTU_BYTES):
            self.note = f"full-size packets do not pass; measured with packets of {FALLBACK_MTU_BYTES} octets"
            first = self._pulse(offered, PULSE_SECONDS)
        if first.flaw is Flaw.NOTHING_ARRIVED:
            raise UdpBlocked("small UDP packets pass, but nothing of the load arrived")
        self._until_certain([first], offered)
        if self._is_uplink and self.decision.reached:
            if self.disturbs:
                self.break_off()
            else:
                self._empty_bucket()

    def _until_certain(self, views: list[View], offered: float) -> None:
        while True:
            spent = len(views) >= max_ordered_pulses(self._target)
            self._decide(views, last=spent or not self._budget.allows(PULSE_SECONDS, PULSE_SECONDS * offered / 8))
            if self.decision.done:
                return
            if self.disturbs:
                self.break_off()
                return
            if views[-1].flaw or views[-1].unattributed:
                sleep(retry_pause_seconds(self._target))
            views.append(self._pulse(offered, PULSE_SECONDS))

    def _decide(self, views: list[View], *, last: bool) -> None:
        client_sends = self.direction == "to_responder"
        self.decision = decide(views, self._threshold, self._target, client_sends=client_sends, last=last)
        if self.tell is not None:
            self.tell(self)

    def _empty_bucket(self) -> None:
        """Was the rate a burst only? Send until a bucket of the usual size is empty, and judge what is left.

        A line that carried all that was offered is overdriven; one that is full already can only be kept full, for as long as the
        octets last.
        """
        quick = self.decision
        bucket = bucket_bytes(self._target)
        offered = self._target * (bucket_offered_ratio(self._target) if quick.lower_bound else OFFERED_RATIO)
        passing = offered if quick.lower_bound else quick.rate
        excess = max(passing - self._threshold, 0.01 * self._target)
        wanted = BUCKET_PROOF_RATIO * bucket * offered / excess + PULSE_SECONDS * offered / 8
        octets = min(wanted, self._bucket_cost - self.octets, self._budget.octets)
        seconds = octets * 8 / offered
        if seconds < PULSE_SECONDS or not self._budget.allows(seconds, octets):
            self.note = "no time or octets were left to look for a token bucket"
            return
        if offered > MIN_BLOCK_BITS_PER_SECOND:
            self._block_packets = BLOCK_PACKETS
        view = self._pulse(offered, seconds)
        if view.saturated and view.flaw in (None, Flaw.WAITED):
            self._judge_sustained(view, offered)
            if view.flaw and self.decision.reached:  # nobody knows whether the bucket was empty by then
                self._decide([view], last=True)
            if self.decision.validity is Validity.OK and self.decision.reached is False:
                self.burst_rate = max(quick.rate, self._threshold)
                self.decision = replace(self.decision, limit="token_bucket")
        elif view.flaw is not None:
            self._decide([view], last=True)
        elif octets - self._threshold / 8 * view.span_seconds < bucket:
            validity = Validity.GATEWAY_LIMIT if self.direction == "to_responder" else Validity.ENDPOINT_LIMIT
            sender = names(client_sends=self.direction == "to_responder")[0]
            detail = f"{sender} is too slow to empty a token bucket of {bucket / 1e6:.0f} MB: {view.offered / 1e6:.0f} Mbit/s"
            self.decision = replace(quick, reached=None, validity=validity, detail=detail)

    def _judge_sustained(self, view: View, offered: float) -> None:
        """Further pulses where one does not tell. One that fills nothing only shows that the bucket has filled up meanwhile."""
        views = [view]
        for left in reversed(range(MAX_SUSTAINED_PULSES)):
            octets = PULSE_SECONDS * offered / 8
            affordable = self.octets + octets <= self._bucket_cost and self._budget.allows(PULSE_SECONDS, octets)
            self._decide(views, last=left == 0 or not affordable)
            if self.decision.done:
                return
            if self.disturbs:
                self.break_off()
                return
            again = self._pulse(offered, PULSE_SECONDS)
            if again.saturated:
                views.append(again)

    def _pulse(self, offered: float, seconds: float) -> View:
        shot = self._shot(offered, seconds)
        for _ in range(MAX_NARROWER_HOPS):
            if shot.mtu_bytes is None or not self._caller.lower_mtu(shot.mtu_bytes):
                break
            self.note = f"a hop on the way takes no packets above {shot.mtu_bytes} octets"
            shot = self._shot(offered, seconds)
        pulse = self._caller.reading(
            shot,
            client_receives=self.direction == "to_client",
            subscriber_receives=self._subscriber_receives,
        )
        view = read_pulse(pulse, self._threshold, self._target)
        view = with_waits(
            replace(view, client_cpu_ratio=shot.cpu_ratio), shot.waited_seconds, self._threshold, self._target
        )
        if self._block_packets > 1:
            view = replace(view, bias=BLOCK_BIAS_RATIO * view.rate)
        elif view.flaw is Flaw.STARVED and offered > MIN_BLOCK_BITS_PER_SECOND:
            self._block_packets = BLOCK_PACKETS
        self.views.append(view)
        self.seconds = monotonic() - self._began
        return view

    def _shot(self, offered: float, seconds: float) -> Shot:
        """One pulse, charged to the budget."""
        shot = self._caller.pulse(self.direction, offered, seconds, self._budget.deadline, self._block_packets)
        self.octets += shot.octets
        self._budget.octets -= shot.octets
        return shot


def roles(segment: Segment, way: Way) -> tuple[Direction, bool]:
    """Who sends, and does the receiver's interface belong to the measured line alone?

    A classroom's line ends at the responder, the uplink at the client, which is the school's gateway.
    """
    if segment == "classroom":
        return ("to_responder", True) if way == "down" else ("to_client", False)
    return ("to_client", True) if way == "down" else ("to_responder", False)
