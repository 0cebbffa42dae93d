"""Reserve the uplink's test server at the collector: a hundred schools ring the bell at once, and must not test at once."""

import contextlib
from collections.abc import Iterator

import msgspec

from campus_agent.config.model import Collector
from campus_agent.ship.connection import CollectorConnection, ShipFailed
from campus_base.wire_words import FAILURE_WORDS
from campus_wire.codec import compress
from campus_wire.records import Problem, Slot, SlotRequest

PATH = "/v1/slots"
_SECONDS = 10.0
"""Longer than this a collector need not think about a slot; it only adds numbers."""


class NoSlot(msgspec.Struct, frozen=True):
    """No slot: `asked` False when the collector could not be asked at all."""

    detail: str
    asked: bool


def reserve(collector: Collector, request: SlotRequest) -> Slot | NoSlot:
    """A slot that begins in time, or why there is none."""
    with _connection(collector) as connection:
        try:
            answer = connection.post(PATH, compress(msgspec.json.encode(request)))
        except ShipFailed as failed:
            return NoSlot(f"{FAILURE_WORDS[failed.failure.kind].en}: {failed.failure.detail}", asked=False)
        if answer.status == 200:
            with contextlib.suppress(msgspec.MsgspecError):
                return msgspec.json.decode(answer.body, type=Slot)
        detail = f"the collector answered {answer.status}"
        with contextlib.suppress(msgspec.MsgspecError):
            problem = msgspec.json.decode(answer.body, type=Problem)
            detail = connection.scrubbed(f"{detail}: {problem.title} {problem.detail}".strip())
        return NoSlot(detail[:200], asked=answer.status == 503)


def release(collector: Collector, slot: Slot) -> None:
    """Give a slot back early: a quick test needs a tenth of it. A slot that is not given back ends by itself."""
    with _connection(collector) as connection, contextlib.suppress(ShipFailed):
        connection.post(f"{PATH}/{slot.id}/release", compress(b"{}"))


@contextlib.contextmanager
def _connection(collector: Collector) -> Iterator[CollectorConnection]:
    connection = CollectorConnection(collector, _SECONDS, _SECONDS)
    try:
        yield connection
    finally:
        connection.close()
