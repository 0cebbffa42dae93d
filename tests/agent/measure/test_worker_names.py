"""Each worker that is started by name has the type of its task and its work."""

from importlib import import_module
from typing import get_type_hints

import pytest

from campus_agent.measure.worker import WORKERS


@pytest.mark.parametrize("name", WORKERS)
def test_a_worker_has_its_task_and_its_work(name: str) -> None:
    module = import_module(WORKERS[name])
    assert next(iter(get_type_hints(module.work).values())) is module.Task
