"""One direction of a test: bursts until the verdict is certain; on an uplink, until a token bucket would be empty."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic, sleep

from campus_agent.measure.burst.client_session import BurstResult, ClientSession, UdpBlocked
from campus_agent.measure.burst.estimate.burst_rate import estimate_burst, reject_if_cpu_waited
from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate, RejectReason
from campus_agent.measure.burst.estimate.verdict import DirectionVerdict, role_phrases, verdict_so_far
from campus_agent.measure.burst.protocol.messages import LoadDirection
from campus_agent.measure.burst.spec import (
    BLOCK_BIAS_RATIO,
    BLOCK_PACKETS,
    BUCKET_COST_RATIO,
    BUCKET_PROOF_RATIO,
    BURST_SECONDS,
    CONTROL_RATIO,
    FALLBACK_MTU_BYTES,
    MAX_NARROWER_HOPS,
    MAX_SUSTAINED_BURSTS,
    MIN_BLOCK_BITS_PER_SECOND,
    OFFERED_RATIO,
    OVERTIME_RATIO,
    RESERVE_SECONDS,
    bucket_bytes,
    bucket_offered_ratio,
    max_ordered_bursts,
    retry_pause_seconds,
)
from campus_agent.measure.request import LineDirection, ThroughputRequest, gateway_sends
from campus_wire.failures import Validity

OPEN = DirectionVerdict(done=False, reached=None, rate=0.0, lower_bound=True, confidence=0.0)


@dataclass(slots=True)
class Budget:
    """What a whole test may still cost."""

    deadline: float
    bytes_left: float

    def share(self, ratio: float) -> "Budget":
        """A part of the bytes, for one of several directions, with the whole time."""
        return Budget(self.deadline, self.bytes_left * ratio)

    def allows(self, seconds: float, wire_bytes: float) -> bool:
        """Are there time and bytes for a burst like this?"""
        end = monotonic() + seconds * OVERTIME_RATIO + RESERVE_SECONDS
        return wire_bytes <= self.bytes_left and end < self.deadline


class DirectionTest:
    """What is known of one direction so far."""

    def __init__(
        self, session: ClientSession, request: ThroughputRequest, direction: LineDirection, budget: Budget
    ) -> None:
        self.direction = direction
        self.estimates: list[RateEstimate] = []
        self.verdict = OPEN
        self.bytes_spent = 0
        self.lost_bytes = 0
        """Sent by UDP before, which did not pass."""
        self.seconds = 0.0
        self.burst_rate: float | None = None
        self.note = ""
        self.on_progress: Callable[[DirectionTest], None] | None = None
        self._client_sends = gateway_sends(request.segment, direction)
        self.towards: LoadDirection = "to_responder" if self._client_sends else "to_client"
        # what comes down arrives where the line ends: that interface belongs to this line alone
        self._subscriber_receives = direction == "down"
        self._session = session
        self._request = request
        self._target = request.required_bits_per_second
        self._threshold = request.threshold_bits_per_second
        self._budget = budget
        self._block_packets = 1
        self._bucket_cost = (1 - CONTROL_RATIO) * BUCKET_COST_RATIO * bucket_bytes(self._target)
        self._began = monotonic()

    @property
    def disturbs(self) -> bool:
        """Did the last burst meet more other traffic than a test may disturb?"""
        # after a wait for a processor the counters are of another moment than the packets
        if not self.estimates or self.estimates[-1].reject_reason is RejectReason.WAITED:
            return False
        return self._last_cross_traffic > self._request.max_cross_traffic_bits_per_second

    @property
    def _last_cross_traffic(self) -> float:
        return self.estimates[-1].cross_traffic + self.estimates[-1].unattributed

    def break_off(self) -> None:
        """End here without a verdict, because others use the line."""
        cross_traffic, most = self._last_cross_traffic, self._request.max_cross_traffic_bits_per_second
        detail = f"broken off: {cross_traffic / 1e6:.1f} Mbit/s of other traffic, more than {most / 1e6:.1f} Mbit/s"
        self.verdict = replace(self.verdict, done=True, reached=None, validity=Validity.CROSS_TRAFFIC, detail=detail)

    def run(self) -> None:
        """Make the test. Raises what the caller raises; what was found until then stays."""
        offered = self._target * OFFERED_RATIO
        if not self._budget.allows(BURST_SECONDS, BURST_SECONDS * offered / 8):
            detail = "no bytes or time left for a burst"
            self.verdict = replace(OPEN, done=True, validity=Validity.INCONCLUSIVE, detail=detail)
            return
        first = self._burst(offered, BURST_SECONDS)
        if first.reject_reason is RejectReason.NOTHING_ARRIVED and self._session.lower_mtu(FALLBACK_MTU_BYTES):
            self.note = f"full-size packets do not pass; measured with packets of {FALLBACK_MTU_BYTES} bytes"
            first = self._burst(offered, BURST_SECONDS)
        if first.reject_reason is RejectReason.NOTHING_ARRIVED:
            raise UdpBlocked("small UDP packets pass, but nothing of the load arrived")
        self._until_certain([first], offered)
        if self._request.segment == "uplink" and self.verdict.reached:
            if self.disturbs:
                self.break_off()
            else:
                self._empty_bucket()

    def _until_certain(self, estimates: list[RateEstimate], offered: float) -> None:
        while True:
            spent = len(estimates) >= max_ordered_bursts(self._target)
            self._judge_bursts(
                estimates, last=spent or not self._budget.allows(BURST_SECONDS, BURST_SECONDS * offered / 8)
            )
            if self.verdict.done:
                return
            if self.disturbs:
                self.break_off()
                return
            if estimates[-1].reject_reason or estimates[-1].unattributed:
                sleep(retry_pause_seconds(self._target))
            estimates.append(self._burst(offered, BURST_SECONDS))

    def _judge_bursts(self, estimates: list[RateEstimate], *, last: bool) -> None:
        self.verdict = verdict_so_far(
            estimates, self._threshold, self._target, client_sends=self._client_sends, last=last
        )
        if self.on_progress is not None:
            self.on_progress(self)

    def _empty_bucket(self) -> None:
        """Was the rate a burst only? Send until a bucket of the usual size is empty, and judge what is left.

        A line that carried all that was offered is overdriven; one that is full already can only be kept full, for as long as the
        bytes last.
        """
        quick = self.verdict
        bucket = bucket_bytes(self._target)
        offered = self._target * (bucket_offered_ratio(self._target) if quick.lower_bound else OFFERED_RATIO)
        passing = offered if quick.lower_bound else quick.rate
        excess = max(passing - self._threshold, 0.01 * self._target)
        needed_bytes = BUCKET_PROOF_RATIO * bucket * offered / excess + BURST_SECONDS * offered / 8
        wire_bytes = min(needed_bytes, self._bucket_cost - self.bytes_spent, self._budget.bytes_left)
        seconds = wire_bytes * 8 / offered
        if seconds < BURST_SECONDS or not self._budget.allows(seconds, wire_bytes):
            self.note = "no time or bytes were left to look for a token bucket"
            return
        if offered > MIN_BLOCK_BITS_PER_SECOND:
            self._block_packets = BLOCK_PACKETS
        estimate = self._burst(offered, seconds)
        if estimate.saturated and estimate.reject_reason in (None, RejectReason.WAITED):
            self._judge_sustained(estimate, offered)
            if estimate.reject_reason and self.verdict.reached:  # whether the bucket was empty by then is not known
                self._judge_bursts([estimate], last=True)
            if self.verdict.validity is Validity.OK and self.verdict.reached is False:
                self.burst_rate = max(quick.rate, self._threshold)
                self.verdict = replace(self.verdict, limit="token_bucket")
        elif estimate.reject_reason is not None:
            self._judge_bursts([estimate], last=True)
        elif wire_bytes - self._threshold / 8 * estimate.span_seconds < bucket:
            validity = Validity.GATEWAY_LIMIT if self._client_sends else Validity.ENDPOINT_LIMIT
            sender = role_phrases(client_sends=self._client_sends)[0]
            detail = f"{sender} is too slow to empty a token bucket of {bucket / 1e6:.0f} MB: {estimate.offered / 1e6:.0f} Mbit/s"
            self.verdict = replace(quick, reached=None, validity=validity, detail=detail)

    def _judge_sustained(self, estimate: RateEstimate, offered: float) -> None:
        """Further bursts where one is not enough. One that fills nothing only shows that the bucket has filled up meanwhile."""
        estimates = [estimate]
        for left in reversed(range(MAX_SUSTAINED_BURSTS)):
            wire_bytes = BURST_SECONDS * offered / 8
            too_dear = self.bytes_spent + wire_bytes > self._bucket_cost
            last = left == 0 or too_dear or not self._budget.allows(BURST_SECONDS, wire_bytes)
            self._judge_bursts(estimates, last=last)
            if self.verdict.done:
                return
            if self.disturbs:
                self.break_off()
                return
            again = self._burst(offered, BURST_SECONDS)
            if again.saturated:
                estimates.append(again)

    def _burst(self, offered: float, seconds: float) -> RateEstimate:
        result = self._charged_burst(offered, seconds)
        for _ in range(MAX_NARROWER_HOPS):
            if result.mtu_bytes is None or not self._session.lower_mtu(result.mtu_bytes):
                break
            self.note = f"a hop on the way takes no packets above {result.mtu_bytes} bytes"
            result = self._charged_burst(offered, seconds)
        burst = self._session.observation(
            result,
            client_receives=not self._client_sends,
            subscriber_receives=self._subscriber_receives,
        )
        estimate = estimate_burst(burst, self._threshold, self._target)
        estimate = reject_if_cpu_waited(
            replace(estimate, client_cpu_ratio=result.cpu_ratio), result.waited_seconds, self._threshold, self._target
        )
        if self._block_packets > 1:
            estimate = replace(estimate, bias=BLOCK_BIAS_RATIO * estimate.rate)
        elif estimate.reject_reason is RejectReason.STARVED and offered > MIN_BLOCK_BITS_PER_SECOND:
            self._block_packets = BLOCK_PACKETS
        self.estimates.append(estimate)
        self.seconds = monotonic() - self._began
        return estimate

    def _charged_burst(self, offered: float, seconds: float) -> BurstResult:
        """One burst, charged to the budget."""
        result = self._session.burst(self.towards, offered, seconds, self._budget.deadline, self._block_packets)
        self.bytes_spent += result.wire_bytes
        self._budget.bytes_left -= result.wire_bytes
        return result
