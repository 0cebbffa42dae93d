"""The collector's records of agents, and the schools of their tokens."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from campus_wire.records import AgentState


@dataclass(frozen=True, slots=True)
class Principal:
    """The school and the agent that a token belongs to."""

    school: str
    agent_id: str


@dataclass(frozen=True, slots=True)
class Enrolment:
    """Whose gateway a code has enrolled, and the school's town."""

    principal: Principal
    town: str


UP_WITHIN = timedelta(minutes=15)
"""An agent whose last report is older is down."""
IDENTITY_SHARED_FOR = timedelta(days=1)
"""Two returns of an earlier boot within this mean that two machines report as one agent; pages say so for as long after the last one."""


@dataclass(frozen=True, slots=True)
class Agent:
    """The collector's record of an agent."""

    school: str
    agent_id: str
    last_report_at: datetime | None
    boot_id: str
    state: AgentState | None
    identity_shared_at: datetime | None = None
    """When two machines were last noticed that report as this agent."""

    def is_up(self, now: datetime) -> bool:
        """Has it reported within the last minutes?"""
        return self.last_report_at is not None and now - self.last_report_at <= UP_WITHIN

    def is_shared(self, now: datetime) -> bool:
        """Do two machines report as this agent, as far as the last day shows?"""
        return self.identity_shared_at is not None and now - self.identity_shared_at < IDENTITY_SHARED_FOR
