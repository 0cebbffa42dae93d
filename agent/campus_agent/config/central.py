"""What the collector's inventory adds to this gateway's configuration: checked, kept, and used again without the collector (`ship.configuration` fetches it).

It has the shape of the gateway's own file and wins over it, key by key; what the bureau does not say (engines, switches, secrets) stays the file's.
What does not make a sound configuration is refused, told to the bureau, and the last good one stays in force for as long as it takes.
"""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

import msgspec

from campus_agent.config.model import CENTRAL_FILE, AgentConfig, load_config
from campus_base.files import write_whole
from campus_base.language import Text
from campus_base.settings import ConfigurationError
from campus_wire.records import CentralConfig

MAX_WORDS = 200
_decode = msgspec.json.Decoder(CentralConfig).decode


class CentralConfigRefused(Exception):
    """The bureau's configuration cannot be used; says why in one line of either language, for the bureau's page."""

    def __init__(self, en: str, zh: str) -> None:
        """Bounded, as the wire is."""
        self.words = Text(en[:MAX_WORDS], zh[:MAX_WORDS])
        super().__init__(self.words.en)


def check(body: bytes, config: AgentConfig, file: Path) -> None:
    """Does it make a sound configuration with the gateway's own file? Raises CentralConfigRefused."""
    try:
        central = _decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise CentralConfigRefused(f"not understood: {error}", f"内容无法识别：{error}") from None
    if central.agent.school != config.school:
        raise CentralConfigRefused(
            f"it is for {central.agent.school}, not for {config.school}",
            f"该配置属于 {central.agent.school}，不属于 {config.school}",
        )
    try:
        load_config(file, central=body)
    except ConfigurationError as error:
        first = error.mistakes[0]
        raise CentralConfigRefused(first.in_("en"), first.in_("zh")) from None


def keep(body: bytes, state_dir: Path) -> None:
    """Durably: the gateway may restart a hundred times before it sees the collector again. Raises OSError."""
    write_whole(state_dir / CENTRAL_FILE, body, 0o600)


def kept(state_dir: Path) -> bytes | None:
    """The last good one; None without any."""
    with suppress(OSError):
        return (state_dir / CENTRAL_FILE).read_bytes()
    return None


def tag_of(body: bytes) -> str:
    """Its ETag, as the collector makes it."""
    return f'"{sha256(body).hexdigest()[:32]}"'
