"""In how many timetabled lessons was a recording room used, by what its recorders say: recording, or a stream that flows. Pure.

A figure, never a target. What no poll of the lesson says is not known: a recorder that does not answer, or that tells neither, was not "not used".
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Literal

import msgspec

from campus_collector.judge.lesson_minutes import LessonTime, lesson_at, spans_of
from campus_collector.judge.rules import has_trusted_time
from campus_wire.records import AnyResult, DeviceResult, outcome_of

Use = Literal["recorded", "streamed", "unused"]
USES: tuple[Use, ...] = ("recorded", "streamed", "unused")
"""The strongest first: a lesson that was recorded at one poll was recorded."""
NETWORK_ROOM = "network"
"""What belongs to no recording room, such as a switch."""
LessonKey = tuple[str, date, tuple[int, int]]
"""Room, day, and the lesson as minutes since midnight."""


class LessonUse(msgspec.Struct, frozen=True):
    """Lessons of a school's recording rooms, one of each room: `timetabled` of those rooms whose recorders ever say; the others by what they said.

    `streamed` was not recorded as far as is known, but a stream flowed in it.
    """

    rooms: int = 0
    timetabled: int = 0
    recorded: int = 0
    streamed: int = 0
    unused: int = 0

    @property
    def unknown(self) -> int:
        """Of which no recorder said anything."""
        return max(0, self.timetabled - self.recorded - self.streamed - self.unused)


def use_of(readings: Mapping[str, float]) -> Use | None:
    """What one poll of a recorder says; None where it says nothing of its use."""
    recording, stream = readings.get("recording"), readings.get("stream_up")
    if recording is not None and recording > 0:
        return "recorded"
    rate = readings.get("stream_bits_per_second")
    if stream is not None or rate is not None:
        return "streamed" if (stream is None or stream > 0) and (rate is None or rate > 0) else "unused"
    return None if recording is None else "unused"


def uses_of(results: Iterable[AnyResult], when: LessonTime) -> dict[LessonKey, Use]:
    """By lesson: the strongest that any recorder of its room said in it. `results` of other kinds and devices say nothing."""
    uses: dict[LessonKey, Use] = {}
    for result in results:
        if not isinstance(result, DeviceResult) or result.record is None or result.record.room == NETWORK_ROOM:
            continue
        use = use_of(result.record.readings) if result.record.up else None
        if use is None or outcome_of(result) != "ok" or not has_trusted_time(result):
            continue
        local = result.started_at.astimezone(when.zone)
        lesson = lesson_at(local, when.hours, when.is_workday)
        if lesson is None or when.is_left_out(local):
            continue
        key = (result.record.room, local.date(), lesson)
        uses[key] = min(uses.get(key, use), use, key=USES.index)
    return uses


def lesson_use(results: Iterable[AnyResult], when: LessonTime, days: Iterable[date], now: datetime) -> LessonUse:
    """Of these days, as far as their lessons have begun by `now`."""
    uses = uses_of(results, when)
    rooms = len({room for room, _, _ in uses})
    local = now.astimezone(when.zone)
    minute = local.hour * 60 + local.minute
    spans = spans_of(when.hours)
    begun = sum(
        sum(day < local.date() or start <= minute for start, _ in spans)
        for day in days
        if day <= local.date() and when.is_workday(day)
    )
    counts = {use: sum(each == use for each in uses.values()) for use in USES}
    return LessonUse(rooms, max(rooms * begun, len(uses)), **counts)
