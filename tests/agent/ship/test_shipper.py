"""Shipping to a real server on loopback that misbehaves in every way: only what a receipt accounts for leaves the spool."""

import re
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import msgspec
import pytest

from campus_agent.ship import shipper as shipper_module
from campus_agent.ship.shipper import ShipOutcome
from campus_agent.spool.errors import SpoolFull
from campus_agent.spool.spool import Spool
from campus_base.messages import Message, bilingual
from campus_wire.encapsulation import Encapsulation
from campus_wire.failures import FailureKind, Operation, Validity
from campus_wire.records import (
    MAX_INTERVALS,
    AnyResult,
    DirectionRecord,
    Interval,
    ThroughputRecord,
    ThroughputResult,
)
from tests.agent.ship.things import NOW, School
from tests.agent.spool.things import numbers, result, result_id
from tests.fakes import collector as fake
from tests.fakes.collector import TOKEN, FakeCollector


@pytest.fixture
def collector() -> Iterator[FakeCollector]:
    with FakeCollector() as running:
        running.clock = lambda: NOW
        yield running


@pytest.fixture
def school(tmp_path: Path, collector: FakeCollector) -> School:
    return School(tmp_path, collector.url)


def at_now(count: int, **changes: object) -> list[AnyResult]:
    """Results with right labels."""
    at = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=100)
    return [
        result(n, at=at + timedelta(seconds=n), monotonic_seconds=4900.0 + n, **changes) for n in range(1, count + 1)
    ]


def test_everything_is_delivered_once_and_leaves_the_spool(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(1234))
        bodies = [entry.body for entry in spool.peek(2000, 10**9)]
        outcome = shipper.drain()
        assert outcome == ShipOutcome(outcome.at, stored=1234, last_success_at=outcome.at)
        assert spool.status().pending_results == 0
        assert spool.status().acknowledged_total == 1234
    assert list(collector.raws.values()) == bodies, "oldest first, octet by octet"
    assert set(collector.arrivals.values()) == {1}
    assert [len(envelope.results) for envelope in collector.envelopes] == [0, 500, 500, 234], (
        "the first asks for the time"
    )
    assert collector.connections == 1
    first = collector.envelopes[1]
    assert (first.schema_version, first.agent_id, first.announcement and first.announcement.town) == (1, "s001", "t01")
    assert first.agent is not None
    assert first.agent.spool_pending_results == 1234


def test_an_empty_spool_still_gives_a_sign_of_life(school: School, collector: FakeCollector) -> None:
    with school.open() as (_, shipper):
        assert shipper.drain().failures_in_a_row == 0
        assert shipper.drain().failures_in_a_row == 0
    assert [len(envelope.results) for envelope in collector.envelopes] == [0, 0, 0]


def test_batches_are_bounded_by_octets(
    school: School, collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipper_module, "MAX_BATCH_BYTES", 10_000)
    with school.open() as (spool, shipper):
        spool.put(*at_now(100, detail="x" * 300))
        shipper.drain()
    sizes = [sum(len(bytes(raw)) for raw in envelope.results) for envelope in collector.envelopes[1:]]
    assert len(sizes) > 4
    assert max(sizes) <= 10_000


def test_stored_but_not_told_is_a_duplicate_and_counts_once(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(20))
        collector.script.extend([fake.well, fake.cut_after_storing, fake.cut_after_storing])
        outcome = shipper.drain()
        assert outcome.failure is not None
        assert outcome.failure.kind is FailureKind.CONNECTION_RESET
        assert (len(numbers(spool)), len(collector.stored)) == (20, 20), "nothing is removed without a receipt"
        again = shipper.drain()
        assert (again.stored, again.duplicate) == (0, 20)
        assert numbers(spool) == []
    assert set(collector.arrivals.values()) == {3}
    assert len(collector.stored) == 20


def test_a_kept_connection_that_was_closed_meanwhile_is_opened_again(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        collector.script.extend([fake.well, fake.cut_before_storing])
        outcome = shipper.drain()
        assert (outcome.stored, outcome.failure) == (3, None)
    assert collector.connections == 2


@pytest.mark.parametrize(
    ("behaviour", "kind"),
    [
        (fake.cut_before_storing, FailureKind.CONNECTION_RESET),
        (fake.cut_within_the_answer, FailureKind.CONNECTION_RESET),
        (fake.silent, FailureKind.TIMEOUT),
        (fake.dripping, FailureKind.TIMEOUT),
    ],
)
def test_no_whole_answer_removes_nothing(
    school: School, collector: FakeCollector, behaviour: fake.Behaviour, kind: FailureKind
) -> None:
    school.exchange_seconds = 0.4
    collector.otherwise = behaviour
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        outcome = shipper.drain()
        assert outcome.failure is not None
        assert (outcome.failure.operation, outcome.failure.kind) == (Operation.READ, kind)
        assert outcome.failures_in_a_row == 1
        assert numbers(spool) == [1, 2, 3]
        collector.otherwise = fake.well
        shipper.drain()
        assert numbers(spool) == []
    assert len(collector.stored) == 3


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (400, "not_understood"),
        (401, "token_refused"),
        (403, "token_refused"),
        (404, "not_understood"),
        (422, "not_understood"),
        (429, "overloaded"),
        (500, "server_error"),
        (503, "overloaded"),
        (307, "redirected"),
    ],
)
def test_a_refusal_of_the_batch_keeps_everything(
    school: School, collector: FakeCollector, code: int, reason: str
) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        collector.script.extend([fake.well, fake.status(code, b'{"title":"No","status":400}', Location="http://x/")])
        outcome = shipper.drain()
        assert (outcome.reason, outcome.detail, outcome.failures_in_a_row) == (reason, f"HTTP {code}: No", 1)
        assert numbers(spool) == [1, 2, 3]
        assert shipper.last_outcome() == outcome
        low, high = (450, 900) if reason == "not_understood" else (0.1, 1)
        assert low <= outcome.retry_seconds <= high
        status = spool.status()
        assert (status.quarantined_total, status.lost_total) == (0, 0)


def test_every_reason_has_its_words_for_status() -> None:
    from campus_agent import status as status_module
    from campus_agent.ship.decide import Reason

    words: dict[str, Message] = status_module._REASONS
    assert set(words) == set(Reason.__args__)  # type: ignore[attr-defined]
    assert "does not understand this agent" in words["not_understood"].en


def test_lying_receipts_acknowledge_nothing(school: School, collector: FakeCollector) -> None:
    lies = [
        lambda receipt: msgspec.structs.replace(receipt, stored=receipt.stored + 1),
        lambda receipt: msgspec.structs.replace(receipt, stored=0, duplicate=0),
    ]
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        for lie in lies:
            collector.script.extend([fake.well] * (shipper.estimate is None) + [fake.receipt_of(lie)])
            outcome = shipper.drain()
            assert outcome.reason == "bad_receipt"
            assert numbers(spool) == [1, 2, 3]
        collector.script.append(fake.status(200, b"<html>log in</html>"))
        assert shipper.drain().reason == "bad_receipt"
        assert numbers(spool) == [1, 2, 3]


def test_what_the_collector_will_never_store_is_kept_apart_with_its_reason(
    school: School, collector: FakeCollector
) -> None:
    collector.refuse = lambda identity: "another school's subject" if identity.id == result_id(2) else None
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        outcome = shipper.drain()
        assert (outcome.stored, outcome.quarantined, outcome.failures_in_a_row) == (2, 1, 0)
        status = spool.status()
        assert (status.pending_results, status.quarantined_results) == (0, 1)
        assert status.quarantine_reasons == (("another school's subject", 1),)
        assert spool.quarantined()[0][0] == result_id(2)


def test_a_collector_that_takes_only_small_batches_gets_them(school: School, collector: FakeCollector) -> None:
    collector.max_results = 60
    with school.open() as (spool, shipper):
        spool.put(*at_now(700))
        outcome = shipper.drain()
        assert (outcome.stored, outcome.failures_in_a_row) == (700, 0)
    sizes = [len(envelope.results) for envelope in collector.envelopes]
    assert sizes[:5] == [0, 500, 250, 125, 62]
    assert set(sizes[5:-1]) == {31}
    assert set(collector.arrivals.values()) == {1}


def large(number: int) -> ThroughputResult:
    """A sound result of more than a hundred thousand bytes: as many intervals as a record may have."""
    intervals = [Interval(n / 7, 1 / 7, 10**12 + n) for n in range(MAX_INTERVALS)]
    direction = DirectionRecord(1e8, 10**9, 100.0, intervals=intervals)
    record = ThroughputRecord("classroom", "iperf3", "3.12", 1e8, Encapsulation(mtu_bytes=1500), direction, direction)
    return ThroughputResult(**(msgspec.structs.asdict(result(number)) | {"record": record}))


def test_a_single_result_that_is_too_large_does_not_block_the_others(school: School, collector: FakeCollector) -> None:
    def small_only(call: fake.Call) -> None:
        if any(len(bytes(raw)) > 100_000 for raw in call.envelope().results):
            call.answer(413)
        else:
            fake.well(call)

    collector.otherwise = small_only
    with school.open() as (spool, shipper):
        spool.put(*at_now(6)[:3])
        spool.put(large(50))
        spool.put(*at_now(6)[3:])
        outcome = shipper.drain()
        assert (outcome.stored, outcome.quarantined, numbers(spool)) == (6, 1, [])
        ((identity, reason, body),) = spool.quarantined()
        assert (identity, len(body) > 100_000) == (result_id(50), True)
        assert re.fullmatch(r"too large for the collector: \d+ bytes \(HTTP 413: \)", reason)


def test_a_proxy_that_refuses_everything_as_too_large_costs_nothing(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(9))
        collector.script.append(fake.well)
        collector.otherwise = fake.status(413, b"<html>Request Entity Too Large</html>")
        outcome = shipper.drain()
        assert outcome.reason == "not_understood"
        assert re.match(r"a single result of \d+ bytes was refused: HTTP 413: <html>Request Entity", outcome.detail)
        assert (len(numbers(spool)), spool.status().quarantined_total) == (9, 0)


def test_retry_after_wins_in_both_forms_even_with_a_clock_in_1970(school: School, collector: FakeCollector) -> None:
    school.hands.wall = 300.0
    date = format_datetime(datetime.now(UTC) + timedelta(seconds=200), usegmt=True)
    for header, seconds in (("120", 120.0), (date, 200.0)):
        collector.otherwise = fake.status(503, b"", Retry_After=header)
        with school.open() as (_, shipper):
            outcome = shipper.drain()
            assert outcome.reason == "overloaded"
            assert seconds - 2 <= outcome.retry_seconds <= seconds * 1.1 + 1


def test_minutes_without_a_collector_and_then_all_is_delivered(tmp_path: Path) -> None:
    """The clock is turned by hand: nobody sleeps."""
    with FakeCollector() as gone:
        port_url = gone.url
    school = School(tmp_path, port_url)
    waited = []
    with school.open() as (spool, shipper):
        spool.put(*at_now(5))
        for failures in range(1, 15):
            outcome = shipper.drain()
            assert outcome.failure is not None
            assert (outcome.failure.operation, outcome.failure.kind) == (
                Operation.CONNECT,
                FailureKind.CONNECTION_REFUSED,
            )
            assert outcome.failures_in_a_row == failures
            waited.append(outcome.retry_seconds)
            school.hands.pass_seconds(outcome.retry_seconds)
            spool.put(result(100 + failures, at=datetime.fromtimestamp(school.hands.wall, UTC)))
    for failures, seconds in enumerate(waited):
        assert min(900.0, 2.0**failures) / 10 <= seconds <= min(900.0, 2.0**failures)
    with FakeCollector() as back:
        back.clock = lambda: school.hands.wall
        school.url = back.url
        with school.open() as (spool, shipper):  # the agent was started again meanwhile
            before = shipper.last_outcome()
            assert before is not None
            assert before.failures_in_a_row == 14
            outcome = shipper.drain()
            assert (outcome.stored, outcome.failures_in_a_row, outcome.retry_seconds) == (19, 0, 0.0)
        assert set(back.arrivals.values()) == {1}


def test_part_of_the_way_counts(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(700))
        collector.script.extend([fake.well, fake.well, fake.status(503)])
        outcome = shipper.drain()
        assert (outcome.stored, outcome.reason, outcome.failures_in_a_row) == (500, "overloaded", 1)
        assert outcome.last_success_at is not None
        assert numbers(spool) == list(range(501, 701))


def test_a_clock_that_was_never_set_learns_before_it_sends(school: School, collector: FakeCollector) -> None:
    school.hands.wall = 1000.0  # 1970-01-01 00:16:40
    school.hands.monotonic = 90.0
    with school.open() as (spool, shipper):
        at = datetime.fromtimestamp(970.0, UTC)
        spool.put(result(1, at=at, monotonic_seconds=60.0))
        shipper.drain()
        assert shipper.estimate is not None
    sent = collector.stored[result_id(1)]
    assert sent.started_at.timestamp() == pytest.approx(NOW - 30, abs=1)
    assert (sent.validity, collector.arrivals[result_id(1)]) == (Validity.OK, 1)
    assert sent.clock_offset_seconds == pytest.approx(NOW - 1000.0, abs=1)


@pytest.mark.parametrize("step_seconds", [3600.0, -3600.0, 50 * 365 * 86_400.0])
def test_a_wall_clock_that_jumps_before_sending_changes_nothing(
    school: School, collector: FakeCollector, step_seconds: float
) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(2))
        school.hands.wall += step_seconds
        shipper.drain()
    truth = datetime.fromtimestamp(NOW, UTC) - timedelta(seconds=99)
    assert collector.stored[result_id(1)].started_at == truth
    assert collector.stored[result_id(1)].validity is Validity.OK


def test_what_an_earlier_boot_learnt_still_corrects_its_results(school: School, collector: FakeCollector) -> None:
    school.hands.wall = 1000.0
    with school.open() as (spool, shipper):
        shipper.drain()
        collector.otherwise = fake.status(503)
        at = datetime.fromtimestamp(1010.0, UTC)
        spool.put(result(1, at=at, monotonic_seconds=school.hands.monotonic + 10))
    school.hands.boot_id, school.hands.monotonic, school.hands.wall = "the-next-boot", 40.0, 500.0
    collector.otherwise, collector.clock = fake.well, lambda: NOW + 86_400
    with school.open() as (_, shipper):
        shipper.drain()
    sent = collector.stored[result_id(1)]
    assert sent.started_at.timestamp() == pytest.approx(NOW + 10, abs=1)
    assert sent.validity is Validity.OK


def test_an_earlier_boot_without_any_clock_is_stored_but_not_trusted(school: School, collector: FakeCollector) -> None:
    with school.open() as (spool, _):
        for n in (1, 2):
            spool.put(result(n, at=datetime.fromtimestamp(100.0 * n, UTC), monotonic_seconds=100.0 * n))
    school.hands.boot_id, school.hands.monotonic = "the-next-boot", 40.0
    with school.open() as (_, shipper):
        assert shipper.drain().stored == 2
    first, second = collector.stored[result_id(1)], collector.stored[result_id(2)]
    assert {first.validity, second.validity} == {Validity.CLOCK_UNTRUSTED}
    assert second.started_at.timestamp() == pytest.approx(NOW - 40, abs=1), "when this boot began"
    assert (second.started_at - first.started_at).total_seconds() == pytest.approx(100)


def test_a_collector_whose_own_clock_was_never_set_teaches_nothing(school: School, collector: FakeCollector) -> None:
    collector.clock = lambda: 5000.0
    with school.open() as (spool, shipper):
        spool.put(*at_now(1))
        assert shipper.drain().stored == 1
        assert shipper.estimate is None
    assert collector.stored[result_id(1)].started_at == at_now(1)[0].started_at


def test_the_token_is_read_anew_and_never_told(school: School, collector: FakeCollector) -> None:
    school.token_file.write_text("cm1_an-old-secret\n")
    collector.token = None
    collector.otherwise = fake.status(
        401, b'{"title":"No","status":401,"detail":"Bearer cm1_an-old-secret is revoked"}'
    )
    with school.open() as (spool, shipper):
        spool.put(*at_now(1))
        outcome = shipper.drain()
        assert (outcome.reason, outcome.detail) == ("token_refused", "HTTP 401: No: Bearer *** is revoked")
        assert b"an-old-secret" not in b"".join(path.read_bytes() for path in spool.path.parent.iterdir())
        school.token_file.write_text(TOKEN)
        collector.token, collector.otherwise = TOKEN, fake.well
        assert shipper.drain().stored == 1


@pytest.mark.parametrize(
    ("content", "detail"),
    [
        (None, "No such file or directory"),
        (b"", "is empty"),
        (b"two words", "this is no token: it must be one line of at most 200 ASCII letters, digits and"),
        ("令牌".encode(), "this is no token"),
        (b'"quoted"', "this is no token"),
        ("a\u200bb".encode(), "this is no token"),
        (b"a\x00b", "it is not text"),
        (b"\xff\xfe", "it is empty"),
        (b"x" * 201, "this is no token"),
    ],
)
def test_a_token_file_that_cannot_be_used_is_a_clear_failure(
    school: School, content: bytes | None, detail: str
) -> None:
    school.token_file.unlink()
    if content is not None:
        school.token_file.write_bytes(content)
    with school.open() as (spool, shipper):
        spool.put(*at_now(1))
        outcome = shipper.drain()
        assert outcome.failure is not None
        assert (outcome.failure.operation, outcome.failure.kind) == (Operation.PREPARE, FailureKind.NOT_AUTHORISED)
        assert str(school.token_file) in outcome.detail
        assert detail in outcome.detail
        assert numbers(spool) == [1]


@pytest.mark.parametrize(
    ("url", "operation", "kinds"),
    [
        (
            "http://no-such-name.invalid",
            Operation.RESOLVE,
            {FailureKind.NAME_NOT_FOUND, FailureKind.NAME_SERVER_FAILED},
        ),
        (f"http://{'x' * 70}.invalid", Operation.RESOLVE, {FailureKind.NAME_NOT_FOUND}),
        ("http://127.0.0.1:9", Operation.CONNECT, {FailureKind.CONNECTION_REFUSED}),
    ],
)
def test_what_is_not_reached_is_told_apart(
    tmp_path: Path, url: str, operation: Operation, kinds: set[FailureKind]
) -> None:
    with School(tmp_path, url).open() as (_, shipper):
        outcome = shipper.drain()
    assert outcome.failure is not None
    assert outcome.failure.operation is operation
    assert outcome.failure.kind in kinds


def test_an_answer_before_the_whole_body_was_read_is_heard(tmp_path: Path) -> None:
    """nginx says 413 and closes while we are still sending."""
    import socket

    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer_early() -> None:
            line, _ = server.accept()
            with line:
                line.recv(100)
                line.sendall(b"HTTP/1.1 401 No\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno")

        thread = threading.Thread(target=answer_early, daemon=True)
        thread.start()
        with School(tmp_path, f"http://127.0.0.1:{server.getsockname()[1]}").open() as (_, shipper):
            outcome = shipper.drain()
        thread.join()
    # Linux may throw the answer away with the connection: then it is a reset; either way nothing is lost.
    assert outcome.reason == "token_refused" or (
        outcome.failure and outcome.failure.kind is FailureKind.CONNECTION_RESET
    )


def test_a_weak_line_gets_smaller_batches(school: School, collector: FakeCollector) -> None:
    school.exchange_seconds = 0.3
    with school.open() as (spool, shipper):
        spool.put(*at_now(40))
        collector.script.extend([fake.well, fake.silent])
        shipper.drain()
        shipper.drain()
    assert [len(envelope.results) for envelope in collector.envelopes][:2] == [0, 40]
    assert len(collector.stored) == 40


def test_a_full_disk_is_an_outcome_not_a_crash(
    school: School, collector: FakeCollector, monkeypatch: pytest.MonkeyPatch
) -> None:
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        shipper.drain()
        spool.put(*at_now(3))

        def full(*_: object) -> int:
            raise SpoolFull(bilingual("spool.db: the disk is full", "磁盘已满"))

        with monkeypatch.context() as patch:
            patch.setattr(Spool, "acknowledge", full)
            patch.setattr(Spool, "remember", full)
            outcome = shipper.drain()
        assert (outcome.reason, outcome.detail) == ("spool_failed", "spool.db: the disk is full")
        assert len(numbers(spool)) == 3
        assert shipper.drain().duplicate == 3
    assert len(collector.stored) == 3


def test_stopping_ends_a_silent_exchange_at_once(school: School, collector: FakeCollector) -> None:
    school.exchange_seconds = 60.0
    collector.script.append(fake.well)
    collector.otherwise = fake.silent
    with school.open() as (spool, shipper):
        spool.put(*at_now(3))
        thread = threading.Thread(target=shipper.drain)
        thread.start()
        while len(collector.envelopes) < 2:
            time.sleep(0.01)
        shipper.stop()
        thread.join(60)
        assert not thread.is_alive()
        assert len(numbers(spool)) == 3
        assert shipper.last_outcome() is None, "being stopped is no failure of the collector"


def test_the_time_is_written_to_disk_seldom(school: School, collector: FakeCollector) -> None:
    collector.clock = lambda: school.hands.wall
    with school.open() as (spool, shipper):
        written: list[str] = []
        remember = spool.remember
        spool.remember = lambda name, value: (written.append(name), remember(name, value))[1]  # type: ignore[method-assign]
        for _ in range(10):
            shipper.drain()
            school.hands.pass_seconds(60)
    assert written.count("clock_estimates") == 1
