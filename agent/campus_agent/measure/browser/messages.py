"""What the agent asks the process of the classroom's page, and what that answers: a JSON line each."""

from pathlib import Path

import msgspec

from campus_agent.measure.probe import Finding, Progress
from campus_agent.measure.request import ThroughputRequest
from campus_wire.failures import Failure
from campus_wire.records import ThroughputRecord

SOCKET_NAME = "page.sock"
MAX_LINE_BYTES = 1024 * 1024


class PageQuestion(msgspec.Struct, frozen=True, omit_defaults=True):
    """`present`: of which of these classrooms does no page wait? Else `test`: measure this classroom's line."""

    present: list[str] = []
    test: ThroughputRequest | None = None


class PageAnswer(msgspec.Struct, frozen=True, omit_defaults=True):
    """`away`: why no page of a classroom waits. Of a test: any number of `progress`, then the `finding`."""

    away: dict[str, Failure] = {}
    progress: Progress | None = None
    finding: Finding[ThroughputRecord] | None = None


def socket_path(state_dir: Path) -> Path:
    """Where the page's process answers the agent; the folder is the service's alone."""
    return state_dir / SOCKET_NAME
