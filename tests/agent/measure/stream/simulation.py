"""A line with scripted faults, and the observer of the daemon on a simulated clock: no packet is real, and no timing depends on the machine.

The line is scripted by `Fault`s; the reflector's numbers are counted as a stateful Session-Reflector does.
"""

import heapq
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import count
from random import Random

from campus_agent.measure.stream.interruptions import Unfinished
from campus_agent.measure.stream.observer import Answer, Observed, StreamObserver
from campus_wire.records import Interruption, LessonMinute

WALL_AT_ZERO = 1_795_392_000.0
CLOCK_OF_REFLECTOR = 3600.0
"""An hour apart."""


@dataclass(frozen=True)
class Fault:
    """`kind`: up, down, both, held (a queue lets all go at the end), collector, send (the gateway cannot), gateway (both sides of it), lan, recorder,
    slow (`amount` seconds more), lossy (`amount` of the packets), reordering, busy (the gateway does not run)."""

    kind: str
    begin: float
    seconds: float
    amount: float = 0.0

    @property
    def end(self) -> float:
        return self.begin + self.seconds


UP, DOWN = ("up", "both", "gateway", "collector"), ("down", "both", "gateway")
WHERE = {"up": "uplink", "down": "uplink", "both": "uplink", "held": "uplink", "send": "gateway"}


@dataclass
class Simulation:
    """Runs until `seconds`; `minutes` and `interruptions` (the last record of each id) are what the daemon would have sent."""

    faults: Sequence[Fault]
    seconds: float
    seed: int = 1
    rtt: float = 0.016
    devices: tuple[str, ...] = ("rec-1", "rec-2")
    interval: float = 0.05
    start: float = 0.0
    unfinished: Unfinished | None = None
    minutes: list[LessonMinute] = field(default_factory=list)
    reported: dict[str, Interruption] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.random = Random(self.seed)
        ids = count()
        self.observer = StreamObserver(
            self.interval,
            self.devices,
            lambda begin: f"{self.start:.0f}-{next(ids)}",
            self.start,
            WALL_AT_ZERO,
            unfinished=self.unfinished,
        )
        self._order = count()
        self._coming: list[tuple[float, int, str, tuple[object, ...]]] = []
        self._reflected = 0
        self._active: list[Fault] = []
        self._waiting = sorted(self.faults, key=lambda fault: fault.begin)[::-1]
        self._echo_number = 0

    def run(self, *, ends: bool = True) -> "Simulation":
        now, number, tick_at = self.start, 0, self.start
        record_at = self.observer.next_record_at()
        while now < self.seconds:
            self._arrivals(now)
            self._activate(now)
            if not self._is("busy", now):
                self._send(number, now)
                number += 1
                if now >= tick_at:
                    self.observer.tick(now)
                    tick_at = now + 0.5
                self._echo(now)
                if now >= record_at:
                    self._keep(self.observer.take_record(now))
                    record_at = self.observer.next_record_at()
            now += self.interval
        if ends:
            self._keep(self.observer.take_record(now, ends=True))
        return self

    def interruptions(self) -> list[Interruption]:
        return sorted(self.reported.values(), key=lambda each: each.began_at)

    def _keep(self, observed: Observed | None) -> None:
        for interruption in self.observer.settled_before:
            self.reported[interruption.id] = interruption
        self.observer.settled_before.clear()
        if observed is not None:
            self.minutes += observed.minutes
            self.reported |= {each.id: each for each in observed.interruptions}

    def _activate(self, now: float) -> None:
        while self._waiting and self._waiting[-1].begin <= now + 1:
            self._active.append(self._waiting.pop())
        if self._active and self._active[0].end < now - 2:
            self._active = [fault for fault in self._active if fault.end >= now - 2]

    def _is(self, kinds: str | tuple[str, ...], at: float) -> Fault | None:
        kinds = (kinds,) if isinstance(kinds, str) else kinds
        return next((f for f in self._active if f.kind in kinds and f.begin <= at < f.end), None)

    def _later(self, at: float, what: str, *values: object) -> None:
        heapq.heappush(self._coming, (at, next(self._order), what, values))

    def _arrivals(self, now: float) -> None:
        while self._coming and self._coming[0][0] <= now:
            at, _, what, values = heapq.heappop(self._coming)
            if what == "answer":
                number, reflected, sent, reflector_at = values
                self.observer.answered(
                    Answer(number, reflected, at, at - sent, reflector_at + 3600 - sent, at - reflector_at - 3600)  # type: ignore[arg-type, operator]
                )
            elif what == "reflect":
                self._reflect(at, *values)  # type: ignore[arg-type]
            elif what == "host":
                self.observer.host_answered(values[0], at)  # type: ignore[arg-type]
            else:
                self.observer.recorder_answered(what, values[0])  # type: ignore[arg-type]

    def _one_way(self, at: float) -> float:
        delay = self.rtt / 2 + self.random.expovariate(1000.0)
        if not self._active:
            return delay
        slow = self._is("slow", at)
        delay += slow.amount / 2 if slow else 0.0
        return delay + (self.random.choice([0.0, 0.12]) if self._is("reordering", at) else 0.0)

    def _is_lost(self, at: float) -> bool:
        lossy = self._is("lossy", at) if self._active else None
        return self.random.random() < (lossy.amount if lossy else 0.0005)

    def _send(self, number: int, now: float) -> None:
        self.observer.sent(number, now, failed=self._active != [] and self._is("send", now) is not None)
        if (self._active and self._is((*UP, "send"), now)) or self._is_lost(now):
            return
        held = self._is("held", now) if self._active else None
        at = (held.end + number * 1e-5 if held else now) + self._one_way(now)
        self._later(at, "reflect", number, now)

    def _reflect(self, at: float, number: int, sent: float) -> None:
        reflected = self._reflected
        self._reflected += 1
        if (self._active and self._is(DOWN, at)) or self._is_lost(at):
            return
        self._later(at + self._one_way(at), "answer", number, reflected, sent, at)

    def _echo(self, now: float) -> None:
        for device, recorder in self.observer.recorders.items():
            if now >= recorder.due(now):
                self._echo_number += 1
                self.observer.recorder_sent(device, self._echo_number, now)
                is_out = self._is(("lan", "gateway"), now) or (device == "rec-1" and self._is("recorder", now))
                if not is_out:
                    self._later(now + 0.002, device, self._echo_number)
        if self.observer.wants_host_echo(now) and not self._is(("up", "down", "both", "gateway", "send", "held"), now):
            self._later(now + self.rtt, "host", now)
