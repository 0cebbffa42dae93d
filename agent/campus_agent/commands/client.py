"""Asks the collector for commands by a request that it holds, and reports on them. Outbound only.

A proxy may cut a request that is held, and an address translation may forget it: then the next one is held for half as long, and never again for longer.
"""

import contextlib
from math import ceil
from random import Random
from time import monotonic

import msgspec

from campus_agent.config.model import Collector
from campus_agent.ship.backoff import delay_seconds, http_date, retry_after_seconds, wait_seconds
from campus_agent.ship.connection import CollectorAnswer, CollectorConnection, ShipFailed
from campus_wire.codec import compress
from campus_wire.commands import MAX_HOLD_SECONDS, Command, CommandReport, Commands
from campus_wire.failures import FailureKind

PATH = "/v1/commands"
FIRST_HOLD_SECONDS, LEAST_HOLD_SECONDS = 50.0, 15.0
"""Proxies cut after 60 s by default, some after 30 s."""
ANSWER_SECONDS = 20.0
"""What a held request may take beyond its time."""
REPORT_SECONDS = 30.0
LEAST_PAUSE_SECONDS = 1.0
OLD_COLLECTOR_SECONDS = 3600.0
_CUT_STATUS = frozenset({408, 499, 502, 504})
_CUT_KINDS = frozenset({FailureKind.CONNECTION_RESET, FailureKind.TIMEOUT})


class HoldTime:
    """For how long requests are to be held: doubled while nothing cuts them, at most `MAX_HOLD_SECONDS`. Pure."""

    def __init__(self) -> None:
        self.seconds = FIRST_HOLD_SECONDS
        self._ceiling = MAX_HOLD_SECONDS

    def held(self) -> None:
        """One was held for its whole time."""
        self.seconds = min(self._ceiling, 2 * self.seconds)

    def cut(self) -> None:
        """One was cut."""
        self.seconds = self._ceiling = max(LEAST_HOLD_SECONDS, self.seconds / 2)


class Polled(msgspec.Struct, frozen=True):
    """What a request brought, and how long to wait before the next; `received_at` by the monotonic clock."""

    commands: list[Command] = []
    pause_seconds: float = LEAST_PAUSE_SECONDS
    received_at: float = 0.0


class CommandClient:
    """The exchanges of one gateway about commands."""

    def __init__(self, collector: Collector, rng: Random) -> None:
        self._collector, self._rng = collector, rng
        self._connection = CollectorConnection(collector, exchange_seconds=MAX_HOLD_SECONDS + ANSWER_SECONDS)
        self._hold = HoldTime()
        self._tag: str | None = None
        self._failures = 0

    def poll(self) -> Polled:
        """Wait for commands; blocks for as long as the collector holds the request."""
        began, seconds = monotonic(), ceil(self._hold.seconds) if self._tag is not None else 0
        self._connection.exchange_seconds = seconds + ANSWER_SECONDS
        try:
            answer = self._connection.fetch(f"{PATH}?wait={seconds}", self._tag)
        except ShipFailed as failed:
            if failed.failure.kind in _CUT_KINDS and monotonic() - began > LEAST_HOLD_SECONDS / 2:
                self._hold.cut()
            return self._failed(None, permanent=False)
        elapsed = answer.received_at - began
        if answer.status in (200, 304):
            self._failures = 0
            if answer.status == 304 and seconds and elapsed > seconds / 2:
                self._hold.held()
            return self._listed(answer, elapsed)
        if answer.status in _CUT_STATUS and elapsed > LEAST_HOLD_SECONDS / 2:
            self._hold.cut()
        if answer.status == 404:  # a collector that knows no commands yet
            return Polled(pause_seconds=OLD_COLLECTOR_SECONDS * self._rng.uniform(0.8, 1.2))
        return self._failed(answer, permanent=answer.status in (400, 401, 403))

    def report(self, command_id: str, report: CommandReport) -> bool | None:
        """Does the collector accept it? None: there was no answer, or not now."""
        connection = CollectorConnection(self._collector, exchange_seconds=REPORT_SECONDS)
        try:
            answer = connection.post(f"{PATH}/{command_id}", compress(msgspec.json.encode(report)))
        except ShipFailed:
            return None
        finally:
            connection.close()
        if answer.status == 200:
            return True
        return False if 400 <= answer.status < 500 and answer.status not in (401, 408, 429) else None

    def forget_list(self) -> None:
        """The next request is answered at once, with all that waits: something of the last list was not taken."""
        self._tag = None

    def hang_up(self) -> None:
        """End a request that is held, from another thread; none begins after it."""
        self._connection.hang_up()

    def _listed(self, answer: CollectorAnswer, elapsed: float) -> Polled:
        self._tag = answer.tag
        pause = max(0.0, LEAST_PAUSE_SECONDS - elapsed) if answer.tag is not None else OLD_COLLECTOR_SECONDS
        if answer.status == 200:
            with contextlib.suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                listed = msgspec.json.decode(answer.body, type=Commands)
                return Polled(listed.commands, pause, answer.received_at)
            return Polled(pause_seconds=OLD_COLLECTOR_SECONDS)
        return Polled(pause_seconds=pause)

    def _failed(self, answer: CollectorAnswer | None, *, permanent: bool) -> Polled:
        self._failures += 1
        if answer is None:
            return Polled(pause_seconds=delay_seconds(self._failures, self._rng))
        now = http_date(answer.date)
        requested = retry_after_seconds(answer.retry_after, now) if now is not None else None
        return Polled(pause_seconds=wait_seconds(self._failures, requested, permanent, self._rng))
