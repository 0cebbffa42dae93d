"""One test by our own engine, in a separate process: the load needs a whole core for a moment."""

from collections.abc import Callable
from pathlib import Path

from campus_agent.measure.probe import Finding, ProbeFailed, Progress
from campus_agent.measure.request import ThroughputRequest
from campus_base.settings import read_secret
from campus_wire.failures import FailureKind, Operation
from campus_wire.records import ThroughputRecord

Task = ThroughputRequest


def work(request: ThroughputRequest, progress: Callable[[Progress], None]) -> Finding[ThroughputRecord]:
    """Run the test. Raises ProbeFailed when it cannot even begin."""
    from campus_agent.measure.burst.client import measure

    return measure(request, _key(request.test_key_file), progress)


def _key(file: str | None) -> bytes | None:
    if file is None:
        return None
    try:
        return read_secret(Path(file)).reveal().encode()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ProbeFailed(
            Operation.PREPARE,
            FailureKind.PERMISSION_DENIED if isinstance(error, PermissionError) else FailureKind.NOT_CONFIGURED,
            f"test key {file}: {reason}",
        ) from None
