"""The small continuous stream to the uplink's test server.

It runs as a lane of the daemon for as long as lessons last, so there is neither a job nor a run: the lane gives its findings to the runner.
"""

from campus_agent.config.model import AgentConfig
from campus_agent.measure.probe import AnyFinding, Probe, ProbeFailed, Run
from campus_wire.failures import FailureKind, Operation


def settings(config: AgentConfig, subject: str, max_bytes: int | None) -> None:
    """Always refused: the daemon runs the stream. Raises ProbeFailed."""
    raise ProbeFailed(Operation.PREPARE, FailureKind.NOT_CONFIGURED, "runs in the daemon, in school hours")


async def measure(settings: None, run: Run) -> list[AnyFinding]:
    return []


PROBE = Probe(
    name="lesson_stream",
    kind="lesson_stream",
    settings=settings,
    measure=measure,
    deadline_seconds=lambda settings: 0.0,
)
"""Its results are of the kind `lesson_stream`, and of `interruption` where one stands alone."""
