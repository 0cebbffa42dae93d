"""Interruptions: a second or more without an answer, where they were, and those that go on over a restart. Pure; times as in `minutes`.

Begin and end are times of sending. The beginning is when the first packet without an answer was sent; the end is when the first packet was sent that was
answered, or, where the line held packets back and let them go, when a packet would have been sent to come with the first of them.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import msgspec

from campus_wire.records import Interruption

SHORTEST_SECONDS = 1.0
Direction = Literal["up", "down", "both"]
Where = Literal["recorder", "lan", "uplink", "collector", "gateway"]
OVERLAP = 0.5
"""Two interruptions that share at least this part of the shorter one are one cause."""
HELD_BACK_SECONDS = 0.5
KEEPS_RUNNING_SECONDS = 600.0
"""An interruption goes on over a restart that takes no longer."""


class Silence(msgspec.Struct):
    """A time without answers, of the stream (`device` "") or of a recorder; `end` None while it lasts."""

    id: str
    begin: float
    end: float | None
    direction: Direction = "both"
    where: Where = "uplink"
    lost: int = 0
    device: str = ""

    def seconds(self, now: float) -> float:
        return (now if self.end is None else self.end) - self.begin

    def shares(self, other: "Silence", now: float) -> bool:
        """Do both have one cause?"""
        end, other_end = (now if each.end is None else each.end for each in (self, other))
        common = min(end, other_end) - max(self.begin, other.begin)
        return common >= OVERLAP * max(0.001, min(end - self.begin, other_end - other.begin))

    def record(self, wall_at_zero: float) -> Interruption:
        """As it travels, to the millisecond."""
        began, ended = (
            None if at is None else datetime.fromtimestamp(round(at + wall_at_zero, 3), UTC)
            for at in (self.begin, self.end)
        )
        assert began is not None
        return Interruption(self.id, began, ended, self.direction, self.where, self.lost, self.device or None)


class Unfinished(msgspec.Struct, frozen=True):
    """An interruption that goes on, kept over a restart; `last_at`: until when it was observed, Unix time."""

    interruption: Interruption
    last_at: float

    def ended(self, at: float | None = None) -> Interruption:
        """Complete: it lasted until then, or as long as it was observed."""
        end = datetime.fromtimestamp(round(max(self.last_at if at is None else at, self.began), 3), UTC)
        return msgspec.structs.replace(self.interruption, ended_at=end)

    @property
    def began(self) -> float:
        return self.interruption.began_at.timestamp()


def placed(
    stream: Sequence[Silence], recorders: Sequence[Silence], devices: Sequence[str], now: float
) -> list[Silence]:
    """The interruptions of one time, each at its place: what all recorders have in common is the network's, with the stream too the gateway's."""
    left = list(recorders)
    answer: list[Silence] = []
    for group in _of_all(recorders, devices, now):
        stream_too = next((each for each in stream if all(each.shares(part, now) for part in group)), None)
        if stream_too is None and len(devices) < 2:
            continue  # the only recorder: itself
        left = [each for each in left if each not in group]
        if stream_too is not None:
            stream_too.where, stream_too.direction = "gateway", "both"
        else:
            answer.append(_joined(group))
    return [*stream, *answer, *left]


def _of_all(silences: Sequence[Silence], devices: Sequence[str], now: float) -> list[list[Silence]]:
    """Groups with one silence of each device that share their time."""
    groups: list[list[Silence]] = []
    if not devices:
        return groups
    for first in silences:
        if first.device != devices[0]:
            continue
        group = [first]
        for device in devices[1:]:
            partner = next((each for each in silences if each.device == device and each.shares(first, now)), None)
            if partner is not None:
                group.append(partner)
        if len(group) == len(devices):
            groups.append(group)
    return groups


def _joined(group: Sequence[Silence]) -> Silence:
    """One interruption of the whole network: from the middle of the beginnings until the first recorder is back."""
    ends = [each.end for each in group]
    end = None if None in ends else min(each for each in ends if each is not None)
    begin = sum(each.begin for each in group) / len(group)
    return Silence(group[0].id, begin, end, "both", "lan", sum(each.lost for each in group))
