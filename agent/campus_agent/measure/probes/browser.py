"""A classroom's line as somebody tested it from a browser there.

The page's server measures while the browser asks, so there is neither a job nor a run: the page gives its findings to the runner.
"""

from campus_agent.config.model import AgentConfig
from campus_agent.measure.probe import AnyFinding, Probe, ProbeFailed, Run
from campus_wire.failures import FailureKind, Operation


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> None:
    """Always refused: a browser starts this test, not the runner. Raises ProbeFailed."""
    raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, "begun by a browser, on the classroom's page")


async def measure(settings: None, run: Run) -> list[AnyFinding]:
    return []


PROBE = Probe(
    name="browser",
    kind="inspection",
    settings=settings,
    measure=measure,
    deadline_seconds=lambda settings: 0.0,
)
