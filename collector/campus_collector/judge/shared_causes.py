"""Do the classrooms of a school fail for one reason? One cause is one problem, not forty. Pure.

When at least two, and four of five, of a school's classrooms fail for the same leading cause, that cause is the school's: its gateway is
silent, its machines are off, or what all classrooms share holds them back. When the uplink fails at about their rate, it is the uplink.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from campus_base.figures import megabits_short
from campus_base.messages import Message, message
from campus_collector.judge.causes import Cause
from campus_collector.judge.verdict import SubjectVerdict
from campus_wire.bandwidth import Verdict

LEAST_SUBJECTS = 2
SHARE = 0.8
ALIKE = 0.1
"""Medians that differ less than this from their middle are one rate."""
NEAR_UPLINK = 0.15
OF_ALL = {"no_report": "agent_silent", "endpoint_off": "all_endpoints_off"}
OF_GATEWAY = ("gateway_busy", "gateway_port")
"""Causes in the gateway: never a cause of forty classrooms each."""
RATES = frozenset({"flat_rate", "shaped", "overloaded_line", "unstable_rate", "port_speed_10", "port_speed_100"})


@dataclass(frozen=True, slots=True)
class SharedCause:
    """One cause for many subjects of a school."""

    school: str
    target: str
    cause: Cause
    subjects: tuple[str, ...]


def may_share(failing: int, judged: int) -> bool:
    """Do so many of a school's classrooms fail that one cause can be the school's?"""
    return failing >= LEAST_SUBJECTS and failing >= SHARE * judged


def shared_cause(classrooms: Sequence[SubjectVerdict], uplink: SubjectVerdict | None) -> SharedCause | None:
    """What the classrooms of one school have in common, if they do; `uplink` is the school's own verdict."""
    judged = [classroom for classroom in classrooms if classroom.verdict is not Verdict.EXEMPT]
    failing = [verdict for verdict in judged if verdict.verdict is not Verdict.MET]
    if not may_share(len(failing), len(judged)):
        return None
    leading = Counter(verdict.diagnosis for verdict in failing)
    silent, off = leading["no_report"], leading["endpoint_off"]
    for code, count in (("no_report", silent), ("endpoint_off", off)):
        if count >= SHARE * len(judged):
            return _shared(failing, Cause(OF_ALL[code], 0.9, _of(count, len(judged))))
    for code in OF_GATEWAY:
        if leading[code] >= SHARE * len(judged):
            return _shared(failing, Cause(code, 0.9, _of(leading[code], len(judged))))
    medians = [verdict.failing_median for verdict in failing if verdict.diagnosis in RATES and verdict.failing_median]
    if len(medians) < SHARE * len(judged):
        return None
    middle = median(medians)
    alike = sum(abs(value - middle) <= ALIKE * middle for value in medians)
    if alike < SHARE * len(medians):
        return None
    rate = megabits_short(middle)
    narrow = uplink.failing_median if uplink is not None and uplink.verdict is Verdict.NOT_MET else None
    if narrow is not None and abs(narrow - middle) <= NEAR_UPLINK * middle:
        words = message(
            "{alike} of {judged} classrooms and the uplink at about {rate} Mbit/s",
            alike=alike,
            judged=len(judged),
            rate=rate,
        )
        return _shared(failing, Cause("uplink_bottleneck", 0.9, words))
    words = message("{alike} of {judged} classrooms at about {rate} Mbit/s", alike=alike, judged=len(judged), rate=rate)
    return _shared(failing, Cause("shared_bottleneck", 0.8, words))


def shared_causes(verdicts: Iterable[SubjectVerdict]) -> dict[str, SharedCause]:
    """Schools whose classrooms fail for one reason, with it; from the verdicts of one month."""
    classrooms: dict[str, list[SubjectVerdict]] = {}
    uplinks: dict[str, SubjectVerdict] = {}
    for verdict in verdicts:
        if verdict.target == "classroom_bandwidth":
            classrooms.setdefault(verdict.school, []).append(verdict)
        elif verdict.target == "uplink_bandwidth":
            uplinks[verdict.school] = verdict
    causes = {school: shared_cause(of_school, uplinks.get(school)) for school, of_school in classrooms.items()}
    return {school: shared for school, shared in causes.items() if shared is not None}


def _shared(failing: Sequence[SubjectVerdict], cause: Cause) -> SharedCause:
    first = failing[0]
    return SharedCause(first.school, first.target, cause, tuple(verdict.subject for verdict in failing))


def _of(count: int, whole: int) -> Message:
    return message("{count} of {whole} classrooms", count=count, whole=whole)
