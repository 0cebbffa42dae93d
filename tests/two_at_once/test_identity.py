"""Two machines with one gateway's token: noticed, and said on the pages and in the metric. One machine alone is never taken for two."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from campus_collector.domain.agents import Agent, Principal
from campus_collector.domain.results import AcceptedResult, Batch
from campus_collector.domain.tokens import token_hash
from campus_collector.store.open import open_store
from campus_collector.store.store import Store
from campus_wire.codec import encode_result
from campus_wire.failures import Validity
from tests.collector.world import World, throughput

NOON = datetime(2026, 11, 9, 4, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Sent:
    """An envelope: from which boot, the minute it came in, the minute it was written if another, and its results: (boot, minute)."""

    boot: str
    minute: float
    written: float | None = None
    results: tuple[tuple[str, float], ...] = ()
    validity: Validity = Validity.OK


def turns(boots: str, every: float = 1.0) -> list[Sent]:
    """Envelopes with a fresh result each."""
    return [Sent(boot, n * every, None, ((boot, n * every),)) for n, boot in enumerate(boots)]


@dataclass
class Collector:
    """What the store knows after some envelopes."""

    store: Store
    school: str = "s001"
    at: datetime = field(default=NOON)

    def send(self, sent: Sent) -> Agent:
        """Store one; the agent after it."""
        self.at = NOON + timedelta(minutes=sent.minute)
        results = [
            throughput(at=NOON + timedelta(minutes=minute), boot_id=boot, validity=sent.validity)
            for boot, minute in sent.results
        ]
        valid = tuple(AcceptedResult(result, encode_result(result)) for result in results)
        written = NOON + timedelta(minutes=sent.minute if sent.written is None else sent.written)
        principal = Principal(self.school, self.school)
        self.store.submit(Batch(principal, self.at, sent.boot, valid, (), sent_at=written)).result()
        (agent,) = self.store.agents.all(self.school)
        return agent

    def is_shared(self, sent: list[Sent]) -> bool:
        """After all of them."""
        return [self.send(each) for each in sent][-1].is_shared(self.at)


@pytest.fixture
def collector(tmp_path: Path) -> Collector:
    store = open_store(tmp_path / "campus.db")
    store.tokens.issue(token_hash("t"), Principal("s001", "s001"), "t01", NOON)
    return Collector(store)


@pytest.mark.parametrize(
    "sent",
    [
        turns("ABAB"),
        turns("AAABBBAAABBB"),
        turns("ABCABC"),
        turns("ABABCBC"),  # both were restarted
        turns("ABAB", every=300),  # one is on in the morning, the other one in the afternoon
        [Sent(boot, n) for n, boot in enumerate("ABAB")],  # nothing was measured
        [Sent(boot, n, n - 4.0 if boot == "B" else None) for n, boot in enumerate("ABABABABA")],  # one clock is behind
        [
            Sent("A", 0),
            Sent("B", 1, -600.0),
            *(Sent(boot, 2.0 + n) for n, boot in enumerate("ABA")),
        ],  # until the first answer
        [Sent(boot, n, 6000.0 if boot == "B" else None) for n, boot in enumerate("ABABAB")],  # or early
        [Sent(boot, n, None, ((boot, -9e6),), Validity.CLOCK_UNTRUSTED) for n, boot in enumerate("ABAB")],
        [*turns("A"), *(Sent(boot, 5 + n, None, (("A", -5), (boot, 5 + n))) for n, boot in enumerate("BAB"))],
    ],
)
def test_two_machines_are_noticed(collector: Collector, sent: list[Sent]) -> None:
    assert collector.is_shared(sent)


@pytest.mark.parametrize(
    "sent",
    [
        turns("AAAA"),
        turns("AABBCC"),  # restarts
        turns("ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
        [*turns("AA"), *(Sent("B", 10 + n, None, (("A", n), ("A", n + 1), ("B", 10))) for n in range(5))],  # a late spool
        [*turns("AA"), *(Sent("B", 10 + n, None, (("A" if n % 2 else "B", n),)) for n in range(5))],
        # requests of before the restart were held up on their way
        [*turns("AA"), Sent("B", 5, None, (("B", 5),)), Sent("A", 6, 1.5, (("A", 1.5),)), Sent("B", 7), Sent("A", 8, 1.7), Sent("B", 9)],
        [*turns("AA"), Sent("B", 5), Sent("A", 6, None, (("A", 1.5),)), Sent("B", 7), Sent("A", 8, None, (("A", 1),)), Sent("B", 9)],
        [Sent("A", n, written) for n, written in enumerate([0.0, 9e5, 2.0, -9e5, 4.0])],  # the clock jumps
        [Sent("A", 0, 9e5), Sent("A", 1), Sent("B", 2, -9e6), Sent("B", 3), Sent("C", 4, 9e5), Sent("C", 5)],  # and at restarts
        turns("ABA"),  # a virtual machine was set back to a running snapshot
        turns("ABABA", every=1500),  # every day
    ],
)  # fmt: skip
def test_one_machine_is_not_taken_for_two(collector: Collector, sent: list[Sent]) -> None:
    assert not collector.is_shared(sent)


def test_it_is_said_for_a_day(collector: Collector) -> None:
    assert collector.is_shared(turns("ABAB"))
    assert collector.is_shared([Sent("B", 1000)])
    assert not collector.is_shared([Sent("B", 3000)])


def test_another_gateway_does_not_count(collector: Collector) -> None:
    other = Collector(collector.store, "s002")
    for turn in turns("ABABAB"):
        agent = (collector if turn.boot == "A" else other).send(turn)
        assert agent.identity_shared_at is None


@pytest.mark.parametrize("sent_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00"])
def test_a_time_at_the_end_of_the_calendar_is_taken(world: World, sent_at: str) -> None:
    for boot in "ABA":
        world.send(boot_id=boot, sent_at=datetime.fromisoformat(sent_at))
    assert [agent.boot_id for agent in world.service.store.agents.all()] == ["A"]


def test_pages_and_metric_say_it(world: World) -> None:
    word, metric = "两台设备以该网关身份上报", 'campus_agent_identity_shared_timestamp_seconds{school="s001"}'

    def shown() -> list[bool]:
        pages = [world.get(path, Accept_Language="zh").body.decode() for path in ("/fleet", "/schools/s001")]
        english = [world.get(path, Accept_Language="en").body.decode() for path in ("/fleet", "/schools/s001")]
        metrics = world.get("/metrics").body.decode()
        return [
            *(word in page for page in pages),
            *("two machines report" in each for each in english),
            metric in metrics,
        ]

    for boot in "AABB":
        world.send(throughput(at=datetime.now(UTC), boot_id=boot), boot_id=boot, sent_at=datetime.now(UTC))
    assert shown() == [False] * 5
    for boot in "ABAB":
        world.send(throughput(at=datetime.now(UTC), boot_id=boot), boot_id=boot, sent_at=datetime.now(UTC))
    assert shown() == [True] * 5
