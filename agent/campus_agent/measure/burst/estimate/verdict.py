"""Is the verdict certain yet, and if it cannot become so, why? Pure: a sequential test on what each burst said.

Each sound burst gives one value: the capacity where the bottleneck was busy, else the rate that was proved. The verdict stands when
their median (a box stalls now and then; one wrong burst of three must not count) is far enough from the threshold in
standard errors. `not_met` needs more than a low figure: a busy bottleneck, enough load offered, and no other traffic that could explain
the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, hypot, sqrt
from statistics import fmean, median, stdev

from campus_agent.measure.burst.estimate.rate_estimate import RateEstimate, RejectReason
from campus_agent.measure.burst.spec import (
    AGREEING_RATIO,
    CERTAIN_SIGMAS,
    CLEAR_RATIO,
    MAX_BIASED_BURSTS,
    MAX_BURSTS,
    MAX_REJECTED_BURSTS,
    SPREAD_FLOOR_RATIO,
    STEADY_RATIO,
    STUDENT_FACTORS,
)
from campus_agent.measure.reason import ValidityReason
from campus_wire.failures import Validity


@dataclass(frozen=True, slots=True)
class DirectionVerdict:
    """Where the test of one direction stands.

    `reached` is the verdict, None while open or when there is none; `validity` other than ok: given up, `detail` says why.
    """

    done: bool
    reached: bool | None
    rate: float
    lower_bound: bool
    confidence: float
    validity: Validity = Validity.OK
    limit: str | None = None
    detail: str = ""


def verdict_so_far(
    estimates: Sequence[RateEstimate], threshold: float, target: float, *, client_sends: bool, last: bool = False
) -> DirectionVerdict:
    """The verdict after these bursts. `last`: no further burst is possible (time, bytes), so say what can be said."""
    sound = [estimate for estimate in estimates if estimate.reject_reason is None]
    # a wait for a processor is over in a moment: go on asking
    rejected = sum(estimate.reject_reason not in (None, RejectReason.WAITED) for estimate in estimates)
    last = last or len(sound) >= MAX_BURSTS or rejected >= MAX_REJECTED_BURSTS
    if not sound:
        return _without_sound(estimates, threshold, client_sends=client_sends, last=last)
    waits = sum(estimate.reject_reason is RejectReason.WAITED for estimate in estimates)
    waited = f"a processor was waited for in {waits} of {len(estimates)} bursts" if waits else ""
    verdict = _on_the_rates(sound, threshold, target, client_sends=client_sends, last=last, waited=waited)
    return _only_with_counters(verdict, sound)


def _only_with_counters(verdict: DirectionVerdict, sound: Sequence[RateEstimate]) -> DirectionVerdict:
    """A rate below the threshold proves nothing while the other traffic on the line is not known: it needs counters at one end at least."""
    if verdict.reached is not False or any(estimate.counters_read for estimate in sound):
        return verdict
    detail = (
        f"{verdict.rate / 1e6:.1f} Mbit/s, but neither end's interface counters could be read:"
        " other traffic may have shared the line"
    )
    return replace(verdict, reached=None, validity=Validity.INCONCLUSIVE, detail=detail)


def _on_the_rates(
    sound: Sequence[RateEstimate], threshold: float, target: float, *, client_sends: bool, last: bool, waited: str
) -> DirectionVerdict:
    """The verdict of the bursts that count. `waited`: what to say where others do not, because of waits."""
    rate = median(estimate.rate for estimate in sound)
    noise, bias = _noise(sound, target), max(estimate.bias for estimate in sound)
    error = hypot(noise, bias)
    last = last or (len(sound) >= MAX_BIASED_BURSTS and bias > noise)
    sigmas = abs(rate - threshold) / error
    reached = rate >= threshold
    lower_bound = 2 * sum(not estimate.saturated for estimate in sound) > len(sound)
    limit = None if lower_bound else sound[-1].limit
    still_open = DirectionVerdict(False, None, rate, lower_bound, erf(sigmas / sqrt(2)), limit=limit)
    stands = replace(still_open, done=True, reached=reached)
    near = abs(rate - threshold) < CLEAR_RATIO * target and not lower_bound
    certain = sigmas >= CERTAIN_SIGMAS and len(sound) >= (2 if near else 1)
    unattributed = 0.0 if reached else median(estimate.unattributed for estimate in sound)
    explained = unattributed > 0 and rate + unattributed >= threshold - CERTAIN_SIGMAS * error
    if certain and not explained:
        return stands
    if not last:
        return still_open
    if not (explained or bias) and _agree(sound, abs(rate - threshold), target):
        return stands  # the median decides, however near
    validity, detail = _why_no_verdict(sound, rate, unattributed if explained else 0.0, client_sends, waited)
    return replace(still_open, done=True, validity=validity, detail=detail)


def _agree(sound: Sequence[RateEstimate], distance: float, target: float) -> bool:
    """Do at least two bursts lie so close together that their median may decide at this distance from the threshold?"""
    rates = [estimate.rate for estimate in sound]
    agree = _between(sound) <= STEADY_RATIO * target or AGREEING_RATIO * (max(rates) - min(rates)) <= distance
    return len(sound) >= 2 and agree


def _why_no_verdict(
    sound: Sequence[RateEstimate], rate: float, unattributed: float, client_sends: bool, waited: str
) -> ValidityReason:
    if unattributed:
        detail = f"{unattributed / 1e6:.1f} Mbit/s of other traffic may have shared the line, which carried {rate / 1e6:.1f} Mbit/s"
        return ValidityReason(Validity.CROSS_TRAFFIC, detail)
    if any(estimate.bias for estimate in sound):
        sender, _ = role_phrases(client_sends=client_sends)
        detail = f"{rate / 1e6:.1f} Mbit/s is too near to call: {sender} is only fast enough in blocks"
        return ValidityReason(Validity.GATEWAY_LIMIT if client_sends else Validity.ENDPOINT_LIMIT, detail)
    if waited:
        return ValidityReason(Validity.GATEWAY_CPU, waited)
    least, most = min(estimate.rate for estimate in sound), max(estimate.rate for estimate in sound)
    detail = f"{len(sound)} bursts from {least / 1e6:.1f} to {most / 1e6:.1f} Mbit/s do not agree"
    return ValidityReason(Validity.INCONCLUSIVE, detail)


def _without_sound(
    estimates: Sequence[RateEstimate], threshold: float, *, client_sends: bool, last: bool
) -> DirectionVerdict:
    """No sound burst yet: go on, or say why they were rejected."""
    rate = max((estimate.mean for estimate in estimates), default=0.0)
    if not last or not estimates:
        return DirectionVerdict(False, None, rate, True, 0.0)
    reject_reasons = [estimate.reject_reason for estimate in estimates]
    worst = max(sorted({reject_reason for reject_reason in reject_reasons if reject_reason}), key=reject_reasons.count)
    here, there = (Validity.GATEWAY_LIMIT, Validity.ENDPOINT_LIMIT)
    fastest = max(estimates, key=lambda estimate: estimate.offered)
    sender, receiver = role_phrases(client_sends=client_sends)
    busy = "" if fastest.client_cpu_ratio is None else f" (the gateway's core {fastest.client_cpu_ratio:.0%} busy)"
    thrown = max(estimates, key=lambda estimate: estimate.overflow)
    reasons = {
        RejectReason.STARVED: (
            here if client_sends else there,
            f"{sender} reached {fastest.offered / 1e6:.1f} Mbit/s, not enough to prove {threshold / 1e6:.1f} Mbit/s{busy}",
        ),
        RejectReason.OVERFLOW: (
            there if client_sends else here,
            f"{receiver} could not take in what arrived: at {thrown.mean / 1e6:.1f} Mbit/s its receive buffer threw"
            f" {thrown.overflow} packets away{busy}",
        ),
        RejectReason.WAITED: (
            Validity.GATEWAY_CPU,
            f"a processor was waited for in {reject_reasons.count(RejectReason.WAITED)} of {len(estimates)} bursts",
        ),
        RejectReason.CLOCK: (Validity.CLOCK_UNTRUSTED, "the wall clock was set during the bursts"),
        RejectReason.UNSTEADY: (Validity.INCONCLUSIVE, "the rate stalled within the bursts"),
    }
    validity, detail = reasons.get(worst, (Validity.INCONCLUSIVE, f"bursts: {worst}"))
    return DirectionVerdict(True, None, rate, True, 0.0, validity, worst.value, detail)


def role_phrases(*, client_sends: bool) -> tuple[str, str]:
    """Sender and receiver in words: the client is the school's gateway, the endpoint whatever the responder runs on."""
    sender, receiver = ("the gateway", "the endpoint") if client_sends else ("the endpoint", "the gateway")
    return f"{sender}, sending,", f"{receiver}, receiving,"


def _noise(sound: Sequence[RateEstimate], target: float) -> float:
    """Standard error of the median: never below what one burst's own spread, or the floor, allows."""
    within = fmean(estimate.spread for estimate in sound)
    usual = max(within, _between(sound))
    if len(sound) in STUDENT_FACTORS:  # what several bursts show together outweighs what each believes of itself
        usual = min(usual, STUDENT_FACTORS[len(sound)] * stdev(estimate.rate for estimate in sound))
    return 1.25 * max(usual, SPREAD_FLOOR_RATIO * target) / sqrt(len(sound))


def _between(sound: Sequence[RateEstimate]) -> float:
    """How far do the bursts lie apart, as a standard deviation? From the median of their distances; of two, from both."""
    middle = median(estimate.rate for estimate in sound)
    return 1.4826 * median(abs(estimate.rate - middle) for estimate in sound)
