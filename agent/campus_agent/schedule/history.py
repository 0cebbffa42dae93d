"""What an agent remembers of earlier measurements, across restarts and reboots: which job was tried when, and when it last succeeded. Pure."""

from datetime import datetime

import msgspec

from campus_agent.schedule.jobs import Job

RECALL_KEY = "history"


class History(msgspec.Struct):
    """Unix times by job name, of the school's corrected clock."""

    tried: dict[str, float] = {}
    succeeded: dict[str, float] = {}

    def note(self, job: Job, at: datetime, *, succeeded: bool) -> None:
        self.tried[job.name] = at.timestamp()
        if succeeded:
            self.succeeded[job.name] = at.timestamp()

    def last_tried(self, job: Job) -> float:
        """Seconds since 1970; 0 for a job that was never tried."""
        return self.tried.get(job.name, 0.0)

    def last_success(self, job: Job, now: float) -> float:
        """Unix time; 0 for never, or a time in the future (the clock was wrong then)."""
        at = self.succeeded.get(job.name, 0.0)
        return 0.0 if at > now + 60 else at

    def forget_others(self, jobs: tuple[Job, ...]) -> None:
        """Forget jobs that are no longer configured."""
        names = {job.name for job in jobs}
        self.tried = {name: at for name, at in self.tried.items() if name in names}
        self.succeeded = {name: at for name, at in self.succeeded.items() if name in names}
