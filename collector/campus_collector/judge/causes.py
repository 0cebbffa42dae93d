"""Why a target is not met: causes, ranked by how much of the month's evidence supports each. Pure.

Each rule looks at the symptoms that were counted day by day and says how sure it is, 0 to 1: a device that was asked (a switch port) weighs more
than a figure that merely looks like something. Rules that find nothing say nothing; when none does, the cause is `unknown`.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from statistics import median

from campus_base.figures import megabits_short
from campus_base.messages import Message, message
from campus_base.wire_words import FAILURE_WORDS
from campus_collector.judge.evidence import MonthEvidence
from campus_collector.judge.policy import Target
from campus_collector.judge.symptoms import Symptoms
from campus_wire.bandwidth import Verdict
from campus_wire.failures import FailureKind, Operation, Validity

ENDPOINT_AWAY = frozenset({FailureKind.HOST_UNREACHABLE, FailureKind.TIMEOUT, FailureKind.NETWORK_UNREACHABLE})
FLAT_SPREAD = 0.03
"""Line rates that differ less than this look like a shaper or a port speed, not like random variation."""
PORT_SPEEDS = ((10e6, "port_speed_10"), (100e6, "port_speed_100"))
NEAR_SPEED = 0.02
RETIRED: tuple[Message, ...] = (
    message("{part} of {whole} slow tests began faster than {rate}"),
    message("{near} of {values} slow tests at {rate}"),
    message("{alike} of {judged} classrooms at about {rate}"),
    message("{alike} of {judged} classrooms and the uplink at about {rate}"),
)
"""Sentences of evidence that are not written any more; problems of older months are stored with them."""


@dataclass(frozen=True, slots=True)
class Cause:
    """One explanation: its code (see `explanations`), its weight, 0 to 1, and its evidence."""

    code: str
    weight: float
    evidence: Message


@dataclass(frozen=True, slots=True)
class Case:
    """What a diagnosis looks at: the verdict with its evidence, and the symptoms of the month."""

    verdict: Verdict
    target: Target | None
    required_bits_per_second: float | None
    evidence: MonthEvidence
    symptoms: Symptoms
    failing_values: list[float]


def causes_of(case: Case) -> tuple[Cause, ...]:
    """The likeliest first; () when the target is met or exempt."""
    if case.verdict in (Verdict.MET, Verdict.EXEMPT):
        return ()
    evidence = case.evidence
    if not (evidence.valid_results or evidence.invalid_results or evidence.failed_results or evidence.skipped_results):
        by_minutes = case.target is not None and case.target.minutes is not None
        return (Cause("no_lesson_stream" if by_minutes else "no_report", 1.0, message("no result this month")),)
    if case.verdict is Verdict.INSUFFICIENT:
        causes = list(_insufficient(case))
    else:
        rules = RULES.get(case.target.name, ()) if case.target else ()
        causes = [cause for rule in rules for cause in rule(case)]
    ranked = sorted(causes, key=lambda cause: -cause.weight)
    unknown = Cause("unknown", 0.0, message("no rule fits"))
    best: dict[str, Cause] = {}
    for cause in ranked:
        best.setdefault(cause.code, cause)
    return tuple(best.values()) or (unknown,)


def _share(part: int, whole: int, text: Message) -> Message:
    """The text with its two counts."""
    return text.with_(part=part, whole=whole)


def _insufficient(case: Case) -> Iterator[Cause]:
    """Only what was never judged can explain that there is too little."""
    evidence, target = case.evidence, case.target
    if evidence.valid_results:
        enough = target is not None and evidence.valid_results >= target.min_valid_results
        had = message(
            "{valid_results} valid results on {days} days", valid_results=evidence.valid_results, days=evidence.days
        )
        yield Cause("too_few_days" if enough else "too_few", 0.5, had)
    yield from _unobserved(case)
    failed = case.symptoms.of("failed")
    whole = evidence.failed_results + evidence.invalid_results + evidence.skipped_results
    for name, count in failed.items():
        code = _why_unreached(*name.split("/", 1))
        if code and whole:
            words = FAILURE_WORDS[FailureKind(name.split("/", 1)[1])]
            text = _share(count, whole, message("{part} of {whole} tests: {words}", words=words))
            yield Cause(code, 0.9 * count / whole if not evidence.valid_results else 0.4 * count / whole, text)
    for kinds, code in (
        ((Validity.GATEWAY_CPU, Validity.GATEWAY_LIMIT), "gateway_busy"),
        ((Validity.ENDPOINT_LIMIT,), "endpoint_weak"),
        ((Validity.CROSS_TRAFFIC,), "cross_traffic"),
        ((Validity.ENDPOINT_OFF,), "endpoint_off"),
    ):
        count = sum(case.symptoms[f"invalid:{kind}"] for kind in kinds)
        if count and whole:
            yield Cause(
                code, 0.85 * count / whole, _share(count, whole, message("{part} of {whole} tests were not sound"))
            )
    skipped = case.symptoms.of("skipped").total()
    off = case.symptoms["skipped:endpoint_off"]
    if off and whole:
        yield Cause(
            "endpoint_off", 0.9 * off / whole, _share(off, whole, message("{part} of {whole} tests: nobody there"))
        )
    if skipped - off > 0 and whole:
        text = _share(skipped - off, whole, message("{part} of {whole} planned tests were not made"))
        yield Cause("skipped", 0.6 * (skipped - off) / whole, text)
    if case.symptoms["port:down"] and not evidence.valid_results:
        ports = case.symptoms["port"]
        text = _share(case.symptoms["port:down"], ports, message("{part} of {whole} readings of the port: no link"))
        yield Cause("endpoint_off", 0.95 * case.symptoms["port:down"] / ports, text)


def _unobserved(case: Case) -> Iterator[Cause]:
    """Minutes of lessons that say nothing of the line."""
    minutes = case.evidence.valid_results + case.evidence.invalid_results
    for symptom, code in (
        ("minute:unknown", "gateway_off_in_lessons"),
        ("minute:collector", "collector_off_in_lessons"),
    ):
        if count := case.symptoms[symptom]:
            text = _share(count, minutes, message("{part} of {whole} minutes of lessons were not observed"))
            yield Cause(code, 0.9 * count / minutes, text)


def _why_unreached(operation: str, kind: str) -> str:
    """What kept the tests from beginning; "" when that is not known."""
    if kind == FailureKind.CONNECTION_REFUSED:
        return "endpoint_not_running"
    if kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED):
        return "endpoint_name"
    if kind in ENDPOINT_AWAY:
        return "endpoint_off" if operation in (Operation.CONNECT, Operation.UNKNOWN) else "endpoint_silent"
    return ""


def _port(case: Case) -> Iterator[Cause]:
    """The port's own word: it was asked, and answered."""
    readings = case.symptoms["port"]
    if not readings:
        return
    for name, code, weight in (
        ("port:half", "half_duplex", 0.97),
        ("port:10", "port_speed_10", 0.96),
        ("port:100", "port_speed_100", 0.96),
        ("port:errors", "cable_errors", 0.9),
    ):
        count = case.symptoms[name]
        if 2 * count >= readings or (name == "port:errors" and 5 * count >= readings):
            text = _share(count, readings, message("{part} of {whole} readings of the switch port say so"))
            yield Cause(code, weight, text)


def _gateway(case: Case) -> Iterator[Cause]:
    slow = case.symptoms["slow"]
    if not slow:
        return
    slow_port = case.symptoms.of("gateway_port").total()
    if 2 * slow_port >= slow:
        yield Cause(
            "gateway_port", 0.93, _share(slow_port, slow, message("{part} of {whole} slow tests: the gateway's port"))
        )
    busy = case.symptoms["gateway_cpu"]
    if 2 * busy >= slow:
        yield Cause("gateway_busy", 0.8, _share(busy, slow, message("{part} of {whole} slow tests: CPU above 80 %")))


def _shape(case: Case) -> Iterator[Cause]:
    """What the rates look like: flat, flat after a burst, or varying at random."""
    values, slow = case.failing_values, case.symptoms["slow"]
    if not values:
        return
    middle = median(values)
    near = sum(abs(value - middle) <= FLAT_SPREAD / 2 * middle for value in values)
    flat = len(values) >= 2 and near >= 0.8 * len(values)
    rate = megabits_short(middle)
    burst = max(case.symptoms["burst_down"], case.symptoms["burst_up"])
    if slow and 2 * burst >= slow:
        yield Cause(
            "shaped",
            0.88,
            _share(
                burst,
                slow,
                message("{part} of {whole} slow tests began faster than {rate} Mbit/s", rate=rate),
            ),
        )
    if flat or len(values) == 1:
        text = message(
            "{near} of {values} slow tests at {rate} Mbit/s",
            near=near,
            values=len(values),
            rate=rate,
        )
        weight = 0.7 if flat else 0.3
        for speed, code in PORT_SPEEDS:
            required = case.required_bits_per_second
            if abs(middle - speed) <= NEAR_SPEED * speed and required is not None and required > 1.5 * speed:
                yield Cause(code, weight + 0.05, text)
        yield Cause("flat_rate", weight, text)
    else:
        low, high = megabits_short(min(values)), megabits_short(max(values))
        text = message("slow tests from {low} to {high} Mbit/s", low=low, high=high)
        yield Cause("unstable_rate", 0.3, text)


def _quality(case: Case) -> Iterator[Cause]:
    slow = case.symptoms["slow"]
    if not slow:
        return
    loaded, idle = case.symptoms["delay_under_load"], case.symptoms["idle_jitter_or_loss"]
    if 2 * idle >= slow:
        text = _share(idle, slow, message("{part} of {whole} slow tests: jitter or loss before they began"))
        yield Cause("wireless_or_cable", 0.75, text)
    if 2 * loaded >= slow:
        text = _share(loaded, slow, message("{part} of {whole} slow tests: 0.1 s longer under load"))
        yield Cause("overloaded_line", 0.5, text)


def _room(case: Case) -> Iterator[Cause]:
    down = case.symptoms.of("down")
    failing = case.evidence.valid_results - case.evidence.passing_results
    worst = ", ".join(f"{name} ({count})" for name, count in down.most_common(3))
    listed = message("{failing} polls without a working room; down: {worst}", failing=failing, worst=worst)
    yield Cause("room_down", 0.8, listed)


def _late(case: Case) -> Iterator[Cause]:
    """By tests of the line outside lessons."""
    late = case.symptoms["late"]
    idle = max(case.symptoms["idle_rtt"], case.symptoms["idle_jitter"], case.symptoms["idle_loss"])
    if late and 2 * idle > late:
        yield Cause(
            "delay_idle", 0.8, _share(idle, late, message("{part} of {whole} late tests were late before the load"))
        )
    if late and case.symptoms["loaded_rtt"]:
        loaded = case.symptoms["loaded_rtt"]
        yield Cause("delay_under_load", 0.7, _share(loaded, late, message("{part} of {whole} late tests: under load")))


def _lessons(case: Case) -> Iterator[Cause]:
    """Which limits the bad minutes break; then what disturbed lessons inside the school, which the line's minutes do not show."""
    bad = case.evidence.valid_results - case.evidence.passing_results
    gaps, loss = case.symptoms["minute:gap"], case.symptoms["minute:loss"]
    delay = max(case.symptoms["minute:rtt"], case.symptoms["minute:jitter"])
    for count, code, weight, text in (
        (gaps, "line_interrupted", 0.9, message("{part} of {whole} bad minutes: no answer for 1 s or more")),
        (loss, "lost_in_lessons", 0.8, message("{part} of {whole} bad minutes: too many packets lost")),
        (delay, "late_in_lessons", 0.8, message("{part} of {whole} bad minutes: round trips or jitter too long")),
    ):
        if count and bad:
            yield Cause(code, weight * count / bad, _share(count, bad, text))
    minutes = case.evidence.valid_results
    for place, code in (("lan", "lan_interrupted"), ("recorder", "recorder_interrupted")):
        if (count := case.symptoms[f"inside:{place}"]) and minutes:
            text = _share(count, minutes, message("{part} of {whole} minutes of lessons"))
            yield Cause(code, 0.5 * count / minutes, text)


def _access(case: Case) -> Iterator[Cause]:
    access = case.symptoms.of("access")
    whole = access.total()
    by_code: Counter[str] = Counter()
    for name, count in access.items():
        by_code[_why_no_access(name)] += count
    for code, count in by_code.items():
        yield Cause(code, 0.9 * count / whole, _share(count, whole, message("{part} of {whole} failed requests")))


def _why_no_access(name: str) -> str:
    if name == "slow":
        return "slow_answer"
    kind = name.split("/", 1)[1]
    if kind in (FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED):
        return "name_resolution"
    if kind == FailureKind.INTERCEPTED:
        return "intercepted"
    if kind.startswith("certificate") or kind == FailureKind.TLS_FAILED:
        return "certificate"
    return "server_error" if kind in (FailureKind.HTTP_STATUS, FailureKind.PROTOCOL_ERROR) else "unreachable"


_BANDWIDTH: tuple[Callable[[Case], Iterator[Cause]], ...] = (_port, _gateway, _shape, _quality)
RULES: dict[str, tuple[Callable[[Case], Iterator[Cause]], ...]] = {
    "classroom_bandwidth": _BANDWIDTH,
    "uplink_bandwidth": _BANDWIDTH,
    "recording_room": (_room,),
    "live_class": (_late, _lessons),
    "platform_access": (_access,),
}
