"""Rows of minutes, worked out by hand."""

from datetime import UTC, datetime

from campus_agent.measure.stream.observer import Answer, StreamObserver

AT_ZERO = 1_795_392_000.0  # a whole minute


def observer(now: float = 0.0, devices: tuple[str, ...] = ()) -> StreamObserver:
    return StreamObserver(0.05, devices, lambda begin: f"id-{begin:.2f}", now, AT_ZERO)


def feed(about: StreamObserver, lost_up: set[int], lost_down: set[int], number: int = 1200, rtt: float = 0.01) -> None:
    """So many packets from 0 s on; the reflector counts what reaches it."""
    reflected = 0
    for index in range(number):
        at = index * 0.05
        about.sent(index, at)
        if index in lost_up:
            continue
        reflected += 1
        if index not in lost_down:
            about.answered(Answer(index, reflected, at + rtt, rtt))


def test_loss_has_a_direction() -> None:
    about = observer()
    feed(about, {10, 11, 500}, {20, 700, 701, 702})
    observed = about.take_record(62.0, ends=True)
    assert observed is not None
    (row,) = observed.minutes
    assert row.minute == datetime.fromtimestamp(AT_ZERO, UTC)
    assert (row.sent, row.lost_up, row.lost_down, row.reordered) == (1200, 3, 4, 0)
    assert (row.rtt_min_seconds, row.rtt_p99_seconds, row.jitter_seconds) == (0.01, 0.01, 0.0)
    assert row.longest_gap_seconds == 0.2
    assert observed.interruptions == []


def test_reordering_is_no_loss() -> None:
    about = observer()
    for number in range(4):
        about.sent(number, number * 0.05)
    for number, reflected, at in ((0, 1, 0.1), (2, 2, 0.2), (1, 3, 0.21), (3, 4, 0.3), (3, 4, 0.31)):
        about.answered(Answer(number, reflected, at, at - number * 0.05))
    observed = about.take_record(5.0, ends=True)
    assert observed is not None
    assert (observed.minutes[0].lost_up, observed.minutes[0].lost_down, observed.minutes[0].reordered) == (0, 0, 1)


def test_an_answer_after_a_second_is_lost_on_the_way_that_was_slow() -> None:
    for up, down, expected in ((1.5, 0.0, (1, 0)), (0.0, 1.5, (0, 1))):
        about = observer()
        about.sent(0, 0.0)
        about.answered(Answer(0, 0, 0.02, 0.02, 3600.01, -3599.99))
        about.sent(1, 0.05)
        about.answered(Answer(1, 1, 1.57, 1.52, 3600.01 + up, -3599.99 + down))
        observed = about.take_record(5.0, ends=True)
        assert observed is not None
        assert (observed.minutes[0].lost_up, observed.minutes[0].lost_down) == expected


def test_what_the_gateway_did_not_send_is_unknown() -> None:
    about = observer()
    feed(about, set(), set(), 400)
    for index in range(400, 700):  # suspended from 20 s to 45 s
        at = index * 0.05 + 25.0
        about.sent(index, at)
        about.answered(Answer(index, index + 1, at + 0.01, 0.01))
    observed = about.take_record(62.0, ends=True)
    assert observed is not None
    (row,) = observed.minutes
    assert (row.sent, row.lost_up + row.lost_down) == (700, 0)
    assert 24.9 <= row.unknown_seconds <= 25.1
    assert row.longest_gap_seconds is not None
    assert row.longest_gap_seconds < 0.2
    assert observed.interruptions == []


def test_a_run_that_begins_and_ends_within_a_minute_says_how_much_is_unknown() -> None:
    about = observer(30.0)
    for index in range(200):
        about.sent(index, 30.0 + index * 0.05)
        about.answered(Answer(index, index, 30.01 + index * 0.05, 0.01))
    observed = about.take_record(40.0, ends=True)
    assert observed is not None
    assert 49.0 <= observed.minutes[0].unknown_seconds <= 51.0


def test_records_follow_the_clock_and_overlap_nowhere() -> None:
    about = observer(200.0)
    minutes = []
    number, now = 0, 200.0
    while now < 1000.0:
        about.sent(number, now)
        about.answered(Answer(number, number, now + 0.01, 0.01))
        number, now = number + 1, now + 0.05
        if now >= about.next_record_at():
            observed = about.take_record(now)
            assert observed is not None
            minutes.append([row.minute.minute % 5 for row in observed.minutes])
    assert minutes == [[3, 4], [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]]


def test_a_server_that_never_answered_may_not_exist() -> None:
    about = StreamObserver(0.05, (), lambda begin: "id", 0.0, AT_ZERO, expects_answers=False)
    for index in range(1000):
        about.sent(index, index * 0.05)
    assert about.open(50.0) is None
    assert about.answers == 0
