"""A round of switch ports, in a separate process: SNMP's library weighs more than the whole resident agent."""

import asyncio
from collections.abc import Callable
from typing import Any

from campus_agent.measure.ports.reading import PortsAnswer, PortsTask

Task = PortsTask


def work(task: PortsTask, progress: Callable[[Any], None]) -> PortsAnswer:
    """Find what is not known, read what is."""
    from campus_agent.measure.ports.ask import ask

    return PortsAnswer(asyncio.run(ask(task)))
