"""Who is answered, and how often: replayed, spoofed and flooding senders."""

import pytest

from campus_agent.measure.stream.packets import SenderPacket, pack_sender, to_timestamp, unpack_reflected
from campus_agent.measure.stream.reflector import Reflector, ReflectorLimits

KEY = b"a key of the county"
NS = 10**9
WALL_NS = 1_795_395_723 * NS
SCHOOL, OTHER = ("198.51.100.7", 40001), ("203.0.113.9", 40001)


def packet(sequence: int, at_ns: int = 0, key: bytes | None = KEY, session: int = 5, size: int = 0) -> bytes:
    return pack_sender(SenderPacket(sequence, to_timestamp(WALL_NS + at_ns), 1, session), key, size)


def ask(reflector: Reflector, question: bytes, source: tuple[str, int] = SCHOOL, now: float = 1.0) -> bytes | None:
    received = WALL_NS + int(now * NS)
    return reflector.answer(question, source, now, received, received, 60)


def number(answer: bytes | None, key: bytes | None = KEY) -> int:
    assert answer is not None
    reflected = unpack_reflected(answer, key)
    assert reflected is not None
    return reflected.sequence


def test_answers_are_numbered_by_session_so_that_loss_has_a_direction() -> None:
    reflector = Reflector(KEY)
    assert [number(ask(reflector, packet(n, n))) for n in (0, 1, 5, 6)] == [0, 1, 2, 3]
    assert number(ask(reflector, packet(0, 1, session=6))) == 0
    assert reflector.answered == 5
    assert reflector.sessions == 2


@pytest.mark.parametrize("key", [None, KEY])
@pytest.mark.parametrize("size", [0, 100, 300, 1472])
def test_an_answer_is_as_long_as_its_question(key: bytes | None, size: int) -> None:
    question = packet(0, key=key, size=size)
    answer = ask(Reflector(key), question)
    assert answer is not None
    assert len(answer) == len(question)


@pytest.mark.parametrize(
    ("question", "reason"),
    [
        (b"", "short"),
        (packet(0, key=None), "short"),
        (packet(0, key=None, size=200), "unauthenticated"),
        (packet(0, key=b"another"), "unauthenticated"),
        (packet(0, size=1473), "long"),
        (packet(0, -90_000 * NS), "too_old"),
        (packet(0, 90_000 * NS), "too_old"),
    ],
)
def test_who_does_not_hold_the_key_is_not_answered_and_leaves_nothing(question: bytes, reason: str) -> None:
    reflector = Reflector(KEY)
    assert ask(reflector, question) is None
    assert reflector.refused == {reason: 1}
    assert reflector.sessions == 0


def test_a_clock_an_hour_off_is_answered() -> None:
    assert ask(Reflector(KEY), packet(0, -3600 * NS)) is not None


def test_a_replay_is_refused_from_the_same_address_and_from_another() -> None:
    reflector = Reflector(KEY)
    packets = [packet(n, n * NS // 20) for n in range(100)]
    assert all(ask(reflector, each) for each in packets)
    assert [ask(reflector, each) for each in packets] == [None] * 100
    assert [ask(reflector, each, OTHER) for each in packets] == [None] * 100
    assert reflector.refused == {"replayed": 200}
    assert reflector.sessions == 1


def test_a_recording_of_a_session_that_ended_begins_none() -> None:
    """Each packet from another address, an hour after the gateway has stopped; the gateway itself goes on with the same id the next morning."""
    reflector = Reflector(KEY)
    recorded = [packet(n, n * NS) for n in range(20)]
    for n, question in enumerate(recorded):
        assert ask(reflector, question, now=float(n)) is not None
    for n, question in enumerate(recorded):
        assert ask(reflector, question, (f"203.0.113.{n}", 40001), now=3600.0 + n) is None
    assert (reflector.refused, reflector.sessions) == ({"replayed": 20}, 0)
    assert ask(reflector, packet(0, 60_000 * NS), now=60_000.0) is not None


def test_reordered_packets_are_answered_once_each() -> None:
    reflector = Reflector(KEY)
    assert all(ask(reflector, packet(n, n)) for n in (0, 3, 1, 2, 9, 4))
    assert ask(reflector, packet(2, 2)) is None


def test_a_session_goes_on_from_a_new_port() -> None:
    """As when a NAT has forgotten it during an interruption: the numbers go on, so the loss before is still told by direction."""
    reflector = Reflector(KEY)
    assert number(ask(reflector, packet(0))) == 0
    assert number(ask(reflector, packet(1, 9), (SCHOOL[0], 50_000))) == 1


def test_a_sender_that_begins_again_without_a_new_session_id_is_answered() -> None:
    reflector = Reflector(KEY)
    assert all(ask(reflector, packet(n, n, session=0)) for n in range(3000, 3010))
    assert ask(reflector, packet(0, 10**9, session=0)) is not None
    assert ask(reflector, packet(1, 10**9 + 1, session=0)) is not None


def test_two_gateways_that_drew_the_same_session_id_are_both_answered() -> None:
    reflector = Reflector(KEY)
    for n in range(10):
        assert number(ask(reflector, packet(n, n * NS), SCHOOL)) == n
        assert number(ask(reflector, packet(n, n * NS + 7), OTHER)) == n


def test_a_clock_that_is_behind_does_not_hold_up_the_second_gateway_of_a_session_id() -> None:
    reflector = Reflector(KEY)
    for n in range(10):
        assert ask(reflector, packet(n, n * NS // 20), SCHOOL)
    behind = [ask(reflector, packet(n, n * NS // 20 - NS // 5), OTHER) for n in range(20)]
    assert [answer is not None for answer in behind] == [n > 9 for n in range(20)], "as soon as its number is new too"


def test_each_session_has_a_rate_and_all_have_one() -> None:
    reflector = Reflector(KEY, ReflectorLimits(session_burst=10, session_packets_per_second=5))
    assert sum(ask(reflector, packet(n, n)) is not None for n in range(50)) == 10
    assert ask(reflector, packet(50, 50), now=1.3) is not None
    assert reflector.refused == {"session_rate": 40}
    busy = Reflector(KEY, ReflectorLimits(total_packets_per_second=20))
    assert sum(ask(busy, packet(0, session=n)) is not None for n in range(50)) == 20
    assert busy.refused == {"total_rate": 30}


def test_a_flood_of_addresses_fills_only_a_bounded_table() -> None:
    """Without a key (this machine only) or with one: no more sessions than allowed, and an address has one rate whatever its ports."""
    reflector = Reflector(None, ReflectorLimits(sessions=100, session_burst=30))
    answers = [ask(reflector, packet(0, key=None), ("192.0.2.1", port)) for port in range(200)]
    assert sum(answer is not None for answer in answers) == 30
    for n in range(1000):
        ask(reflector, packet(0, key=None), (f"10.0.{n // 250}.{n % 250}", 7))
    assert reflector.sessions == 100
    assert reflector.refused["sessions"] > 0


def test_sessions_end_when_nothing_comes() -> None:
    reflector = Reflector(KEY, ReflectorLimits(sessions=1))
    assert ask(reflector, packet(0, session=1)) is not None
    assert ask(reflector, packet(0, session=2), now=50.0) is None
    assert ask(reflector, packet(0, session=2), now=1000.0) is not None
    assert reflector.sessions == 1


def test_the_ttl_and_the_times_are_given_back() -> None:
    answer = ask(Reflector(KEY), packet(0))
    assert answer is not None
    reflected = unpack_reflected(answer, KEY)
    assert reflected is not None
    assert reflected.sender_ttl == 60
    assert abs(reflected.received_ns - WALL_NS - NS) <= 1
    assert reflected.sender_timestamp == to_timestamp(WALL_NS)


@pytest.mark.parametrize("key", [None, KEY])
def test_one_address_takes_no_more_than_its_part_of_the_sessions(key: bytes | None) -> None:
    reflector = Reflector(key, ReflectorLimits(sessions=12, address_sessions=3))
    taken = [ask(reflector, packet(0, session=n, key=key), now=1.0) for n in range(1, 9)]
    assert [answer is not None for answer in taken] == [True] * 3 + [False] * 5
    assert reflector.refused == {"address_sessions": 5}
    assert ask(reflector, packet(0, session=100, key=key), OTHER) is not None, "there is room for a school"


def test_sessions_that_nobody_keeps_up_make_room_for_a_gateway() -> None:
    """A holder of the key who spoofs addresses fills the reflector with one packet each; a minute later a school is answered all the same."""
    reflector = Reflector(KEY, ReflectorLimits(sessions=10, address_sessions=3))
    for n in range(10):
        assert ask(reflector, packet(0, session=1 + n), (f"203.0.113.{n}", 1), now=1.0) is not None
    assert ask(reflector, packet(0, session=50), now=30.0) is None
    assert ask(reflector, packet(1, 30 * NS, session=1), ("203.0.113.0", 1), now=31.0) is not None
    assert ask(reflector, packet(1, 64 * NS, session=50), now=65.0) is not None
    assert ask(reflector, packet(2, 64 * NS, session=1), ("203.0.113.0", 1), now=66.0) is not None, (
        "one that goes on stays"
    )
    assert reflector.sessions == 2
