"""Keep, give back in order, remove exactly what was acknowledged, stay within bounds, count."""

import threading
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from campus_agent.config.model import SpoolLimits
from campus_agent.spool import spool as spool_module
from campus_agent.spool.errors import SpoolError, SpoolFull
from campus_agent.spool.spool import Spool, SpoolStatus, open_spool
from campus_wire.codec import decode_result, encode_result
from tests.agent.spool.things import numbers, result, result_id
from tests.wire.samples import RESULTS


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    with open_spool(tmp_path / "state") as opened:
        yield opened


def balance(status: SpoolStatus) -> int:
    """0 when every result that was ever put is accounted for."""
    left = status.pending_results + status.acknowledged_total + status.dropped_total + status.quarantined_total
    return status.put_total - left


def test_results_come_back_oldest_first_octet_by_octet(spool: Spool) -> None:
    for record in RESULTS:
        spool.put(record)
    entries = spool.peek()
    assert [entry.body for entry in entries] == [encode_result(each) for each in RESULTS]
    assert [(entry.id, entry.boot_id, entry.monotonic_seconds) for entry in entries] == [
        (each.id, each.boot_id, each.monotonic_seconds) for each in RESULTS
    ]
    assert decode_result(entries[0].body) == RESULTS[0]
    assert spool.peek() == entries, "looking removes nothing"


def test_everything_is_still_there_after_closing(tmp_path: Path) -> None:
    with open_spool(tmp_path) as spool:
        spool.put(*(result(n) for n in range(5)))
        spool.acknowledge([spool.peek()[1].key])
        spool.quarantine({spool.peek()[0].key: "not liked"})
        spool.remember("x", {"a": [1, 2]})
        before = spool.status()
    with open_spool(tmp_path) as spool:
        assert numbers(spool) == [2, 3, 4]
        assert spool.status() == before
        assert (before.put_total, before.acknowledged_total, before.quarantined_total) == (5, 1, 1)
        assert spool.recall("x", dict[str, list[int]]) == {"a": [1, 2]}


def test_a_batch_is_bounded_by_results_and_by_octets_but_never_empty(spool: Spool) -> None:
    spool.put(*(result(n, detail="x" * 200) for n in range(10)))
    size = len(spool.peek(1)[0].body)
    assert len(spool.peek(max_results=3)) == 3
    assert len(spool.peek(max_bytes=3 * size)) == 3
    assert len(spool.peek(max_bytes=3 * size - 1)) == 2
    assert len(spool.peek(max_bytes=1)) == 1


def test_acknowledging_removes_exactly_these_and_nothing_twice(spool: Spool) -> None:
    spool.put(*(result(n) for n in range(6)))
    keys = [entry.key for entry in spool.peek()]
    assert spool.acknowledge([keys[1], keys[4], keys[4], 999_999]) == 2
    assert spool.acknowledge([keys[1]]) == 0
    assert numbers(spool) == [0, 2, 3, 5]
    assert spool.status().acknowledged_total == 2


def test_a_key_is_never_used_twice(spool: Spool) -> None:
    spool.put(result(1))
    (old,) = spool.peek()
    spool.acknowledge([old.key])
    spool.put(result(2))
    assert spool.acknowledge([old.key]) == 0, "an acknowledgement that comes late removes nothing new"
    assert numbers(spool) == [2]


def test_when_full_by_results_the_oldest_go_and_are_counted(tmp_path: Path) -> None:
    with open_spool(tmp_path, SpoolLimits(max_results=5)) as spool:
        for n in range(8):
            spool.put(result(n))
        spool.put(result(8), result(9))
        assert numbers(spool) == [5, 6, 7, 8, 9]
        status = spool.status()
        assert (status.dropped_total, status.lost_total, status.pending_results) == (5, 5, 5)
    with open_spool(tmp_path, SpoolLimits(max_results=2)) as spool:  # the operator lowered the bound
        spool.put(result(10))
        assert numbers(spool) == [9, 10]
        assert spool.status().dropped_total == 9
        assert balance(spool.status()) == 0


def test_when_full_by_octets_the_oldest_go(tmp_path: Path) -> None:
    size = len(encode_result(result(1, detail="x" * 300)))
    with open_spool(tmp_path, SpoolLimits(max_bytes=4 * size)) as spool:
        for n in range(1, 6):
            spool.put(result(n, detail="x" * 300))
        assert numbers(spool) == [2, 3, 4, 5]
        assert spool.status().pending_bytes == 4 * size


def test_what_can_never_fit_is_refused_and_costs_nobody_else(tmp_path: Path) -> None:
    with open_spool(tmp_path, SpoolLimits(max_results=100, max_bytes=1000)) as spool:
        spool.put(result(1))
        with pytest.raises(
            SpoolFull, match=r"more than the spool may hold at all \(\[spool\] max_results, max_bytes\)"
        ):
            spool.put(*(result(n, detail="x" * 300) for n in range(5)))
        assert numbers(spool) == [1]
        assert spool.status().unwritten_total == 5


def test_quarantine_keeps_octets_and_reason_and_is_bounded(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "MAX_QUARANTINED_RESULTS", 3)
    spool.put(*(result(n) for n in range(6)))
    entries = spool.peek()
    assert spool.quarantine({entry.key: f"reason {entry.key % 2}" for entry in entries[:5]}) == 5
    assert numbers(spool) == [5]
    kept = spool.quarantined()
    assert [(each, body) for each, _, body in kept] == [(entry.id, entry.body) for entry in reversed(entries[2:5])]
    status = spool.status()
    assert (status.quarantined_results, status.quarantined_total) == (3, 5)
    assert sum(count for _, count in status.quarantine_reasons) == 3
    assert balance(status) == 0
    spool.quarantine({spool.peek()[0].key: "x" * 5000})
    assert len(spool.quarantined()[0][1]) == 300


def test_what_is_remembered_is_forgotten_with_none_and_unreadable_reads_as_none(spool: Spool) -> None:
    assert spool.recall("offset", float) is None
    spool.remember("offset", 1.5)
    spool.remember("offset", -2.5)
    assert spool.recall("offset", float) == -2.5
    assert spool.recall("offset", list[int]) is None
    spool.remember("offset", None)
    assert spool.recall("offset", float) is None


@pytest.mark.parametrize("days", [1, 39, 41, 60, 99, 100, 101, 400, 20_000])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_clock_that_is_wrong_for_a_while_does_not_forget_today_s_bytes(spool: Spool, days: int, sign: int) -> None:
    today = date(2026, 11, 28)
    spool.add_test_bytes("classroom", today, 1000)
    for n in range(30):
        spool.add_test_bytes("classroom", today + timedelta(sign * days + n), 1)
    spool.add_test_bytes("classroom", today, 10)
    assert spool.test_bytes_of_day(today)["classroom"] >= 1010


def test_test_bytes_of_days_long_past_are_forgotten(spool: Spool) -> None:
    for n in range(100):
        spool.add_test_bytes("uplink", date(2026, 1, 1) + timedelta(n), 1)
    kept = [n for n in range(100) if spool.test_bytes_of_day(date(2026, 1, 1) + timedelta(n))]
    assert kept == list(range(60, 100))
    assert spool.test_bytes_total()["uplink"] == 100


def test_test_bytes_by_day_and_for_ever(spool: Spool) -> None:
    today = date(2026, 11, 23)
    spool.add_test_bytes("classroom", today, 100)
    spool.add_test_bytes("classroom", today, 50)
    spool.add_test_bytes("uplink", today, 7)
    spool.add_test_bytes("classroom", date(2026, 11, 24), 1)
    assert spool.test_bytes_of_day(today) == {"classroom": 150, "uplink": 7}
    assert spool.test_bytes_of_day(date(2020, 1, 1)) == {}
    spool.add_test_bytes("uplink", date.max, 1)
    spool.add_test_bytes("uplink", date.min, 1)
    assert spool.test_bytes_of_day(today) == {"classroom": 150, "uplink": 7}
    assert spool.test_bytes_total() == {"classroom": 151, "uplink": 9}


def test_status_tells_the_oldest_and_reads_beside_the_owner(spool: Spool) -> None:
    spool.put(result(1), result(2))
    with open_spool(spool.path.parent, role="reader") as reader:
        assert reader.status() == spool.status()
        assert reader.status().oldest_started_at == "2026-11-23T01:02:03Z"
        assert numbers(reader) == [1, 2]
        with pytest.raises(SpoolError, match="readonly"):
            reader.put(result(3))
    assert numbers(spool) == [1, 2]


def test_measure_may_put_beside_the_daemon(spool: Spool) -> None:
    spool.put(result(1))
    with open_spool(spool.path.parent, role="writer") as writer:
        writer.put(result(2))
        spool.put(result(3))
        assert numbers(writer) == [1, 2, 3]
    assert numbers(spool) == [1, 2, 3]
    assert spool.status().put_total == 3


def test_many_threads_lose_nothing(spool: Spool) -> None:
    def put(first: int) -> None:
        for n in range(first, first + 25):
            spool.put(result(n))

    taken: list[str] = []

    def take() -> None:
        for _ in range(40):
            entries = spool.peek(7)
            if spool.acknowledge(entry.key for entry in entries) == len(entries):
                taken.extend(entry.id for entry in entries)

    threads = [threading.Thread(target=put, args=(100 * n,)) for n in range(4)] + [threading.Thread(target=take)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [entry.id for entry in spool.peek(1000)]
    assert sorted(taken + left) == sorted(result_id(100 * n + m) for n in range(4) for m in range(25))
    assert balance(spool.status()) == 0


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.integers(1, 4)),
        st.tuples(st.just("acknowledge"), st.sets(st.integers(0, 6))),
        st.tuples(st.just("quarantine"), st.sets(st.integers(0, 6), max_size=2)),
        st.tuples(st.just("reopen"), st.none()),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS, max_results=st.integers(4, 8))
def test_it_does_what_a_bounded_list_does(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, Any]], max_results: int
) -> None:
    folder, limits = tmp_path_factory.mktemp("spool"), SpoolLimits(max_results=max_results)
    model: list[int] = []
    dropped = put = 0
    spool = open_spool(folder, limits)
    try:
        for step, how in steps:
            if step == "put":
                new = list(range(put, put + how))
                spool.put(*(result(n) for n in new))
                put += how
                dropped += max(0, len(model) + how - max_results)
                model = (model + new)[-max_results:]
            elif step == "reopen":
                spool.close()
                spool = open_spool(folder, limits)
            else:
                entries = [entry for place, entry in enumerate(spool.peek()) if place in how]
                if step == "acknowledge":
                    spool.acknowledge(entry.key for entry in entries)
                else:
                    spool.quarantine({entry.key: "no" for entry in entries})
                model = [n for place, n in enumerate(model) if place not in how]
            assert numbers(spool) == model
        status = spool.status()
        assert (status.put_total, status.dropped_total, status.pending_results) == (put, dropped, len(model))
        assert status.pending_bytes == sum(len(encode_result(result(n))) for n in model)
        assert balance(status) == 0
    finally:
        spool.close()
