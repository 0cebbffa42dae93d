"""How often may one address try, and what others feel of it."""

import asyncio

import pytest

from campus_collector.http import HttpProblem
from campus_collector.rate_limit import SLOW_FROM, SLOWEST_SECONDS, RateLimiter


def test_an_address_has_so_many_tries_in_a_window() -> None:
    limiter = RateLimiter(10, 600)
    assert [limiter.begin("10.0.0.1", number) for number in range(10)] == [0.0] * 10
    assert limiter.begin("10.0.0.1", 10) == pytest.approx(590)
    assert limiter.begin("10.0.0.2", 10) == 0.0
    assert limiter.begin("10.0.0.1", 601) == 0.0


def test_an_ipv6_customer_is_one_address() -> None:
    limiter = RateLimiter(2, 600)
    assert [limiter.begin(f"2001:db8::{number}", 0) > 0 for number in range(1, 4)] == [False, False, True]
    assert limiter.begin("2001:db8:0:1::1", 0) == 0.0
    assert [limiter.begin(one, 0) > 0 for one in ("::ffff:10.0.0.1", "10.0.0.1", "10.0.0.1")] == [False, False, True]


def test_many_addresses_slow_everybody_down_and_shut_nobody_out() -> None:
    limiter = RateLimiter(10, 600)
    for number in range(300):
        limiter.begin(f"10.1.0.{number // 10}", 0)
    assert limiter.begin("10.9.9.9", 1) == 0.0, "not locked"
    assert 0 < limiter.delay_seconds(1) <= SLOWEST_SECONDS
    assert limiter.delay_seconds(601) == 0.0
    assert RateLimiter(10, 600).delay_seconds(0) == 0.0
    assert SLOW_FROM < 300


def test_a_right_try_is_taken_back_and_only_it() -> None:
    limiter = RateLimiter(3, 600)
    for _ in range(2):
        limiter.begin("10.0.0.1", 0)
    for _ in range(20):
        assert limiter.begin("10.0.0.1", 0) == 0.0
        limiter.succeeded("10.0.0.1")
    assert limiter.begin("10.0.0.1", 0) == 0.0
    assert limiter.begin("10.0.0.1", 0) > 0


def test_tries_at_once_are_each_counted() -> None:
    async def all_at_once() -> list[bool]:
        limiter = RateLimiter(10, 600)

        async def one() -> bool:
            try:
                await limiter.admit("10.0.0.1")
            except HttpProblem as problem:
                assert problem.status == 429
                return False
            return True

        return await asyncio.gather(*(one() for _ in range(200)))

    assert sum(asyncio.run(all_at_once())) == 10
