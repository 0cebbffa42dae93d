"""Reservations of the test server: never more at once than it carries, whatever schools ask for."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campus_collector.domain.slots import Full, Reservation
from campus_collector.slots.scheduler import earliest_slot
from campus_wire.records import MAX_SLOT_SECONDS

GIGABIT = 1e9


class Book:
    """Reservations in memory, as the table of the store keeps them: on a clock of the test's."""

    def __init__(self, capacity: float) -> None:
        self.capacity = int(capacity)
        self.held: list[Reservation] = []

    def reserve(self, school: str, seconds: float, rate: float, latest: float, now: float) -> Reservation | Full:
        """`SlotTable.reserve`, with `start` and `end` on the test's clock."""
        self.held = [each for each in self.held if each.end > now and each.school != school]
        from_now = [moved(each, -now) for each in self.held]
        slot = earliest_slot(from_now, self.capacity, school, seconds, rate, latest)
        if isinstance(slot, Full):
            return slot
        slot = moved(slot, now)
        self.held.append(slot)
        return slot

    def release(self, slot_id: str) -> None:
        self.held = [each for each in self.held if each.id != slot_id]


def moved(slot: Reservation, seconds: float) -> Reservation:
    """By so much later; in whole microseconds, as it is stored."""
    return replace(slot, start=round(slot.start + seconds, 6), end=round(slot.end + seconds, 6))


def test_the_second_school_begins_when_the_first_ends() -> None:
    book = Book(GIGABIT)
    first = book.reserve("a", 30, GIGABIT, 0, now=100.0)
    second = book.reserve("b", 30, GIGABIT, 60, now=101.0)
    third = book.reserve("c", 30, GIGABIT, 60, now=102.0)
    assert isinstance(first, Reservation)
    assert isinstance(second, Reservation)
    assert isinstance(third, Reservation)
    assert (first.start, second.start, third.start) == (100.0, 130.0, 160.0)
    assert book.reserve("d", 30, GIGABIT, 60, now=103.0) == Full(87.0)


def test_slow_lines_share_the_server() -> None:
    book = Book(GIGABIT)
    starts = [book.reserve(f"s{n}", 30, 300e6, 60, now=0.0) for n in range(4)]
    assert [start.start for start in starts if isinstance(start, Reservation)] == [0.0, 0.0, 0.0, 30.0]


def test_an_early_release_lets_the_next_one_in() -> None:
    book = Book(GIGABIT)
    first = book.reserve("a", 30, GIGABIT, 0, now=0.0)
    assert isinstance(first, Reservation)
    book.release(first.id)
    second = book.reserve("b", 30, GIGABIT, 0, now=2.0)
    assert isinstance(second, Reservation)
    assert second.start == 2.0


def test_a_school_holds_one_slot_and_a_rate_beyond_the_server_is_let_in_alone() -> None:
    book = Book(GIGABIT)
    book.reserve("a", 60, GIGABIT, 0, now=0.0)
    again = book.reserve("a", 60, 10 * GIGABIT, 0, now=1.0)
    assert isinstance(again, Reservation)
    assert again.start == 1.0
    assert [each.school for each in book.held] == ["a"]


@given(
    st.lists(
        st.tuples(
            st.integers(0, 12),
            st.floats(0.1, 200),
            st.floats(1e6, 3e9),
            st.floats(0, 300),
            st.floats(0, 40),
            st.booleans(),
        ),
        max_size=40,
    )
)
def test_never_more_at_once_than_the_server_carries(asked: list[tuple[int, float, float, float, float, bool]]) -> None:
    book, now = Book(GIGABIT), 0.0
    given_out: list[Reservation] = []
    for school, seconds, rate, patience, pause, gives_back in asked:
        now += pause
        given_out = [each for each in given_out if each.school != f"s{school}"]
        made = book.reserve(f"s{school}", seconds, rate, patience, now)
        if isinstance(made, Full):
            assert made.retry_seconds > 0
            continue
        assert now - 1e-5 <= made.start <= now + patience + 1e-5
        assert made.end - made.start <= MAX_SLOT_SECONDS + 1e-6
        if gives_back:
            book.release(made.id)
            continue
        given_out.append(made)
        for moment in [each.start for each in given_out]:
            assert sum(each.bits_per_second for each in given_out if each.start <= moment < each.end) <= GIGABIT


@pytest.mark.parametrize("schools", [100, 1500])
def test_a_whole_prefecture_at_the_same_bell(schools: int) -> None:
    """Everybody gets a turn or a time to ask again; nobody is let in beside another."""
    book = Book(GIGABIT)
    made = [book.reserve(f"s{n}", 30, GIGABIT, 60, now=0.0) for n in range(schools)]
    assert sum(isinstance(each, Reservation) for each in made) == 3
    assert sum(each.start <= 1.0 < each.end for each in book.held) == 1
