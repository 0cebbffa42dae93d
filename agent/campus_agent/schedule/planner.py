"""What is to be done next? Pure: the caller gives time, bytes left and who is switched on; the answer is a step.

A window is a stretch of the school day (timetable). In a free one, the presence of the endpoints that are due is checked first; of those switched
on, the one tried longest ago goes first. An opportunity is a free window (for latency and services: any but a blackout day): a due job that
did not get its measurement in it is reported once, with the reason, however often it was tried.
"""

from collections.abc import Callable
from datetime import date, datetime, time
from time import monotonic

import msgspec

from campus_agent.schedule.calendar import Calendar, Day
from campus_agent.schedule.history import History
from campus_agent.schedule.jobs import DAY_SECONDS, Job, Lane, share
from campus_agent.schedule.timetable import State, Window, out_of_school_hours, window_at
from campus_wire.failures import Failure, SkipReason

FRESH_SECONDS = 30.0
"""A presence check this old is good enough: machines are not switched off from one test to the next."""
CHECK_AGAIN_SECONDS = 120.0
CHECK_AGAIN_IN_A_LONG_WINDOW_SECONDS = 600.0
LONG_WINDOW_SECONDS = 3600.0
"""The presence of an endpoint that is off is checked again after this: a break has ten minutes, a night has time."""
RETRY_BUSY_SECONDS = 60.0
RETRY_FAILED_SECONDS = 600.0
REFERENCE_POLL_SECONDS = 600.0
RESERVED_RATIO = 0.25
"""A reference leaves bytes for a day of quick tests; these usually need a quarter of what they may take."""
UPLINK_SPREAD_SECONDS = 420.0
"""All schools of a county ring the bell at the same moment; their uplink tests begin within so many seconds of it."""
SPREAD_RATIO = 0.05
NIGHT_BEGINS, NIGHT_ENDS, MIDNIGHT = time(22, 0), time(6, 0), time(0, 0)


class Moment(msgspec.Struct, frozen=True):
    """Now, on both clocks; `local` is the school's own time, aware."""

    monotonic: float
    local: datetime


class Wait(msgspec.Struct, frozen=True):
    """Nothing to do for so long."""

    seconds: float


class CheckPresence(msgspec.Struct, frozen=True):
    """Find out which of these endpoints are switched on, then ask again."""

    jobs: tuple[Job, ...]


class Skip(msgspec.Struct, frozen=True):
    """This opportunity is not used, and why."""

    job: Job
    reason: SkipReason
    detail: str = ""
    failure: Failure | None = None


class Try(msgspec.Struct, frozen=True):
    """A step: run this job now; the gate still decides whether it may start."""

    job: Job


Step = Wait | CheckPresence | Skip | Try


class Costs(msgspec.Struct, frozen=True):
    """What a job may cost at most: seconds, and bytes on the line."""

    seconds: Callable[[Job], float]
    needed_bytes: Callable[[Job], int]


class _Presence(msgspec.Struct):
    """The last check of an endpoint; `failure` None: it is on. `is_cheap`: asking again costs nobody anything."""

    failure: Failure | None
    at: float
    is_cheap: bool = False


class _Now(msgspec.Struct, frozen=True):
    """A moment with its window: `left` and `whole` are the window's real seconds, `epoch` is Unix time.

    `night`: nobody uses the uplink. `out_of_hours`: nobody is at lessons, nor soon to come or just going.
    """

    window: Window
    moment: Moment
    left: float
    whole: float
    epoch: float
    night: bool
    out_of_hours: bool

    @classmethod
    def of(cls, window: Window, moment: Moment, day: Day) -> "_Now":
        """Worked out once for a step."""
        local = moment.local
        night = not NIGHT_ENDS <= local.time() < NIGHT_BEGINS
        left = window.left_seconds(local)
        return cls(window, moment, left, window.seconds, local.timestamp(), night, out_of_school_hours(day, local))


class Planner:
    """Remembers when each job is due and what was reported of it; decides, never measures."""

    def __init__(
        self,
        jobs: tuple[Job, ...],
        calendar: Calendar,
        costs: Costs,
        school: str,
        history: History | None = None,
        last_ended: dict[str, float] | None = None,
        now: float | None = None,
    ) -> None:
        """`last_ended` (job name to monotonic seconds) is what an earlier process of this boot knew: a restart repeats no round."""
        self.jobs = jobs
        self.history = history or History()
        self.history.forget_others(jobs)
        self._calendar = calendar
        self._lessons_known = calendar.has_lessons
        # by the job's name: looked up for every job at every step, and a string keeps its hash
        self._shares = {job.name: share(school, job.name) for job in jobs}
        self._seconds = {job.name: costs.seconds(job) for job in jobs if job.heavy}
        self._bytes = {job.name: costs.needed_bytes(job) for job in jobs if job.heavy}
        self._reserved_bytes = _reserved_bytes(jobs, self._bytes)
        self._school = school
        self._due = _first_due(jobs, last_ended or {}, monotonic() if now is None else now)
        self._presence: dict[str, _Presence] = {}
        self._reported: set[Job] = set()
        self._budget_reported: dict[Job, date] = {}
        self._reported_in: dict[Lane, Window | None] = {"load": None, "light": None}
        self._window: Window | None = None

    def next(self, lane: Lane, moment: Moment, bytes_left: int) -> Step:
        """The next step of a lane at a moment; `bytes_left` is what the day still allows.

        The caller reports what became of it by `record_presence`, `record_measured` or `postpone`; without that the same step comes again.
        """
        now = _Now.of(self._window_at(moment.local), moment, self._calendar.day(moment.local.date()))
        self._forget_reports(lane, now.window)
        waits = [now.left]
        due = []
        for job in self.jobs:
            if job.lane != lane:
                continue
            wait = self._due[job.name] - moment.monotonic
            if wait > 0:
                waits.append(wait)
            else:
                due.append(job)
        if now.window.state is State.BLACKOUT:
            for job in due:
                if job.on_blackout == "skip" and self._is_first_report(job, SkipReason.BLACKOUT, moment):
                    return Skip(job, SkipReason.BLACKOUT)
            due = [job for job in due if job.on_blackout == "measure"]
        if now.window.state is State.FREE:
            step = self._heavy_step([job for job in due if job.heavy], now, bytes_left, waits)
            if step is not None:
                return step
        light = [job for job in due if not job.heavy]
        if light:
            return Try(min(light, key=lambda job: self._due[job.name]))
        return Wait(max(0.01, min(waits)))

    def record_presence(self, subject: str, failure: Failure | None, now: float, *, is_cheap: bool = False) -> None:
        """Record that an endpoint's presence was checked; no failure: it is on. `is_cheap`: it may be checked again soon, sending nothing."""
        self._presence[subject] = _Presence(failure, now, is_cheap)

    def record_measured(self, job: Job, moment: Moment, *, succeeded: bool) -> None:
        """Record that a job was measured. One without a result (endpoint off, busy line) is due again well before its next turn."""
        self.history.note(job, moment.local, succeeded=succeeded)
        wait = job.every_seconds * (1 + SPREAD_RATIO * self._shares[job.name])
        if job.kind == "throughput" and not succeeded:
            wait = min(RETRY_FAILED_SECONDS, wait)
        if job.kind == "reference":
            wait = RETRY_FAILED_SECONDS  # whether it is still due is a matter of days
        self._due[job.name] = moment.monotonic + wait

    def postpone(self, job: Job, reason: SkipReason, moment: Moment, detail: str = "") -> Skip | None:
        """Try a job again in a minute that could not begin (busy segment, no slot). The first time in a window there is a skip to report."""
        self._due[job.name] = moment.monotonic + min(RETRY_BUSY_SECONDS, job.every_seconds)
        return Skip(job, reason, detail) if self._is_first_report(job, reason, moment) else None

    def due(self, job: Job) -> float:
        """When it is due, in seconds of the monotonic clock."""
        return self._due[job.name]

    def _window_at(self, local: datetime) -> Window:
        """The window of this moment: mostly that of the step before."""
        if self._window is None or not self._window.start <= local < self._window.end:
            self._window = window_at(self._calendar, local)
        return self._window

    def _heavy_step(self, due: list[Job], now: _Now, bytes_left: int, waits: list[float]) -> Step | None:
        """What to do of what is due in this free window; None: nothing now, and `waits` has when that may change."""
        able: list[Job] = []
        for job in due:
            wait, reason = self._obstacle(job, now, bytes_left)
            if wait is None:
                able.append(job)
                continue
            waits.append(wait)
            if reason is not None and self._is_first_report(job, reason, now.moment):
                return Skip(job, reason)
        checks = [self._check_presence_in(job, now) for job in able]
        unknown = [job for job, wait in zip(able, checks, strict=True) if wait <= 0]
        if unknown:
            return CheckPresence(tuple({job.subject: job for job in unknown}.values()))
        for job in able:
            absence = self._absence(job)
            # a reference is owed only to a machine that is on when nobody is at lessons
            if absence and job.kind == "throughput" and self._is_first_report(job, SkipReason.ENDPOINT_OFF, now.moment):
                return Skip(job, SkipReason.ENDPOINT_OFF, failure=absence)
        present = [job for job in able if self._absence(job) is None]
        if not present:
            waits += checks
            return None
        # a verdict before a reference; then whoever was tried longest ago; the order of the configuration among equals
        first = min(present, key=lambda job: (job.kind == "reference", self.history.last_tried(job)))
        return Try(first)

    def _obstacle(self, job: Job, now: _Now, bytes_left: int) -> tuple[float | None, SkipReason | None]:
        """What keeps a due job from beginning: for how long, and the reason if that is to be reported. None: nothing does."""
        if job.kind == "reference":
            if not self._reference_is_due(job, now):
                return REFERENCE_POLL_SECONDS, None
            if self._bytes[job.name] + self._reserved_bytes > bytes_left:
                return now.left, None
        if self._seconds[job.name] > now.left:
            lesson_follows = now.window.end.time() != MIDNIGHT and job.kind != "reference"
            return now.left, SkipReason.LESSON if lesson_follows else None
        if self._bytes[job.name] > bytes_left:
            return now.left, SkipReason.BYTE_BUDGET
        spread = self._spread_left(job, now)
        return (spread, None) if spread > 0 else (None, None)

    def _reference_is_due(self, job: Job, now: _Now) -> bool:
        """Once in each stretch of days, which begins on another day for each subject; never while anybody is at lessons.

        An uplink only at night: it is everybody's. A classroom when its machine is on after lessons, or at night where no lessons are known.
        """
        if not (now.night if job.subject == "uplink" or not self._lessons_known else now.out_of_hours):
            return False
        last = self.history.last_success(job, now.epoch)
        return not last or self._stretch(job, last) < self._stretch(job, now.epoch)

    def _stretch(self, job: Job, epoch: float) -> int:
        return int(epoch / job.every_seconds + self._shares[job.name])

    def _spread_left(self, job: Job, now: _Now) -> float:
        """An uplink test waits a stable while after the bell, except where it was never made."""
        if job.subject != "uplink" or not self.history.last_tried(job):
            return 0.0
        spread = min(UPLINK_SPREAD_SECONDS, now.whole / 2) * share(self._school)
        return spread - (now.whole - now.left)

    def _check_presence_in(self, job: Job, now: _Now) -> float:
        """In how many seconds must its endpoint's presence be checked? Test servers of the uplink are always on."""
        if job.subject == "uplink":
            return float("inf")
        last = self._presence.get(job.subject)
        if last is None:
            return 0.0
        off = CHECK_AGAIN_IN_A_LONG_WINDOW_SECONDS if now.whole > LONG_WINDOW_SECONDS else CHECK_AGAIN_SECONDS
        return last.at + (FRESH_SECONDS if last.failure is None or last.is_cheap else off) - now.moment.monotonic

    def _absence(self, job: Job) -> Failure | None:
        last = self._presence.get(job.subject)
        return last.failure if last is not None and job.subject != "uplink" else None

    def _is_first_report(self, job: Job, reason: SkipReason, moment: Moment) -> bool:
        """Each opportunity is reported once, by the first reason; a spent budget once a day."""
        day = moment.local.date() if reason is SkipReason.BYTE_BUDGET else None
        if job in self._reported or (day is not None and self._budget_reported.get(job) == day):
            return False
        self._reported.add(job)
        if day is not None:
            self._budget_reported[job] = day
        return True

    def _forget_reports(self, lane: Lane, window: Window) -> None:
        if self._reported_in[lane] != window:
            self._reported_in[lane] = window
            self._reported = {job for job in self._reported if job.lane != lane}


def _reserved_bytes(jobs: tuple[Job, ...], most_bytes: dict[str, int]) -> int:
    """What a reference leaves for a day of quick tests."""
    return sum(
        round(most_bytes[job.name] * min(1.0, RESERVED_RATIO * DAY_SECONDS / job.every_seconds))
        for job in jobs
        if job.kind == "throughput"
    )


def _first_due(jobs: tuple[Job, ...], last_ended: dict[str, float], start: float) -> dict[str, float]:
    """When each job is due first, in seconds of the monotonic clock, by the job's name."""
    return {
        job.name: max(start, last_ended[job.name] + job.every_seconds)
        if job.name in last_ended
        else start + job.first_seconds
        for job in jobs
    }
