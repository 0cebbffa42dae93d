"""The gate with a real lock, spool and collector: who is let in, who is told why not, and what is left behind."""

import asyncio
import socket
from datetime import UTC, date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from msgspec.structs import replace

from campus_agent.clock.clock import Clock, ClockEstimate
from campus_agent.config.model import AgentConfig, Collector, Endpoint, LoadLimits, Timetable
from campus_agent.config.values import DayRange, Period
from campus_agent.gate.gate import Gate, Permit, gate_beside_daemon
from campus_agent.gate.rules import BROWSER, LATENCY, SCHEDULE, TERMINAL, GateReason, LoadRules, NoPermit
from campus_agent.gate.segment_lock import segment_lock
from campus_agent.ship.shipper import ESTIMATES_KEY
from campus_agent.ship.slots import NoSlot, release, reserve
from campus_agent.spool.spool import open_spool
from campus_wire.failures import SkipReason
from campus_wire.records import Slot, SlotRequest
from tests.collector.world import collector

SHANGHAI = ZoneInfo("Asia/Shanghai")
CLASSROOM = Endpoint("c101", "c101", "127.0.0.1", 5301, "campus", 100_000_000)
UPLINK = Endpoint("uplink", "uplink", "127.0.0.1", 5301, "campus", 1_000_000_000)
LESSON = Timetable((Period(time(9, 30), time(10, 15)),))
BLACKOUT = Timetable(blackout=(DayRange(date(2026, 11, 23), date(2026, 11, 23)),))
BREAK, IN_LESSON = datetime(2026, 11, 23, 9, 20, tzinfo=SHANGHAI), datetime(2026, 11, 23, 9, 40, tzinfo=SHANGHAI)


def config_of(folder: Path, **more: object) -> AgentConfig:
    config = AgentConfig(None, "s001", folder, SHANGHAI, "s001", classrooms=(CLASSROOM,), uplink=UPLINK)
    return replace(config, **{"limits": LoadLimits(max_cpu_ratio=1.0)} | more)


def clock_at(now: datetime) -> Clock:
    return Clock("boot", now.timestamp, lambda: 100.0)


def asked(
    gate: Gate, rules: LoadRules, endpoint: Endpoint = CLASSROOM, spent: int = 0, needed_bytes: int = 1000
) -> Permit | NoPermit:
    """What the gate says; a permit is used up by so many bytes."""

    async def ask() -> Permit | NoPermit:
        async with gate.open(endpoint, seconds=20.0, needed_bytes=needed_bytes, rules=rules) as answer:
            if isinstance(answer, Permit):
                answer.charge(spent)
            return answer

    return asyncio.run(ask())


def reason_of(answer: Permit | NoPermit) -> object:
    return answer.reason if isinstance(answer, NoPermit) else None


@pytest.mark.parametrize(
    ("timetable", "now", "rules", "reason"),
    [
        (LESSON, BREAK, SCHEDULE, None),
        (LESSON, IN_LESSON, SCHEDULE, SkipReason.LESSON),
        (LESSON, datetime(2026, 11, 23, 9, 29, 50, tzinfo=SHANGHAI), SCHEDULE, SkipReason.LESSON),
        (LESSON, datetime(2026, 11, 23, 23, 59, 50, tzinfo=SHANGHAI), SCHEDULE, None),
        (LESSON, IN_LESSON, LATENCY, None),
        (LESSON, IN_LESSON, TERMINAL, None),
        (LESSON, IN_LESSON, BROWSER, SkipReason.LESSON),
        (LESSON, datetime(1970, 1, 1, 12, 0, tzinfo=UTC), SCHEDULE, GateReason.TIME_UNKNOWN),
        (LESSON, datetime(1970, 1, 1, 12, 0, tzinfo=UTC), TERMINAL, None),
        (Timetable(), datetime(1970, 1, 1, 12, 0, tzinfo=UTC), SCHEDULE, None),
        (BLACKOUT, BREAK, SCHEDULE, SkipReason.BLACKOUT),
        (BLACKOUT, BREAK, LATENCY, SkipReason.BLACKOUT),
        (BLACKOUT, BREAK, TERMINAL, SkipReason.BLACKOUT),
        (BLACKOUT, BREAK, BROWSER, SkipReason.BLACKOUT),
    ],
)
def test_the_timetable(tmp_path: Path, timetable: Timetable, now: datetime, rules: LoadRules, reason: object) -> None:
    gate = gate_beside_daemon(config_of(tmp_path, timetable=timetable), clock_at(now))
    assert reason_of(asked(gate, rules)) is reason


def test_bytes_are_booked_and_the_day_ends(tmp_path: Path) -> None:
    gate = gate_beside_daemon(config_of(tmp_path, limits=LoadLimits(5000, max_cpu_ratio=1.0)), clock_at(BREAK))
    first = asked(gate, SCHEDULE, spent=3000)
    assert isinstance(first, Permit)
    assert first.bytes_left == 2000
    assert gate.bytes_left() == 2000
    assert isinstance(asked(gate, SCHEDULE, UPLINK, spent=1500), Permit)
    assert reason_of(asked(gate, BROWSER)) is SkipReason.BYTE_BUDGET
    assert isinstance(asked(gate, TERMINAL, spent=700), Permit), "a person looks for a fault all the same"
    with open_spool(tmp_path, role="reader") as spool:
        assert spool.test_bytes_of_day(BREAK.date()) == {"classroom": 3700, "uplink": 1500}


def test_what_was_spent_is_booked_whatever_ends_the_test(tmp_path: Path) -> None:
    gate = gate_beside_daemon(config_of(tmp_path), clock_at(BREAK))

    async def broken() -> None:
        async with gate.open(CLASSROOM, seconds=20.0, needed_bytes=0, rules=TERMINAL) as answer:
            assert isinstance(answer, Permit)
            answer.charge(77)
            raise OSError("no more files")

    with pytest.raises(OSError, match="no more files"):
        asyncio.run(broken())
    with open_spool(tmp_path, role="reader") as spool:
        assert spool.test_bytes_of_day(BREAK.date()) == {"classroom": 77}
    assert isinstance(asked(gate, replace(TERMINAL, segment_wait_seconds=0.0)), Permit), "the segment is free"


def test_a_test_is_booked_to_the_day_by_the_collectors_clock(tmp_path: Path) -> None:
    behind = datetime(2026, 6, 5, 4, 0, tzinfo=UTC)
    with open_spool(tmp_path) as spool:
        spool.remember(ESTIMATES_KEY, (ClockEstimate("boot", 10.0, behind.timestamp() + 2 * 86_400 - 100, 0.05),))
        spool.add_test_bytes("classroom", date(2026, 6, 7), 5)
    assert isinstance(asked(gate_beside_daemon(config_of(tmp_path), clock_at(behind)), TERMINAL, spent=10), Permit)
    with open_spool(tmp_path) as spool:
        assert spool.test_bytes_of_day(date(2026, 6, 7)) == {"classroom": 15}
        assert spool.test_bytes_of_day(date(2026, 6, 5)) == {}
        spool.add_test_bytes("classroom", date(2036, 1, 1), 1)
        assert spool.test_bytes_of_day(date(2026, 6, 7)), "a day far ahead removes nothing"


def test_a_spool_that_cannot_be_read_costs_the_count_not_the_test(tmp_path: Path) -> None:
    (tmp_path / "spool.db").write_bytes(b"no database at all" * 100)
    answer = asked(gate_beside_daemon(config_of(tmp_path), clock_at(BREAK)), SCHEDULE, spent=10)
    assert isinstance(answer, Permit)
    assert answer.budget_bytes == LoadLimits().daily_test_bytes


@pytest.mark.parametrize("rules", [SCHEDULE, LATENCY, TERMINAL, BROWSER])
def test_one_load_at_a_time(tmp_path: Path, rules: LoadRules) -> None:
    gate = gate_beside_daemon(config_of(tmp_path), clock_at(BREAK))

    async def both() -> Permit | NoPermit:
        async with (
            segment_lock(tmp_path, 0.0) as held,
            gate.open(
                CLASSROOM, seconds=20.0, needed_bytes=0, rules=replace(rules, segment_wait_seconds=0.3)
            ) as answer,
        ):
            assert held
            return answer

    assert reason_of(asyncio.run(both())) is SkipReason.SEGMENT_BUSY
    assert isinstance(asked(gate, rules), Permit)


def test_so_many_an_hour(tmp_path: Path) -> None:
    gate = gate_beside_daemon(config_of(tmp_path), clock_at(BREAK))
    rules = replace(BROWSER, most_per_hour=2)
    assert [reason_of(asked(gate, rules)) for _ in range(3)] == [None, None, GateReason.HOURLY_LIMIT]


@pytest.mark.parametrize(
    ("rules", "reason"),
    [(SCHEDULE, SkipReason.GATEWAY_CPU), (BROWSER, SkipReason.GATEWAY_CPU), (TERMINAL, None), (LATENCY, None)],
)
def test_a_busy_gateway(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rules: LoadRules, reason: object) -> None:
    monkeypatch.setattr("campus_agent.gate.quiet.cpu_ratio", lambda *_: 0.95)
    gate = gate_beside_daemon(config_of(tmp_path, limits=LoadLimits(max_cpu_ratio=0.8)), clock_at(BREAK))
    assert reason_of(asked(gate, rules)) is reason


def test_a_lesson_that_begins_while_the_segment_is_waited_for(tmp_path: Path) -> None:
    moments = iter([BREAK, BREAK])
    clock = Clock("boot", lambda: next(moments, IN_LESSON).timestamp(), lambda: 100.0, lambda: True)
    gate = gate_beside_daemon(config_of(tmp_path, timetable=LESSON), clock)
    assert reason_of(asked(gate, SCHEDULE)) is SkipReason.LESSON


def with_collector(folder: Path, url: str, token: str) -> AgentConfig:
    folder.mkdir(exist_ok=True)
    (folder / "token").write_text(token + "\n")
    return config_of(folder, collector=Collector(url, folder / "token"))


def test_the_uplink_takes_a_slot_and_gives_it_back(tmp_path: Path) -> None:
    with collector(tmp_path / "collector") as world:
        url = f"http://127.0.0.1:{world.port}"
        other = with_collector(tmp_path / "other", url, world.issue_token("s002")).collector
        gate = gate_beside_daemon(with_collector(tmp_path / "agent", url, world.token), clock_at(BREAK))
        assert other is not None
        request = SlotRequest(30.0, 1e9, 0.0)

        async def while_testing() -> Slot | NoSlot:
            async with gate.open(UPLINK, seconds=20.0, needed_bytes=0, rules=SCHEDULE) as answer:
                assert isinstance(answer, Permit)
                return await asyncio.to_thread(reserve, other, request)

        assert isinstance(asyncio.run(while_testing()), NoSlot), "the test server is taken"
        slot = reserve(other, request)
        assert isinstance(slot, Slot), "it was given back"
        for rules in (SCHEDULE, TERMINAL):
            answer = asked(gate, replace(rules, slot_wait_seconds=0.0), UPLINK)
            assert reason_of(answer) is SkipReason.NO_SLOT
        assert isinstance(asked(gate, LATENCY, UPLINK), Permit), "a few packets need no slot"
        assert isinstance(asked(gate, SCHEDULE, CLASSROOM), Permit), "a classroom is no uplink"
        release(other, slot)


@pytest.mark.parametrize(("rules", "reason"), [(SCHEDULE, SkipReason.NO_SLOT), (TERMINAL, None)])
def test_a_collector_that_cannot_be_asked(tmp_path: Path, rules: LoadRules, reason: object) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gate = gate_beside_daemon(
            with_collector(tmp_path, f"http://127.0.0.1:{closed.getsockname()[1]}", "t"), clock_at(BREAK)
        )
        assert reason_of(asked(gate, rules, UPLINK)) is reason


def test_the_first_look_at_the_peer_not_at_the_endpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []

    async def noted(host: str, *_: object) -> None:
        seen.append(host)

    monkeypatch.setattr("campus_agent.gate.gate.disturbance", noted)
    gate = gate_beside_daemon(config_of(tmp_path), clock_at(BREAK))

    async def ask(peer: str) -> None:
        async with gate.open(CLASSROOM, seconds=1.0, needed_bytes=0, rules=BROWSER, peer=peer):
            pass

    asyncio.run(ask("127.0.0.9"))
    asyncio.run(ask(""))
    assert seen == ["127.0.0.9", "127.0.0.1"]
