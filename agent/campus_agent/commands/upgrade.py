"""The command "upgrade": the gateway looks for a release."""

import asyncio
from pathlib import Path

from campus_agent.commands.kinds import CommandOutcome, Handler, Report, not_available
from campus_agent.upgrade.request import ENABLED_LINK, request_look
from campus_wire.commands import Command


def upgrade_of(state_dir: Path, enabled_link: Path = ENABLED_LINK) -> Handler:
    """What answers the command on this gateway: not_available where upgrades are not switched on."""

    async def ask(command: Command, report: Report) -> CommandOutcome:
        if not await asyncio.to_thread(request_look, state_dir, enabled_link):
            return await not_available(command, report)
        return CommandOutcome("done", detail="asked; the installer looks now")

    return ask
