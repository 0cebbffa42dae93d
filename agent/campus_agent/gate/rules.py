"""Who may start a load when: the one table of rules, and the decision by them. Pure.

| situation                                            | schedule    | latency     | terminal    | browser     | office      |
| ---------------------------------------------------- | ----------- | ----------- | ----------- | ----------- | ----------- |
| lessons or blackout days, and nobody knows the time  | refused     | refused     | allowed     | refused     | refused     |
| blackout day                                         | refused     | refused     | refused     | refused     | refused     |
| lesson, or too little time before the next           | refused     | allowed     | allowed     | refused     | refused     |
| the day's bytes do not suffice                       | refused     | allowed     | allowed     | refused     | refused     |
| as many tests in the last hour as allowed            | allowed     | allowed     | allowed     | refused     | allowed     |
| another test holds the segment                       | waits 30 s  | waits 30 s  | waits 90 s  | waits 30 s  | waits 90 s  |
| uplink: the test server is taken                     | waits 60 s  | allowed     | waits 90 s  | allowed     | waits 60 s  |
| uplink: the collector cannot be asked for a slot     | refused     | allowed     | allowed     | allowed     | refused     |
| other traffic on the line, or a busy CPU             | refused     | allowed     | allowed     | refused     | refused     |

`schedule`: throughput tests of the daemon. `latency`: its latency tests, a few packets, which only must not meet a load.
`terminal`: `campus-agent measure`. A person who looks for a fault must be able to test in a lesson, beyond the day's bytes (what is spent counts
all the same), on a busy line (the result says so), without a collector, and on a new gateway whose clock was never set: whoever sits there knows
the day. Not on a blackout day: during national examinations nothing active is sent by anybody.
`office`: a test that the bureau asks for (`commands`): as strict as the schedule, and it waits longer for another test to end.
`browser`: the classroom page, for anybody in the school; `[page] in_lessons` allows lessons, `[page] tests_per_hour` is the hour's number.
"""

from enum import StrEnum

import msgspec

from campus_agent.config.model import Page
from campus_wire.failures import SkipReason


class LoadRules(msgspec.Struct, frozen=True):
    """One column of the table; the strictest unless something is allowed."""

    needs_time: bool = True
    in_lessons: bool = False
    beyond_budget: bool = False
    segment_wait_seconds: float = 30.0
    slot_wait_seconds: float | None = 60.0
    """None: no slot is needed. The segment is held meanwhile: nobody at the terminal must wait longer for it than for a test."""
    needs_collector: bool = True
    needs_quiet: bool = True
    most_per_hour: int | None = None


SCHEDULE = LoadRules()
LATENCY = msgspec.structs.replace(
    SCHEDULE, in_lessons=True, beyond_budget=True, slot_wait_seconds=None, needs_quiet=False
)
TERMINAL = LoadRules(
    needs_time=False,
    in_lessons=True,
    beyond_budget=True,
    segment_wait_seconds=90.0,  # longer than any test takes
    slot_wait_seconds=90.0,
    needs_collector=False,
    needs_quiet=False,
)
OFFICE = msgspec.structs.replace(SCHEDULE, segment_wait_seconds=90.0)
BROWSER = msgspec.structs.replace(SCHEDULE, slot_wait_seconds=None, most_per_hour=Page().tests_per_hour)


def browser_rules(page: Page) -> LoadRules:
    """The column `browser` as the school has configured it."""
    return msgspec.structs.replace(BROWSER, in_lessons=page.in_lessons, most_per_hour=page.tests_per_hour)


class GateReason(StrEnum):
    """Reasons that are no `SkipReason`: the schedule waits for the time without counting a skip, and has no number per hour."""

    TIME_UNKNOWN = "time_unknown"
    HOURLY_LIMIT = "hourly_limit"


class NoPermit(msgspec.Struct, frozen=True):
    """Why a load may not start now, with a detail for a technician."""

    reason: SkipReason | GateReason
    detail: str = ""


class Situation(msgspec.Struct, frozen=True):
    """The inputs of the decision at this moment. `free_seconds`: until the next lesson or blackout day, 0 in a lesson."""

    time_is_unknown: bool = False
    blackout: bool = False
    free_seconds: float = float("inf")
    bytes_left: int = 0
    tests_in_last_hour: int = 0


def refusal(rules: LoadRules, situation: Situation, seconds: float, needed_bytes: int) -> NoPermit | None:
    """Why a load of at most `seconds`, worth a start with `needed_bytes`, may not start; None when it may."""
    if rules.needs_time and situation.time_is_unknown:
        return NoPermit(GateReason.TIME_UNKNOWN, "the clock is behind, and the collector has not told the time")
    if situation.blackout:
        return NoPermit(SkipReason.BLACKOUT, "nothing active is sent on a blackout day")
    if not rules.in_lessons and situation.free_seconds < seconds:
        detail = f"{situation.free_seconds:.0f} s of free time are left, the test may take {seconds:.0f} s"
        return NoPermit(SkipReason.LESSON, detail)
    if rules.most_per_hour is not None and situation.tests_in_last_hour >= rules.most_per_hour:
        return NoPermit(GateReason.HOURLY_LIMIT, f"{situation.tests_in_last_hour} tests in the last hour")
    if not rules.beyond_budget and situation.bytes_left < needed_bytes:
        detail = f"{situation.bytes_left} bytes are left today, the test may need {needed_bytes}"
        return NoPermit(SkipReason.BYTE_BUDGET, detail)
    return None
