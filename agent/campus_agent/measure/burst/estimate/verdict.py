"""Is the verdict certain yet, and if it cannot become so, why? Pure: a sequential test on what each pulse said.

Each sound pulse gives one value: the capacity where the bottleneck was busy, else the rate that was proved. The verdict stands when
their median (a box stalls now and then; one spoilt pulse of three must not count) is far enough from the threshold in standard errors. `not_met` needs more than a low figure: a busy bottleneck, enough
load offered, and no other traffic that could explain the rest.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import erf, hypot, sqrt
from statistics import fmean, median, stdev

from campus_agent.measure.burst.pulse import Flaw, View
from campus_agent.measure.burst.spec import (
    AGREEING_RATIO,
    CERTAIN_SIGMAS,
    CLEAR_RATIO,
    MAX_BIASED_PULSES,
    MAX_FLAWED_PULSES,
    MAX_PULSES,
    SPREAD_FLOOR_RATIO,
    STEADY_RATIO,
    STUDENT_FACTORS,
)
from campus_wire.failures import Validity


@dataclass(frozen=True, slots=True)
class Decision:
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


def decide(
    views: Sequence[View], threshold: float, target: float, *, client_sends: bool, last: bool = False
) -> Decision:
    """The decision after these pulses. `last`: no further pulse is possible (time, bytes), so say what can be said."""
    decision = _on_the_rates(views, threshold, target, client_sends=client_sends, last=last)
    return _only_with_counters(decision, views)


def _only_with_counters(decision: Decision, views: Sequence[View]) -> Decision:
    """A rate below the threshold proves nothing while nobody knows what else was on the line: it needs counters at one end at least."""
    sound = [view for view in views if view.flaw is None]
    if decision.reached is not False or any(view.counters_read for view in sound):
        return decision
    detail = (
        f"{decision.rate / 1e6:.1f} Mbit/s, but neither end's interface counters could be read:"
        " other traffic may have shared the line"
    )
    return replace(decision, reached=None, validity=Validity.INCONCLUSIVE, detail=detail)


def _on_the_rates(
    views: Sequence[View], threshold: float, target: float, *, client_sends: bool, last: bool
) -> Decision:
    sound = [view for view in views if view.flaw is None]
    flawed = sum(view.flaw not in (None, Flaw.WAITED) for view in views)  # a wait is over in a moment: ask on
    last = last or len(sound) >= MAX_PULSES or flawed >= MAX_FLAWED_PULSES
    if not sound:
        return _without(views, threshold, client_sends=client_sends, last=last)
    rate = median(view.rate for view in sound)
    noise, bias = _noise(sound, target), max(view.bias for view in sound)
    error = hypot(noise, bias)
    last = last or (len(sound) >= MAX_BIASED_PULSES and bias > noise)
    sigmas = abs(rate - threshold) / error
    confidence = erf(sigmas / sqrt(2))
    reached = rate >= threshold
    lower_bound = 2 * sum(not view.saturated for view in sound) > len(sound)
    limit = None if lower_bound else sound[-1].limit
    near = abs(rate - threshold) < CLEAR_RATIO * target and not lower_bound
    certain = sigmas >= CERTAIN_SIGMAS and len(sound) >= (2 if near else 1)
    other = 0.0 if reached else median(view.unattributed for view in sound)
    explained = other > 0 and rate + other >= threshold - CERTAIN_SIGMAS * error
    open_still = Decision(False, None, rate, lower_bound, confidence, limit=limit)
    if certain and not explained:
        return Decision(True, reached, rate, lower_bound, confidence, limit=limit)
    if not last:
        return open_still
    if explained:
        detail = (
            f"{other / 1e6:.1f} Mbit/s of other traffic may have shared the line, which carried {rate / 1e6:.1f} Mbit/s"
        )
        return Decision(True, None, rate, lower_bound, confidence, Validity.CROSS_TRAFFIC, limit, detail)
    if any(view.bias for view in sound):
        validity = Validity.GATEWAY_LIMIT if client_sends else Validity.ENDPOINT_LIMIT
        sender, _ = names(client_sends=client_sends)
        detail = f"{rate / 1e6:.1f} Mbit/s is too near to call: {sender} is only fast enough in blocks"
        return Decision(True, None, rate, lower_bound, confidence, validity, limit, detail)
    waits = sum(view.flaw is Flaw.WAITED for view in views)
    least, most = min(view.rate for view in sound), max(view.rate for view in sound)
    agree = _between(sound) <= STEADY_RATIO * target or AGREEING_RATIO * (most - least) <= abs(rate - threshold)
    if len(sound) >= 2 and agree:  # the median decides, however near
        return Decision(True, reached, rate, lower_bound, confidence, limit=limit)
    if waits:
        detail = f"a processor was waited for in {waits} of {len(views)} pulses"
        return Decision(True, None, rate, lower_bound, confidence, Validity.GATEWAY_CPU, limit, detail)
    detail = f"{len(sound)} pulses from {least / 1e6:.1f} to {most / 1e6:.1f} Mbit/s do not agree"
    return Decision(True, None, rate, lower_bound, confidence, Validity.INCONCLUSIVE, limit, detail)


def _without(views: Sequence[View], threshold: float, *, client_sends: bool, last: bool) -> Decision:
    """No sound pulse yet: go on, or say what spoilt them."""
    rate = max((view.mean for view in views), default=0.0)
    if not last or not views:
        return Decision(False, None, rate, True, 0.0)
    flaws = [view.flaw for view in views]
    worst = max(sorted({flaw for flaw in flaws if flaw}), key=flaws.count)
    here, there = (Validity.GATEWAY_LIMIT, Validity.ENDPOINT_LIMIT)
    fastest = max(views, key=lambda view: view.offered)
    sender, receiver = names(client_sends=client_sends)
    busy = "" if fastest.client_cpu_ratio is None else f" (the gateway's core {fastest.client_cpu_ratio:.0%} busy)"
    thrown = max(views, key=lambda view: view.overflow)
    reasons = {
        Flaw.STARVED: (
            here if client_sends else there,
            f"{sender} reached {fastest.offered / 1e6:.1f} Mbit/s, not enough to prove {threshold / 1e6:.1f} Mbit/s{busy}",
        ),
        Flaw.OVERFLOW: (
            there if client_sends else here,
            f"{receiver} could not take in what arrived: at {thrown.mean / 1e6:.1f} Mbit/s its receive buffer threw"
            f" {thrown.overflow} packets away{busy}",
        ),
        Flaw.WAITED: (
            Validity.GATEWAY_CPU,
            f"a processor was waited for in {flaws.count(Flaw.WAITED)} of {len(views)} pulses",
        ),
        Flaw.CLOCK: (Validity.CLOCK_UNTRUSTED, "the wall clock was set during the pulses"),
        Flaw.UNSTEADY: (Validity.INCONCLUSIVE, "the rate stalled within the pulses"),
    }
    validity, detail = reasons.get(worst, (Validity.INCONCLUSIVE, f"pulses: {worst}"))
    return Decision(True, None, rate, True, 0.0, validity, worst.value, detail)


def names(*, client_sends: bool) -> tuple[str, str]:
    """Sender and receiver in words: the client is the school's gateway, the endpoint whatever the responder runs on."""
    gateway, endpoint = "the gateway", "the endpoint"
    return (
        (f"{gateway}, sending,", f"{endpoint}, receiving,")
        if client_sends
        else (f"{endpoint}, sending,", f"{gateway}, receiving,")
    )


def _noise(sound: Sequence[View], target: float) -> float:
    """Standard error of the median: never below what one pulse's own spread, or the floor, allows."""
    own = fmean(view.spread for view in sound)
    usual = max(own, _between(sound))
    if len(sound) in STUDENT_FACTORS:  # what several pulses show together outweighs what each believes of itself
        usual = min(usual, STUDENT_FACTORS[len(sound)] * stdev(view.rate for view in sound))
    return 1.25 * max(usual, SPREAD_FLOOR_RATIO * target) / sqrt(len(sound))


def _between(sound: Sequence[View]) -> float:
    """How far do the pulses lie apart, as a standard deviation? From the median of their distances; of two, from both."""
    middle = median(view.rate for view in sound)
    return 1.4826 * median(abs(view.rate - middle) for view in sound)
