"""Runs of probes with settings made to measure, through the runner."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec

from campus_agent.config.model import AgentConfig
from campus_agent.measure.probe import AnyProbe
from campus_agent.measure.runner import Runner
from campus_agent.measure.stamp import Stamp
from campus_wire.records import AnyResult

CONFIG = AgentConfig(None, "s001", Path("/nonexistent"), ZoneInfo("Asia/Shanghai"), "s001")


def stamp(seconds_ago: float) -> Stamp:
    return Stamp("test-0001", datetime.now(UTC), "b", 1.0)


def runner(stamp: Callable[[float], Stamp] = stamp) -> Runner:
    return Runner(CONFIG, stamp)


def with_settings(probe: AnyProbe, settings: object) -> AnyProbe:
    """The probe with these settings, whatever is configured."""
    return msgspec.structs.replace(probe, settings=lambda *_: settings)


def run(probe: AnyProbe, settings: object, subject: str, runner: Runner = runner(), **more: Any) -> AnyResult:  # noqa: B008
    """The one result of a run."""
    (result,) = asyncio.run(runner.run(with_settings(probe, settings), subject, **more))
    return result
