"""What is concluded from the packets of the stream and the echoes beside it: rows of minutes, and interruptions with their place. Pure.

It is told what was sent and what came, with times of one monotonic clock (seconds), and gives a record for each five minutes of Unix time.
"""

from collections.abc import Callable, Sequence

import msgspec

from campus_agent.measure.stream.interruptions import (
    HELD_BACK_SECONDS,
    KEEPS_RUNNING_SECONDS,
    SHORTEST_SECONDS,
    Direction,
    Silence,
    Unfinished,
    Where,
    placed,
)
from campus_agent.measure.stream.minutes import HOLE_SECONDS, LATE_SECONDS, MINUTE, Holes, MinuteCounts, Packet
from campus_agent.measure.stream.recorders import Recorder
from campus_wire.records import MAX_INTERRUPTIONS, MAX_MINUTES, Interruption, LessonMinute

RECORD_SECONDS = 300.0
SETTLE_SECONDS = 2.5
"""So long after a minute its last answers have come, or are late."""
STILL_OPEN_SECONDS = 3.0
ECHO_AFTER_SECONDS, ECHO_EVERY_SECONDS, ECHO_LATER_SECONDS = 0.5, 0.5, 5.0
NUMBERING_BEGAN_AGAIN = 64
"""A reflector's number so far behind the last one is no reordering."""
SERVER_FORGETS_SECONDS = 600.0
"""A reflector may end a session that was silent for long: then a new numbering says nothing."""


class Answer(msgspec.Struct, frozen=True):
    """One reflected packet. `up` and `down` are the differences of both clocks (receiving less sending): only their changes mean anything."""

    number: int
    reflector_number: int
    at: float
    rtt: float
    up: float = 0.0
    down: float = 0.0


class Observed(msgspec.Struct, frozen=True):
    """What one record says; `begin` on the monotonic clock."""

    begin: float
    minutes: list[LessonMinute]
    interruptions: list[Interruption]


class StreamObserver:
    """One run of the stream. `new_id` gives the id of an interruption that began then (monotonic).

    `expects_answers`: the server has answered before, so that silence from the beginning is an interruption.
    """

    def __init__(
        self,
        interval_seconds: float,
        devices: Sequence[str],
        new_id: Callable[[float], str],
        now: float,
        wall_at_zero: float,
        *,
        unfinished: Unfinished | None = None,
        expects_answers: bool = True,
    ) -> None:
        self.recorders = {device: Recorder(device, new_id) for device in devices}
        self.answers = 0
        self.settled_before: list[Interruption] = []
        """Interruptions of an earlier run that are complete now; whoever takes them empties the list."""
        self._interval, self._new_id, self._wall_at_zero = interval_seconds, new_id, wall_at_zero
        self._began = self._record_begin = now
        self._expects_answers = expects_answers
        self._packets: dict[int, Packet] = {}
        self._minutes: list[MinuteCounts] = []
        self._holes = Holes()
        self._highest = Packet(-1, now - interval_seconds)
        self._highest_reflected: int | None = None
        self._arrived_at = self._last_sent_at = now
        self._usual_rtt = self._usual_up = self._usual_down = 0.0
        self._ended: list[Silence] = []
        self._open_id = ""
        self._unfinished = unfinished
        self._restart_silence()
        if unfinished is not None and now + wall_at_zero - unfinished.last_at > KEEPS_RUNNING_SECONDS:
            self._settle_unfinished(None)

    def _restart_silence(self) -> None:
        self._sent = self._failed = 0
        self._refused = False
        self._echoes: list[tuple[float, float]] = []
        self._next_echo = 0.0

    # what happened

    def sent(self, number: int, at: float, *, failed: bool = False) -> None:
        """A packet was sent, or refused by the gateway's own network."""
        if at - self._last_sent_at > max(HOLE_SECONDS, 5 * self._interval):
            self._holes.add(self._last_sent_at + self._interval, at)
            for recorder in self.recorders.values():
                recorder.skip(at)
        self._last_sent_at = at
        packet = self._packets[number] = Packet(number, at)
        self._minute_of(at).packets.append(packet)
        self._sent += 1
        self._failed += failed

    def refused(self) -> None:
        """The server's machine says that nobody listens (ICMP port unreachable)."""
        self._refused = True

    def answered(self, answer: Answer) -> None:
        """A reflected packet came; duplicates change nothing."""
        packet = self._packets.get(answer.number)
        if packet is not None and packet.answered:
            return
        self.answers += 1
        missing = self._advance(answer, packet)
        if answer.at - self._arrived_at >= SHORTEST_SECONDS / 2:
            self._note_gap(self._arrived_at, answer.at)
        if packet is not None:
            packet.answered = True
            if answer.rtt <= LATE_SECONDS:
                packet.rtt = answer.rtt
                self._learn(answer)
            else:
                packet.down = answer.down - self._usual_down > answer.up - self._usual_up
        if missing is None and packet is not None:
            self._minute_of(packet.at).reordered += 1
        if answer.at - self._arrived_at < SHORTEST_SECONDS / 2:
            self._note_gap(self._arrived_at, answer.at)
        self._arrived_at = max(self._arrived_at, answer.at)
        self._sent = self._failed = 0
        if self._echoes or self._refused or self._next_echo:
            self._restart_silence()

    def _learn(self, answer: Answer) -> None:
        if self._highest_reflected is None or self._usual_rtt == 0.0:
            self._usual_rtt = answer.rtt
        self._usual_rtt += (answer.rtt - self._usual_rtt) / 16
        self._usual_up, self._usual_down = answer.up, answer.down

    def host_answered(self, sent_at: float, arrived_at: float) -> None:
        """The server's machine answered an echo."""
        self._echoes.append((sent_at, arrived_at))

    # what follows from it

    def _advance(self, answer: Answer, packet: Packet | None) -> int | None:
        """Packets missing before this one, whose loss is given a direction; None where it is not the newest."""
        before, reflected = self._highest, self._highest_reflected
        if answer.number <= before.number:
            return None
        missing = answer.number - before.number - 1
        down = 0
        counted = None if reflected is None else answer.reflector_number - reflected
        if counted is not None and counted > 0:
            down = min(missing, max(0, counted - 1))
        began_again = (
            counted is not None
            and counted <= 0
            and (counted < -NUMBERING_BEGAN_AGAIN or (answer.reflector_number < NUMBERING_BEGAN_AGAIN and missing > 0))
        )
        if down:
            self._lost_down(before.number + 1, before.number + down)
        self._end_silence(answer, packet, missing, down, counted, began_again=began_again)
        self._highest = packet or Packet(answer.number, before.at + (missing + 1) * self._interval)
        if counted is None or counted > 0 or began_again:
            self._highest_reflected = answer.reflector_number
        return missing

    def _lost_down(self, first: int, last: int) -> None:
        """The reflector counted these: their answers were lost."""
        for minute in self._minutes:
            if minute.packets and minute.packets[-1].number >= first:
                minute.found_down(first, last)

    def _end_silence(
        self,
        answer: Answer,
        packet: Packet | None,
        missing: int,
        down: int,
        counted: int | None,
        *,
        began_again: bool,
    ) -> None:
        """Was the time before this answer an interruption?"""
        if answer.at - self._arrived_at < SHORTEST_SECONDS / 2 and self._unfinished is None:
            return
        begin, end = self._highest.at + self._interval, answer.at - self._usual_rtt
        if missing and packet is not None and answer.rtt - self._usual_rtt < HELD_BACK_SECONDS:
            end = packet.at
        if self._unfinished is not None:
            goes_on = self._seconds(self._began, end) >= SHORTEST_SECONDS / 2
            self._settle_unfinished(end if goes_on else None)
            if goes_on:
                return
        seconds = self._seconds(begin, end)
        if seconds < SHORTEST_SECONDS - self._interval / 2 or not self._counts():
            self._open_id = ""
            return
        begin, end = self._holes.trimmed(begin, end)
        lost = missing or max(0, round((seconds - LATE_SECONDS) / self._interval))
        direction: Direction = "both"
        if missing and counted is not None and not began_again:
            direction = "up" if not down else "down" if down == missing else "both"
        elif not missing:
            direction = "down" if answer.down - self._usual_down > answer.up - self._usual_up else "up"
        self._refused |= began_again and seconds < SERVER_FORGETS_SECONDS
        where = self._where(begin, answer.at)
        self._ended.append(Silence(self._open_id or self._new_id(begin), begin, end, direction, where, lost))
        self._open_id = ""

    def _counts(self) -> bool:
        """Is silence a finding? Not while a server that never answered may not exist."""
        return self._expects_answers or self._highest.number >= 0

    def _seconds(self, begin: float, end: float) -> float:
        """The time of an interruption in which the gateway was sending; 0 where nothing is left."""
        begin, end = self._holes.trimmed(begin, end)
        return max(0.0, end - begin - self._holes.seconds(begin, end))

    def _where(self, begin: float, until: float) -> Where:
        if self._failed * 2 > self._sent:
            return "gateway"
        margin = self._interval + 0.1
        reached = any(sent >= begin + 0.1 and arrived <= until - margin for sent, arrived in self._echoes)
        return "collector" if self._refused or reached else "uplink"

    def _settle_unfinished(self, end: float | None) -> None:
        """The interruption of the run before: it ended then (monotonic), or as far as it was observed."""
        if self._unfinished is not None:
            self.settled_before.append(self._unfinished.ended(None if end is None else end + self._wall_at_zero))
            self._unfinished = None

    def _note_gap(self, start: float, end: float) -> None:
        """The time between two answers, in each minute that it touches."""
        seconds = end - start
        if seconds > HOLE_SECONDS:
            seconds -= self._holes.seconds(start, end)
        for minute in reversed(self._minutes):
            if minute.end <= start:
                break
            if minute.start < end and minute.longest_gap < seconds:
                minute.longest_gap = seconds

    def _minute_of(self, at: float) -> MinuteCounts:
        """The minute of this moment; minutes between, in which nothing happened, come into being too."""
        if self._minutes and self._minutes[-1].start <= at < self._minutes[-1].end:
            return self._minutes[-1]
        for minute in reversed(self._minutes):
            if minute.start <= at < minute.end:
                return minute
        start = self._minute_start(at)
        if self._minutes and abs(start - self._minutes[-1].start) < MINUTE / 2:
            return self._minutes[-1]
        if self._minutes:
            between = self._minutes[-1].end
            while start - between > MINUTE / 2 and len(self._minutes) < MAX_MINUTES:
                self._minutes.append(MinuteCounts(between))
                between += MINUTE
        self._minutes.append(MinuteCounts(start))
        return self._minutes[-1]

    def _minute_start(self, at: float) -> float:
        return (at + self._wall_at_zero) // MINUTE * MINUTE - self._wall_at_zero

    # what is asked of it

    def wants_host_echo(self, now: float) -> bool:
        """Is it time to ask whether the server's machine is there at all?"""
        silent = now - self._arrived_at
        if silent < ECHO_AFTER_SECONDS + self._usual_rtt or now < self._next_echo:
            return False
        self._next_echo = now + (ECHO_EVERY_SECONDS if silent < 30 else ECHO_LATER_SECONDS)
        return True

    def tick(self, now: float) -> None:
        """Settle what is old enough."""
        for recorder in self.recorders.values():
            recorder.tick(now)
            for at in recorder.lost_at:
                self._minute_of(at).lan_lost += 1
            recorder.lost_at.clear()
        for minute in self._minutes:
            if not minute.is_settled and minute.end + SETTLE_SECONDS <= now:
                for packet in minute.packets:
                    del self._packets[packet.number]
                minute.settle()

    def recorder_sent(self, device: str, number: int, at: float) -> None:
        """An echo to a recorder was sent."""
        if self.recorders[device].sent(number, at):
            self._minute_of(at).lan_sent += 1

    def recorder_answered(self, device: str, number: int) -> None:
        """An echo of a recorder came back."""
        ended = self.recorders[device].answered(number)
        if ended is not None:
            self._ended.append(ended)

    def open(self, now: float) -> Silence | None:
        """The interruption of the stream that goes on, if there is one."""
        begin = self._highest.at + self._interval
        if now - self._arrived_at < SHORTEST_SECONDS or not self._counts():
            return None
        if self._seconds(begin, self._last_sent_at) < SHORTEST_SECONDS - self._interval / 2:
            return None
        begin, _ = self._holes.trimmed(begin, now)
        self._open_id = self._open_id or self._new_id(begin)
        return Silence(self._open_id, begin, None, "both", self._where(begin, now), self._sent)

    def unfinished(self, now: float) -> Unfinished | None:
        """What a next run has to know."""
        if self._unfinished is not None:
            if self.answers:
                return None
            return msgspec.structs.replace(self._unfinished, last_at=self._last_sent_at + self._wall_at_zero)
        silence = self.open(now)
        if silence is None:
            return None
        return Unfinished(silence.record(self._wall_at_zero), self._last_sent_at + self._wall_at_zero)

    def next_record_at(self) -> float:
        """When the record that is being gathered can be taken."""
        begin = self._record_begin + self._wall_at_zero
        return ((begin + 1.0) // RECORD_SECONDS + 1) * RECORD_SECONDS - self._wall_at_zero + SETTLE_SECONDS

    def take_record(self, now: float, *, ends: bool = False) -> Observed | None:
        """The record up to `next_record_at`, or, when the run `ends`, up to now; None where nothing was observed."""
        until = now if ends else self.next_record_at() - SETTLE_SECONDS
        if ends and self.open(now) is None:
            for minute in self._minutes[-2:]:
                minute.leave_out_after(now - LATE_SECONDS)
        self.tick(now + (SETTLE_SECONDS + MINUTE if ends else 0.0))
        if now - self._arrived_at > HOLE_SECONDS:
            self._note_gap(self._arrived_at, min(until, self._last_sent_at))
        taken = [minute for minute in self._minutes if minute.start < until - 1.0]
        self._minutes = [] if ends else [minute for minute in self._minutes if minute.start >= until - 1.0]
        rows = [minute.row(self._wall_at_zero, self._unknown_seconds(minute, now)) for minute in taken]
        interruptions = [silence.record(self._wall_at_zero) for silence in self._take_silences(now, ends=ends)]
        if self._unfinished is not None:  # that of the run before goes on
            interruptions.append(self._unfinished.interruption)
        begin, self._record_begin = self._record_begin, until
        self._holes.forget_before(min(until, self._highest.at) - 1.0)
        if not rows and not interruptions:
            return None
        return Observed(begin, rows[-MAX_MINUTES:], interruptions[-MAX_INTERRUPTIONS:])

    def _unknown_seconds(self, minute: MinuteCounts, now: float) -> float:
        before = max(0.0, self._began - minute.start)
        after = max(0.0, minute.end - max(minute.start, min(now, self._last_sent_at + 1.0)))
        return before + self._holes.seconds(minute.start, minute.end) + (after if after > HOLE_SECONDS else 0.0)

    def _take_silences(self, now: float, *, ends: bool) -> list[Silence]:
        """What ended, at its place; what goes on too. What ended just now may have company that goes on: it waits for the next record."""
        latest = now if ends else now - STILL_OPEN_SECONDS
        ended = [each for each in self._ended if each.end is not None and each.end <= latest]
        self._ended = [each for each in self._ended if each not in ended]
        going_on = [each for each in (recorder.open(now) for recorder in self.recorders.values()) if each is not None]
        if (stream := self.open(now)) is not None and self._unfinished is None:
            going_on.append(stream)
        everything = sorted([*ended, *going_on], key=lambda each: each.begin)
        of_stream = [each for each in everything if not each.device]
        of_recorders = [each for each in everything if each.device]
        return placed(of_stream, of_recorders, list(self.recorders), now)
