"""One test by our own engine, in a process of its own: the load needs a whole core for a moment."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campus_agent.measure.burst.task import CampusAnswer, CampusTask
from campus_agent.measure.probe import ProbeFailed
from campus_base.settings import read_secret
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import FailureKind, Operation

Task = CampusTask


def work(task: CampusTask, progress: Callable[[Any], None]) -> CampusAnswer:
    """Run the test. Raises ProbeFailed when it cannot even begin."""
    from campus_agent.measure.burst.client import Outcome, Progress, Request, measure

    request = Request(
        host=task.host,
        port=task.port,
        key=_key(task.key_file),
        segment=task.segment,
        required_bits_per_second=task.required_bits_per_second,
        tolerance_ratio=task.tolerance_ratio,
        deadline_seconds=task.deadline_seconds,
        max_bytes=task.max_bytes,
        max_cross_traffic_ratio=task.max_cross_traffic_ratio,
        encapsulation=Encapsulation(vlan_tags=task.vlan_tags, pppoe=task.pppoe),
    )

    def show(step: Progress) -> None:
        progress(dataclasses.asdict(step))

    outcome: Outcome = measure(request, show)
    return CampusAnswer(outcome.record, outcome.validity, outcome.failure, outcome.detail)


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
