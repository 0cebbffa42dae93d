"""Send results to a collector as agents do: batches over HTTP with each school's token, some late, some twice."""

import http.client
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from random import Random

import msgspec

from campus_collector.simulate import LABEL
from campus_wire.codec import compress, encode_envelope, encode_result
from campus_wire.records import AgentState, AnyResult, Envelope, Receipt
from campus_wire.version import VERSION

BATCH = 500
TWICE_SHARE = 0.01
"""So many batches are sent again, as after a lost acknowledgement."""

STATE = AgentState(VERSION, LABEL, clock_offset_seconds=0.0)
"""What a gateway says of itself that says nothing else."""


class BatchRefused(Exception):
    """The collector did not take a batch."""


class Sender:
    """One agent's connection; it is opened again when the collector has closed it."""

    def __init__(self, host: str, port: int, school: str, token: str, seed: int, state: AgentState = STATE) -> None:
        self._connection = http.client.HTTPConnection(host, port, timeout=120)
        self._school, self._token, self._state = school, token, state
        self._random = Random(f"{seed}/{school}/feed")
        self.stored = self.duplicate = 0

    def send(self, results: Iterable[AnyResult], late: bool) -> Iterator[int]:
        """All of them in batches; when they come late in any order, and each twice. Yields how many each time."""
        source: Iterator[AnyResult]
        if late:
            everything = list(results)
            self._random.shuffle(everything)
            source = iter(everything)
        else:
            source = iter(results)
        while batch := list(islice(source, BATCH)):
            body = self._envelope(batch)
            self._post(body)
            if self._random.random() < TWICE_SHARE or late:
                self._post(body)
            yield len(batch)

    def close(self) -> None:
        self._connection.close()

    def _envelope(self, batch: list[AnyResult]) -> bytes:
        envelope = Envelope(
            schema_version=1,
            agent_id=self._school,
            boot_id=LABEL,
            sent_at=datetime.now(UTC),
            results=[msgspec.Raw(encode_result(result)) for result in batch],
            agent=self._state,
        )
        return compress(encode_envelope(envelope))

    def _post(self, body: bytes) -> None:
        headers = {
            "Authorization": f"Bearer {self._token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        self._connection.request("POST", "/v1/results", body, headers)
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise BatchRefused(f"HTTP {answer.status}: {content[:300].decode(errors='replace')}")
        receipt = msgspec.json.decode(content, type=Receipt)
        if receipt.quarantined:
            raise BatchRefused(f"quarantined: {receipt.quarantined[0].reason}")
        self.stored += receipt.stored
        self.duplicate += receipt.duplicate
