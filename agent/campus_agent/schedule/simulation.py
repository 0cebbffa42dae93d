"""What would these days look like? The real planner with assumed endpoints and a simulated clock: nothing is measured. Pure.

`campus-agent schedule` prints a day of it; the tests run a year of it.
"""

from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta

import msgspec

from campus_agent.schedule.jobs import Job
from campus_agent.schedule.planner import CheckPresence, Costs, Moment, Planner, Skip, Try
from campus_wire.failures import Failure, FailureKind, Operation, SkipReason

CHECK_SECONDS = 1.5
_OFF = Failure(Operation.CONNECT, FailureKind.TIMEOUT)


class Event(msgspec.Struct, frozen=True):
    """What happens at a moment: a measurement (no reason) or an opportunity that is not used."""

    at: datetime
    job: Job
    reason: SkipReason | None = None
    seconds: float = 0.0
    test_bytes: int = 0
    succeeded: bool = True


class Assumptions(msgspec.Struct):
    """Who is switched on, what a test takes, whether it succeeds."""

    daily_test_bytes: int
    typical: Costs
    on: Callable[[str, datetime], bool] = lambda subject, at: True
    works: Callable[[Job, datetime], bool] = lambda job, at: True
    spent: dict[date, int] = msgspec.field(default_factory=dict)


def simulate(
    planner: Planner, assumed: Assumptions, start: datetime, end: datetime, monotonic: float = 0.0
) -> Iterator[Event]:
    """All that the load lane does from start to end (aware local times), in order."""
    zone, epoch = start.tzinfo, start.timestamp() - monotonic
    now = monotonic

    def local() -> datetime:
        return datetime.fromtimestamp(epoch + now, zone)

    while local() < end:
        here = local()
        left = assumed.daily_test_bytes - assumed.spent.get(here.date(), 0)
        step = planner.next("load", Moment(now, here), left)
        if isinstance(step, Skip):
            yield Event(here, step.job, step.reason, succeeded=False)
        elif isinstance(step, CheckPresence):
            now += CHECK_SECONDS
            for job in step.jobs:
                planner.record_presence(job.subject, None if assumed.on(job.subject, local()) else _OFF, now)
        elif isinstance(step, Try):
            seconds = assumed.typical.seconds(step.job)
            test_bytes = assumed.typical.needed_bytes(step.job) if step.job.heavy else 0
            works = assumed.works(step.job, here)
            now += seconds
            assumed.spent[here.date()] = assumed.spent.get(here.date(), 0) + test_bytes
            planner.record_measured(step.job, Moment(now, local()), succeeded=works)
            yield Event(here, step.job, None, seconds, test_bytes, works)
        else:
            now += step.seconds


def midnight(day: date, like: datetime) -> datetime:
    """The beginning of a day in the zone of an aware time."""
    return datetime.combine(day, datetime.min.time(), like.tzinfo)


def day_of(planner: Planner, assumed: Assumptions, day: date, like: datetime) -> list[Event]:
    return list(simulate(planner, assumed, midnight(day, like), midnight(day + timedelta(days=1), like)))
