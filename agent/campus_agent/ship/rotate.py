"""A gateway changes its token by itself: what leaks is of no use for long. The old one is good until the new one is first used.

The new token is written beside the old one and takes its name in one step: a power cut leaves one or the other, and both are good.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from campus_agent.config.model import Collector
from campus_agent.ship.connection import Connection
from campus_base.files import sync_folder
from campus_wire.records import Rotated

PATH = "/v1/token"
TOKEN_DAYS = 30
_decode = msgspec.json.Decoder(Rotated).decode


class NotRotated(Exception):
    """It goes on with the token it has; says why."""


def is_due(token_file: Path, now: float | None = None) -> bool:
    """Is the token older than it should get? A file from the future is as old as it likes: the clock was wrong, then or now."""
    with suppress(OSError):
        return (time.time() if now is None else now) - token_file.stat().st_mtime > TOKEN_DAYS * 86_400
    return False


def rotate(collector: Collector) -> None:
    """Get a successor and put it in the token's place. Raises NotRotated, ShipFailed."""
    file = collector.token_file.resolve()  # a link stays one
    beside = file.with_name(f".{file.name}.next")  # of one name: what a kill leaves behind is used again
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    except OSError as error:  # tried first: a token that cannot be kept must not be asked for
        raise NotRotated(f"{file.parent} cannot be written: {error.strerror}") from None
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as writer:
            _same_owner(descriptor, file)
            writer.write(_successor(collector) + "\n")
            writer.flush()
            os.fsync(writer.fileno())
        beside.replace(file)
        sync_folder(file.parent)  # the old token ends when this one is used first: a power cut must not bring it back
    except OSError as error:
        raise NotRotated(f"{file}: {error.strerror}") from None
    finally:
        with suppress(OSError):
            beside.unlink()


def _same_owner(descriptor: int, file: Path) -> None:
    """A program that runs as root leaves the token to whom it belonged: the service must be able to read it tomorrow."""
    new, old = os.fstat(descriptor), file.stat()
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid) and os.geteuid() == 0:
        os.fchown(descriptor, old.st_uid, old.st_gid)


def _successor(collector: Collector) -> str:
    connection = Connection(collector)
    try:
        answer = connection.ask(PATH)
    finally:
        connection.close()
    if answer.status != 201:  # 404: an older collector
        raise NotRotated(f"the collector answered {answer.status}")
    try:
        token = _decode(answer.body).token
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise NotRotated(f"not understood: {error}") from None
    if not token.isascii() or not token.isprintable() or " " in token:
        raise NotRotated("this is no token")
    return token
