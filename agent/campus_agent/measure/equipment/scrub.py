"""Removes a device's secrets from its answers before they leave the worker: a device may repeat a password in an error. Pure."""

from base64 import b64encode
from collections.abc import Iterable, Sequence

import msgspec

from campus_agent.measure.equipment.task import DeviceSeen
from campus_wire.failures import Failure

SHORTEST = 4
"""A shorter secret cannot be distinguished from ordinary text."""
HIDDEN = "***"


def forms(logins: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """What (user, secret) pairs look like on the wire: as they are, and as Basic sends them. The longest first."""
    texts = set()
    for user, secret in logins:
        if len(secret) >= SHORTEST:
            texts |= {secret, b64encode(f"{user}:{secret}".encode()).decode("ascii")}
    return tuple(sorted(texts, key=len, reverse=True))


def scrubbed(device: DeviceSeen, secrets: Sequence[str]) -> DeviceSeen:
    def clean(text: str) -> str:
        for secret in secrets:
            text = text.replace(secret, HIDDEN)
        return text

    def of(failure: Failure) -> Failure:
        return msgspec.structs.replace(failure, detail=clean(failure.detail))

    if not secrets:
        return device
    return msgspec.structs.replace(
        device,
        failure=of(device.failure) if device.failure else None,
        failed={name: of(why) for name, why in device.failed.items()},
        words={name: clean(text) for name, text in device.words.items()},
    )
