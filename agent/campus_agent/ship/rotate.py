"""Replaces the gateway's token every `TOKEN_DAYS`, so that a leaked one is soon of no use. The old one is good until the new one is first used.

A power cut leaves the one or the other in its file, whole, and both are good.
"""

import os
import time
from contextlib import suppress
from pathlib import Path

import msgspec

from campus_agent.config.model import Collector
from campus_agent.ship.connection import CollectorConnection
from campus_base.files import check_writable, write_whole
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
    try:
        check_writable(file)  # a token that cannot be kept must not be asked for
    except OSError as error:
        raise NotRotated(f"{file.parent} cannot be written: {error.strerror}") from None
    token = _successor(collector)
    try:
        old = file.stat()
        # A program that runs as root leaves the token to whom it belonged: the service must be able to read it tomorrow.
        owner = (old.st_uid, old.st_gid) if os.geteuid() == 0 else None
        write_whole(file, token.encode() + b"\n", 0o600, owner)
    except OSError as error:
        raise NotRotated(f"{file}: {error.strerror}") from None


def _successor(collector: Collector) -> str:
    connection = CollectorConnection(collector)
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
