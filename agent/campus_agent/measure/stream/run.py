"""One run of the stream: sends at its pace, and asks for the rest now and then."""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import Any

from campus_agent.clock.clock import Clock
from campus_agent.measure.stream.observer import Observed, StreamObserver
from campus_agent.measure.stream.sender import Echo, StreamSocket

BESIDE_SECONDS, RECEIVE_SECONDS, TICK_SECONDS = 0.1, 0.25, 0.5
LOOK_SECONDS = 15.0
MOST_BEHIND_PACKETS = 4
"""A sender that is further behind begins anew from now: a burst of packets would measure itself."""

_Report = Callable[[Observed | None], Coroutine[Any, Any, None]]
_MayGoOn = Callable[[], Coroutine[Any, Any, bool]]


class StreamRun:
    """`recorders` are the echoes to each required recorder, `host` those to the server's machine."""

    def __init__(
        self,
        sock: StreamSocket,
        recorders: Mapping[str, Echo],
        host: Echo | None,
        observer: StreamObserver,
        clock: Clock,
        interval_seconds: float,
        is_paused: Callable[[], bool] = lambda: False,
    ) -> None:
        """While `is_paused` nothing is sent: a load test of the same line would be taken for its fault. The time is unknown."""
        self._is_paused = is_paused
        self._sock, self._recorders, self._host, self._observer = sock, recorders, host, observer
        self._clock, self._interval = clock, interval_seconds
        self._background: asyncio.Future[Any] | None = None
        self._number = 0
        self._next_at = self._beside_at = self._receive_at = self._tick_at = self._look_at = 0.0
        self._over: asyncio.Future[None]
        self._timer: asyncio.Handle
        self._report: _Report
        self._may_go_on: _MayGoOn
        sock.answered, sock.refused = observer.answered, observer.refused
        for device, echo in recorders.items():
            echo.answered = partial(self._recorder_answered, device)

    def _recorder_answered(self, device: str, number: int, _: float) -> None:
        self._observer.recorder_answered(device, number)

    async def until_over(self, report: _Report, may_go_on: _MayGoOn) -> None:
        """Until `may_go_on`, asked now and then, says no, or until cancelled: then too what was observed is reported."""
        self._report, self._may_go_on = report, may_go_on
        self._over = asyncio.get_running_loop().create_future()
        self._next_at = self._beside_at = self._clock.monotonic()
        self._look_at = self._next_at + LOOK_SECONDS
        self._timer = asyncio.get_running_loop().call_soon(self._step)
        try:
            await self._over
        finally:
            self._timer.cancel()
            if self._background is not None:
                with contextlib.suppress(Exception):
                    await self._background
            self._sock.receive()
            await report(self._observer.take_record(self._clock.monotonic(), ends=True))

    def _step(self) -> None:
        """One packet, and what is due beside it. A timer and not a task that sleeps: that would wake up twice for each packet."""
        if self._over.done():
            return
        try:
            now = self._wait_for_load() if self._is_paused() else self._send()
            if now >= self._beside_at:
                self._beside_at = now + BESIDE_SECONDS
                self._beside(now)
                if self._is_over():
                    self._over.set_result(None)
                    return
                self._begin_background(now)
        except Exception as error:
            self._over.set_exception(error)
            return
        wait = max(0.0, self._next_at - self._clock.monotonic())
        self._timer = asyncio.get_running_loop().call_later(wait, self._step)

    def _wait_for_load(self) -> float:
        """Nothing is sent; what still comes is read as always."""
        now = self._clock.monotonic()
        self._next_at = now + BESIDE_SECONDS
        return now

    def _send(self) -> float:
        """The next packet; when it was sent."""
        at, taken = self._sock.send(self._number)
        self._observer.sent(self._number, at, failed=not taken)
        self._number += 1
        is_behind = at - self._next_at > self._interval * MOST_BEHIND_PACKETS
        self._next_at = (at if is_behind else self._next_at) + self._interval
        return at

    def _begin_background(self, now: float) -> None:
        """A record that is complete, or the question whether to go on: one at a time, while packets go out."""
        if self._background is not None:
            return
        if now >= self._observer.next_record_at():
            self._sock.receive()
            self._background = asyncio.ensure_future(self._report(self._observer.take_record(now)))
        elif now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            self._sock.receive()
            self._background = asyncio.ensure_future(self._may_go_on())

    def _is_over(self) -> bool:
        """Has the work beside the sending ended with a no? Raises what ended it else."""
        if self._background is None or not self._background.done():
            return False
        answer, self._background = self._background.result(), None
        return answer is False

    def _beside(self, now: float) -> None:
        """Answers, several at once: their times are the kernel's, so nobody has to wake up for each. Echoes that are due; what is late."""
        if now >= self._receive_at:
            self._receive_at = now + RECEIVE_SECONDS
            self._sock.receive()
        if now >= self._tick_at:
            self._tick_at = now + TICK_SECONDS
            self._observer.tick(now)
            self._sock.forget_old()
        if self._is_paused():
            return
        for device, recorder in self._observer.recorders.items():
            if now >= recorder.due(now):
                number, at = self._recorders[device].send()
                self._observer.recorder_sent(device, number, at)
        if self._host is not None and self._observer.wants_host_echo(now):
            self._host.send()
