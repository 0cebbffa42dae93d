"""A shipper, its spool and a clock that tests turn."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from campus_agent.clock.clock import Clock
from campus_agent.config.model import Collector
from campus_agent.ship.connection import CollectorConnection
from campus_agent.ship.shipper import Shipper
from campus_agent.spool.spool import Spool, open_spool
from campus_wire.records import AgentState, Announcement
from tests.agent.spool.things import BOOT
from tests.fakes.collector import TOKEN

NOW = 1_795_000_000.0  # 2026-11-18


@dataclass
class Hands:
    """A clock's hands: `monotonic` runs from `booted` on; `wall` may be anything."""

    wall: float = NOW
    monotonic: float = 5000.0
    boot_id: str = BOOT

    def clock(self) -> Clock:
        return Clock(self.boot_id, lambda: self.wall, lambda: self.monotonic)

    def pass_seconds(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


@dataclass
class School:
    """A gateway with a spool and a way to ship."""

    folder: Path
    url: str
    ca_file: Path | None = None
    hands: Hands = field(default_factory=Hands)
    exchange_seconds: float = 5.0

    def __post_init__(self) -> None:
        self.token_file = self.folder / "token"
        self.token_file.write_text(TOKEN + "\n")

    @contextmanager
    def open(self) -> Iterator[tuple[Spool, Shipper]]:
        with open_spool(self.folder / "state") as spool:
            yield spool, self.shipper(spool)

    def shipper(self, spool: Spool, **changes: Any) -> Shipper:
        def state() -> AgentState:
            return AgentState("1.0", spool_pending_results=spool.status().pending_results)

        values: dict[str, Any] = {
            "collector": Collector(self.url, self.token_file, self.ca_file),
            "agent_id": "s001",
            "spool": spool,
            "clock": self.hands.clock(),
            "announcement": Announcement(town="t01", uplink=True),
            "state": state,
            "rng": random.Random(1),
            "connect": lambda collector: CollectorConnection(collector, 3.0, self.exchange_seconds),
        }
        return Shipper(**(values | changes))
