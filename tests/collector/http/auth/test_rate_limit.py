"""How often may one address try, and what others feel of it."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from campus_collector.http.auth.rate_limit import SLOW_FROM, SLOWEST_SECONDS, RateLimiter, TooSoon
from campus_collector.http.responses import HttpProblem
from campus_collector.store.open import open_store
from tests.stores import STORES

NewLimiter = Callable[[int, float], RateLimiter]


@pytest.fixture(params=STORES)
def new_limiter(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[NewLimiter]:
    """Each call opens the same store again, as another collector does."""
    place = STORES[request.param](tmp_path)
    stores = []

    def new(tries: int, window_seconds: float) -> RateLimiter:
        stores.append(open_store(place))
        return RateLimiter(stores[-1].attempts, "log-in", tries, window_seconds)

    yield new
    for store in stores:
        store.close()


def wait(limiter: RateLimiter, address: str, now: float | None) -> float:
    """Seconds until this address may try; 0.0 when it may, and then the try is counted."""
    try:
        limiter.begin(address, now)
    except TooSoon as refusal:
        return refusal.seconds
    return 0.0


def test_an_address_has_so_many_tries_in_a_window(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(10, 600)
    assert [wait(limiter, "10.0.0.1", number) for number in range(10)] == [0.0] * 10
    assert wait(limiter, "10.0.0.1", 10) == pytest.approx(590)
    assert wait(limiter, "10.0.0.2", 10) == 0.0
    assert wait(limiter, "10.0.0.1", 601) == 0.0


def test_collectors_count_together_and_each_kind_apart(new_limiter: NewLimiter) -> None:
    first, second = new_limiter(3, 600), new_limiter(3, 600)
    assert [wait(each, "10.0.0.1", 0) for each in (first, second, first)] == [0.0] * 3
    assert [wait(each, "10.0.0.1", 1) for each in (first, second)] == [599.0] * 2
    other = RateLimiter(first._attempts, "enrolment", 3, 600)
    assert wait(other, "10.0.0.1", 1) == 0.0


def test_attempts_of_a_clock_that_was_wrong_shut_nobody_out(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(1, 600)
    assert wait(limiter, "10.0.0.1", 9e8) == 0.0
    assert wait(limiter, "10.0.0.1", 0) == 0.0


def test_an_ipv6_customer_is_one_address(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(2, 600)
    assert [wait(limiter, f"2001:db8::{number}", 0) > 0 for number in range(1, 4)] == [False, False, True]
    assert wait(limiter, "2001:db8:0:1::1", 0) == 0.0
    assert [wait(limiter, each, 0) > 0 for each in ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1")] == [False, False, True]


def test_many_addresses_slow_everybody_down_and_shut_nobody_out(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(10, 600)
    for number in range(300):
        limiter.begin(f"10.1.0.{number // 10}", 0)
    assert wait(limiter, "10.9.9.9", 1) == 0.0, "not locked"
    assert 0 < limiter.delay_seconds(1) <= SLOWEST_SECONDS
    assert limiter.delay_seconds(601) == 0.0
    assert limiter.delay_seconds(-601) == 0.0
    assert SLOW_FROM < 300


def test_a_right_try_is_taken_back_and_only_it(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(3, 600)
    for _ in range(2):
        limiter.begin("10.0.0.1", 0)
    for _ in range(20):
        limiter._attempts.give_back(limiter.begin("10.0.0.1", 0).id)
    assert wait(limiter, "10.0.0.1", 0) == 0.0
    assert wait(limiter, "10.0.0.1", 0) > 0


def test_a_try_that_ends_after_later_ones_takes_back_itself(new_limiter: NewLimiter) -> None:
    """A right one that was slow: the wrong ones meanwhile stay, and count as long as they would have."""
    limiter = new_limiter(3, 600)
    slow = limiter.begin("10.0.0.1", 0)
    for now in (300, 400):
        limiter.begin("10.0.0.1", now)
    limiter._attempts.give_back(slow.id)
    limiter._attempts.give_back(slow.id)
    limiter.begin("10.0.0.1", 500)
    assert wait(limiter, "10.0.0.1", 650) == pytest.approx(250)


def test_a_right_try_takes_back_no_failure_of_others(new_limiter: NewLimiter) -> None:
    limiter = new_limiter(10, 600)
    right = limiter.begin("10.0.0.1", 0)
    for number in range(SLOW_FROM + 1):
        limiter.begin(f"10.1.0.{number}", 500)
    limiter._attempts.give_back(right.id)
    assert limiter.delay_seconds(601) > 0


@pytest.mark.parametrize(("status", "counts"), [(503, False), (403, True), (500, True)])
def test_a_try_that_nobody_could_look_at_does_not_count(new_limiter: NewLimiter, status: int, counts: bool) -> None:
    limiter = new_limiter(1, 600)

    async def fails() -> None:
        async with limiter.attempt("10.0.0.1"):
            raise HttpProblem(status, "failed")

    with pytest.raises(HttpProblem):
        asyncio.run(fails())
    assert (wait(limiter, "10.0.0.1", None) > 0) is counts


def test_tries_at_once_are_each_counted(new_limiter: NewLimiter) -> None:
    limiters = [new_limiter(10, 600), new_limiter(10, 600)]

    async def all_at_once() -> list[bool]:

        async def guess(number: int) -> bool:
            try:
                async with limiters[number % 2].attempt("10.0.0.1"):
                    await asyncio.sleep(0)
            except HttpProblem as problem:
                assert problem.status == 429
                return False
            return True

        return await asyncio.gather(*(guess(number) for number in range(200)))

    assert sum(asyncio.run(all_at_once())) == 10
