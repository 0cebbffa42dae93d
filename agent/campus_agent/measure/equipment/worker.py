"""A poll round of all devices, in a separate process: SNMP's library and its ciphers weigh more than the whole resident agent."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from campus_agent.measure.equipment.task import DevicesAnswer, DevicesTask

Task = DevicesTask


def work(task: DevicesTask, progress: Callable[[Any], None]) -> DevicesAnswer:
    from campus_agent.measure.equipment.poll import poll

    folder = Path(task.profile_folder) if task.profile_folder else None
    return DevicesAnswer(asyncio.run(poll(task.devices, folder, task.time_zone)))
