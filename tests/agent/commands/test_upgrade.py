"""The command "upgrade": a file where the package's unit waits for it, and a refusal elsewhere."""

import asyncio
from pathlib import Path

from campus_agent.commands.kinds import NOT_AVAILABLE, CommandProgress, Handler
from campus_agent.commands.upgrade import upgrade_of
from campus_agent.upgrade.request import REQUEST_NAME
from campus_wire.commands import Command


async def report(progress: CommandProgress) -> None:
    raise AssertionError(progress)


def ask(folder: Path) -> tuple[str, str, bool]:
    command = Command("1", "upgrade", 60.0)
    outcome = asyncio.run(_ask(upgrade_of(folder, folder / "unit.path"), command))
    return outcome[0], outcome[1], (folder / REQUEST_NAME).exists()


async def _ask(handler: Handler, command: Command) -> tuple[str, str]:
    outcome = await handler(command, report)
    return outcome.state, outcome.reason


def test_without_the_enabled_unit_nothing_is_asked(tmp_path: Path) -> None:
    assert ask(tmp_path) == ("refused", NOT_AVAILABLE, False)


def test_where_the_unit_waits_the_file_appears(tmp_path: Path) -> None:
    (tmp_path / "unit.path").symlink_to("/lib/systemd/system/campus-agent-upgrade.path")
    assert ask(tmp_path) == ("done", "", True)
