"""What must come out of a simulated month, and does it? Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from campus_collector.judge.month import Month
from campus_collector.judge.policy import Policy
from campus_collector.judge.shared_causes import LEAST_SUBJECTS, SharedCause
from campus_collector.judge.verdict import SubjectVerdict
from campus_collector.simulate.county import NO_FAULT, County, Fault
from campus_wire.bandwidth import Verdict

FAILING = {
    "": "",
    "dns": "name_resolution",
    "platform_slow": "slow_answer",
    "uplink_flat": "flat_rate",
    "uplink_shaped": "shaped",
    "uplink_bottleneck": "flat_rate",
    "shared_bottleneck": "flat_rate",
    "uplink_delay": "delay_under_load",
    "recorder_down": "room_down",
}
"""The cause of a subject's own that a fault must be found by, where it is not called the same."""
OFF = frozenset({"endpoint_off", "all_endpoints_off", "endpoint_not_running", "gateway_busy"})
SHARED = frozenset({"uplink_bottleneck", "shared_bottleneck", "agent_silent", "gateway_busy", "all_endpoints_off"})


@dataclass(frozen=True, slots=True)
class Expected:
    """The verdict and cause of one subject; None: either will do."""

    verdict: Verdict | None
    cause: str | None


@dataclass(slots=True)
class Comparison:
    """What was judged against what is true."""

    subjects: int = 0
    uncertain: int = 0
    wrong: list[str] = field(default_factory=list)
    causes: int = 0
    wrong_causes: list[str] = field(default_factory=list)
    shared: int = 0
    wrong_shared: list[str] = field(default_factory=list)

    @property
    def cause_ratio(self) -> float:
        return 1 - len(self.wrong_causes) / self.causes if self.causes else 1.0


def compare(
    county: County,
    month: Month,
    until: date,
    policy: Policy,
    verdicts: Iterable[SubjectVerdict],
    shared: Mapping[str, SharedCause],
) -> Comparison:
    """One month; `until` is its last day that was simulated."""
    days = [day for day in month.every_day() if day <= until]
    comparison = Comparison()
    sizes = Counter(room.school for room in county.inventory.classrooms or () if not room.exempt_reason)
    whole = {
        school
        for school, fault in county.schools.items()
        if fault.name in SHARED and _all(fault, days) and sizes[school] >= LEAST_SUBJECTS
    }
    for judged in verdicts:
        expected = _expected(county, judged, days, policy)
        comparison.subjects += 1
        if expected.verdict is None:
            comparison.uncertain += 1
            continue
        name = f"{judged.target} {judged.school}/{judged.subject}"
        if judged.verdict is not expected.verdict:
            comparison.wrong.append(f"{name}: {judged.verdict}, not {expected.verdict}")
        elif expected.cause is not None and expected.verdict is not Verdict.MET:
            comparison.causes += 1
            named_causes = {judged.diagnosis}
            if judged.target == "classroom_bandwidth" and judged.school in shared:
                named_causes.add(shared[judged.school].cause.code)
            if expected.cause not in named_causes:
                comparison.wrong_causes.append(f"{name}: {judged.diagnosis}, not {expected.cause}")
    for school in sorted(whole):
        comparison.shared += 1
        named = shared[school].cause.code if school in shared else "nothing"
        if named != county.schools[school].name:
            comparison.wrong_shared.append(f"{school}: {named}, not {county.schools[school].name}")
    return comparison


def _all(fault: Fault, days: list[date]) -> bool:
    return bool(days) and fault.on(days[-1])


def _expected(county: County, judged: SubjectVerdict, days: list[date], policy: Policy) -> Expected:
    school = county.schools.get(judged.school, NO_FAULT)
    school_days = [day for day in days if policy.is_school_day(day)]
    if judged.verdict is Verdict.EXEMPT:
        return Expected(Verdict.EXEMPT if judged.exempt_reason else None, None)
    rule = judged.rule
    if rule is None or len(school_days) < 2 * rule.min_days:
        return Expected(None, None)  # a month of too few days can go either way
    if judged.target == "classroom_bandwidth":
        room = next(
            room
            for room in county.inventory.classrooms or ()
            if (room.school, room.id) == (judged.school, judged.subject)
        )
        names = Counter(county.of_classroom(room, day) for day in school_days)
    else:
        names = Counter(_of_school(county, judged, school, day) for day in school_days)
    name, share = max(names.items(), key=lambda item: (item[0] != "", item[1]))
    part = names[name] / names.total() if name else 0.0
    if not name:
        return Expected(Verdict.MET, None)
    if name == "noise":
        return Expected(None, None)
    if sum(bool(fault) for fault in names) > 1:
        return Expected(None, None)
    return _broken(name, part, share, names.total(), rule.passing_share, rule.min_days)


def _broken(name: str, part: float, days: int, all_days: int, passing_share: float, min_days: int) -> Expected:
    """A fault that was there on a part of the days. What gives no results leaves the others to be judged."""
    cause = FAILING.get(name, name)
    if name in ("agent_silent", "no_reports", "too_few") or name in OFF:
        left = all_days - days
        if name == "too_few":
            return Expected(None, None) if part < 1 else Expected(Verdict.INSUFFICIENT, None)
        if left >= 2 * min_days:
            return Expected(Verdict.MET, None)
        silent = {"agent_silent": "agent_silent", "no_reports": "no_report"}
        return Expected(None, None) if left else Expected(Verdict.INSUFFICIENT, silent.get(name, cause))
    failing = part if name != "recorder_down" else 0.4 * part
    if failing > 1.3 * (1 - passing_share) + 0.02:
        return Expected(Verdict.NOT_MET, cause if part > 0.5 else None)
    if failing < 0.3 * (1 - passing_share) - 0.02:
        return Expected(Verdict.MET, None)
    return Expected(None, None)


def _of_school(county: County, judged: SubjectVerdict, school: Fault, day: date) -> str:
    """What breaks a subject of the school as a whole on this day."""
    name = school.name if school.on(day) else ""
    if name == "agent_silent":
        return "no_reports"
    if judged.target == "uplink_bandwidth":
        return name if name in ("uplink_flat", "uplink_shaped", "uplink_bottleneck") else ""
    if judged.target == "live_class":
        return name if name == "uplink_delay" else ""
    if judged.target == "platform_access":
        return name if name == "dns" or (name == "platform_slow" and judged.subject == "county") else ""
    room = county.rooms.get(judged.school, NO_FAULT)
    return room.name if room.on(day) else ""
