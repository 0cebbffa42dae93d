"""What a throughput engine offers: the same three functions as a probe."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from campus_agent.measure.probe import Finding, Run
from campus_agent.measure.throughput_settings import Settings


@dataclass(frozen=True, slots=True)
class Engine:
    """One way to measure a rate; `interpret` takes what `measure` gave."""

    measure: Callable[[Settings, Run], Awaitable[Any]]
    interpret: Callable[[Any], Finding]
    deadline_seconds: Callable[[Settings], float]
