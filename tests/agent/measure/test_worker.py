"""What a worker said before it died: its last line, however much it wrote before."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from campus_agent.measure import worker
from campus_agent.measure.probe import ProbeFailed
from campus_wire.failures import FailureKind


@pytest.mark.parametrize(
    ("script", "detail"),
    [
        ("i=0; while [ $i -lt 3000 ]; do echo 'Traceback line' >&2; i=$((i+1)); done; echo 'ValueError: why' >&2", "ValueError: why"),
        ("echo first >&2; sleep 0.3; printf 'OSError: the cause\\n\\n' >&2", "OSError: the cause"),
        ("head -c 100000 /dev/zero | tr '\\0' x >&2", "x" * worker.LAST_LINE_LETTERS),
        ("printf 'a \\033[31mred\\a line' >&2", "a  [31mred  line"),
        ("true", ""),
    ],
)  # fmt: skip
def test_a_death_is_told_by_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, detail: str
) -> None:
    program = tmp_path / "python"
    program.write_text(f"#!/bin/sh\n{script}\nexit 7\n")
    program.chmod(0o755)
    monkeypatch.setattr(worker.sys, "executable", str(program))
    with pytest.raises(ProbeFailed) as caught:
        asyncio.run(worker.run_worker("burst", msgspec.defstruct("Task", [])(), 20.0))
    assert caught.value.failure.kind is FailureKind.WORKER_DIED
    assert caught.value.failure.detail == f"exit 7: {detail}".strip()
