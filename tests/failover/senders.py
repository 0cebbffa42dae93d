"""Gateways that send all the time, and know what was acknowledged. A batch is sent until it is; now and then an acknowledged one is sent again."""

import http.client
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from random import Random
from typing import Any

from campus_wire.codec import compress, encode_result
from campus_wire.ids import new_result_id
from campus_wire.records import ChainHead
from tests.collector.world import AT, envelope, throughput

TIMEOUT_SECONDS = 20.0
"""An agent waits longer; what is not answered is sent again either way."""
PAUSE_SECONDS = 0.1


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """One batch that a collector acknowledged."""

    begun_at: float
    at: float
    """Of the request that was answered: monotonic, as `begun_at`."""
    port: int


@dataclass(eq=False)
class Sender(threading.Thread):
    """One school's gateway. It sends to its collector, and after a refusal to any."""

    school: str
    token: str
    port: int
    ports: list[int]
    random: Random
    enter: Callable[[], None]
    sent: dict[str, bytes] = field(default_factory=dict)
    """Every result by its id."""
    acknowledged_ids: set[str] = field(default_factory=set)
    acknowledged: list[Acknowledged] = field(default_factory=list)
    answers: dict[str, int] = field(default_factory=dict)
    """How often each answer came."""
    receipts: dict[int, str] = field(default_factory=dict)
    """Heads of the chain by their sequence, as they were acknowledged."""
    wrong: list[str] = field(default_factory=list)
    """What a collector never may answer."""

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._stopped = threading.Event()
        self._numbers = count(1)
        self._last: ChainHead | None = None
        self._batches: list[dict[str, bytes]] = []

    def stop(self) -> None:
        """What is under way is sent to its end."""
        self._stopped.set()

    def run(self) -> None:
        self.enter()
        while not self._stopped.is_set():
            again = bool(self._batches) and self.random.random() < 0.1
            batch = self.random.choice(self._batches) if again else self._new_batch()
            self._send(batch, again)
            time.sleep(PAUSE_SECONDS * self.random.uniform(0.5, 1.5))

    def _new_batch(self) -> dict[str, bytes]:
        batch: dict[str, bytes] = {}
        for _ in range(self.random.randrange(1, 9)):
            number = next(self._numbers)
            result_id = new_result_id(int(time.time() * 1000))
            at = AT + timedelta(seconds=number % 40_000)
            result = throughput(id=result_id, at=at, school=self.school, subject=f"c{number % 30}")
            batch[result_id] = encode_result(result)
        self.sent |= batch
        return batch

    def _send(self, batch: dict[str, bytes], again: bool) -> None:
        port = self.port
        while True:
            begun_at = time.monotonic()
            status, receipt = self._post(port, batch)
            self.answers[str(status)] = self.answers.get(str(status), 0) + 1
            if status == 200:
                break
            if status not in (0, 503):
                self.wrong.append(f"{status}: {receipt}")
            time.sleep(PAUSE_SECONDS * 5)
            port = self.random.choice(self.ports)
        self.acknowledged.append(Acknowledged(begun_at, time.monotonic(), port))
        self.acknowledged_ids |= batch.keys()
        stored, duplicate = receipt["stored"], receipt["duplicate"]
        if stored + duplicate != len(batch) or receipt["quarantined"] or (again and stored):
            self.wrong.append(f"{'again ' * again}{len(batch)}: {receipt}")
        if receipt.get("chain_fits") is False:
            self.wrong.append(f"the chain was another before: {receipt}")
        head = receipt["chain"]
        if self.receipts.setdefault(head["sequence"], head["head"]) != head["head"]:
            self.wrong.append(f"two chains: {receipt}")
        self._last = ChainHead(head["sequence"], head["head"])
        if not again and len(self._batches) < 1000:
            self._batches.append(batch)

    def _post(self, port: int, batch: dict[str, bytes]) -> tuple[int, dict[str, Any]]:
        """Status and answer; status 0: none came."""
        body = compress(envelope(*batch.values(), agent_id=self.school, chain=self._last))
        headers = {
            "Authorization": f"Bearer {self.token}",
            "Content-Type": "application/json",
            "Content-Encoding": "gzip",
        }
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request("POST", "/v1/results", body, headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        except (OSError, http.client.HTTPException):
            return 0, {}
        finally:
            connection.close()
