"""What an agent remembers of earlier measurements, across restarts and reboots: who was tried when, and when it said something. Pure."""

from datetime import datetime

import msgspec

from campus_agent.schedule.jobs import Job

RECALL_KEY = "history"


class History(msgspec.Struct):
    """Unix times by job name, of the school's corrected clock."""

    tried: dict[str, float] = {}
    succeeded: dict[str, float] = {}

    def note(self, job: Job, at: datetime, *, succeeded: bool) -> None:
        """It was tried."""
        self.tried[job.name] = at.timestamp()
        if succeeded:
            self.succeeded[job.name] = at.timestamp()

    def last_tried(self, job: Job) -> float:
        """Never: 0."""
        return self.tried.get(job.name, 0.0)

    def last_success(self, job: Job, now: float) -> float:
        """Never, or in the future (the clock was wrong then): 0."""
        at = self.succeeded.get(job.name, 0.0)
        return 0.0 if at > now + 60 else at

    def forget_others(self, jobs: tuple[Job, ...]) -> None:
        """Subjects that are no longer configured."""
        names = {job.name for job in jobs}
        self.tried = {name: at for name, at in self.tried.items() if name in names}
        self.succeeded = {name: at for name, at in self.succeeded.items() if name in names}
