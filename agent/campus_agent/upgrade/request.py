"""How the daemon, which may change nothing, has this gateway look for a release: a file for which systemd waits. Nothing else is imported here."""

from pathlib import Path

REQUEST_NAME = "look-for-upgrade"
"""In the state folder; campus-agent-upgrade.path waits for it."""
ENABLED_LINK = Path("/etc/systemd/system/multi-user.target.wants/campus-agent-upgrade.path")
"""There where the package's unit is enabled."""


def request_look(state_dir: Path, enabled_link: Path = ENABLED_LINK) -> bool:
    """Have it look now; False where no unit would read the file. Raises OSError."""
    if not enabled_link.is_symlink():
        return False
    (state_dir / REQUEST_NAME).touch(mode=0o600)
    return True
