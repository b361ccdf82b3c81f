"""A limit, counted in this process and in a real Redis."""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from limits import parse

from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counters import Counter, LocalCounter
from serve.limits.rate import Rate
from serve.limits.redis_counter import RedisCounter
from tests.support.redis_server import Redis

NOW = 1_800_000_000.0
# More than the default, for a machine that does something else as well.
WAIT_S = 0.5
T = TypeVar("T")


class Clock:
    """A time that a test sets."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=["here", "shared"])
def counted(request: pytest.FixtureRequest) -> Callable[[Callable[[Counter], Awaitable[T]]], T]:
    """Runs a test with a local counter and with Redis."""

    async def in_redis(test: Callable[[Counter], Awaitable[T]]) -> T:
        counts = RedisCounter(request.getfixturevalue("redis").url, wait_s=WAIT_S)
        await counts.open()
        try:
            return await test(counts)
        finally:
            await counts.close()

    async def here(test: Callable[[Counter], Awaitable[T]]) -> T:
        return await test(LocalCounter())

    chosen = in_redis if request.param == "shared" else here
    return lambda test: asyncio.run(chosen(test))


def limit(counts: Counter, text: str, **more: Any) -> Rate:
    """Return a limit with a name of its own."""
    return Rate(uuid.uuid4().hex, parse(text), counts, **{"clock": Clock(), **more})


async def granted(rate: Rate, who: str, times: int, cost: int = 1) -> int:
    """Return how many of these requests are accepted."""
    let_in = 0
    for _ in range(times):
        with suppress(RateExceeded):
            await rate.ask(who, cost)
            let_in += 1
    return let_in


def test_the_limit_is_exact(counted: Any) -> None:
    """A caller is accepted exactly as often as the limit allows, independently of other callers."""

    async def test(counts: Counter) -> list[int]:
        few, many = limit(counts, "7/minute"), limit(counts, "1000/minute")
        return [
            await granted(few, "ada", 20),
            await granted(few, "bob", 3),
            await granted(many, "ada", 1100),
        ]

    assert counted(test) == [7, 3, 1000]


def test_a_new_window_resets_the_count(counted: Any) -> None:
    """The caller is accepted again when the window ends, not before."""

    async def test(counts: Counter) -> list[int]:
        clock = Clock()
        rate = limit(counts, "3/minute", clock=clock)
        found = []
        for seconds in (0.0, 59.9, 60.0, 119.0, 121.0):
            clock.now = NOW + seconds
            found.append(await granted(rate, "ada", 5))
        return found

    assert counted(test) == [3, 0, 3, 0, 3]


def test_a_clock_that_was_ahead_refuses_for_one_window_at_most(counted: Any) -> None:
    """A caller who used up a future window is accepted in the present one, and errors have its end."""

    async def test(counts: Counter) -> list[int]:
        clock = Clock()
        rate = limit(counts, "3/minute", clock=clock)
        clock.now = NOW + 3600
        found = [await granted(rate, "ada", 5)]
        clock.now = NOW
        found.append(await granted(rate, "ada", 5))
        with pytest.raises(RateExceeded) as refused:
            await rate.ask("ada")
        return [*found, refused.value.retry_after_s]

    assert counted(test) == [3, 3, 60]


def test_rows_are_counted(counted: Any) -> None:
    """A request with many rows uses as much; one that is too large leaves the rest to smaller ones."""

    async def test(counts: Counter) -> list[int]:
        rate = limit(counts, "1000/minute")
        return [
            await granted(rate, "ada", 1, cost=1001),
            await granted(rate, "ada", 3, cost=300),
            await granted(rate, "ada", 1, cost=200),
            await granted(rate, "ada", 200),
        ]

    assert counted(test) == [0, 3, 0, 100]


def test_finished_work_is_charged(counted: Any) -> None:
    """A charge is never refused, but the requests after it are."""

    async def test(counts: Counter) -> None:
        rate = limit(counts, "100/minute")
        rate.check("ada")
        await rate.charge("ada", 30, is_begun=False)
        rate.check("ada")
        await rate.charge("ada", 70, is_begun=False)
        with pytest.raises(RateExceeded):
            rate.check("ada")
        with pytest.raises(RateExceeded):
            await rate.charge("ada", 1, is_begun=False)
        await rate.charge("ada", 500)
        with pytest.raises(RateExceeded):
            await rate.ask("ada")

    counted(test)


def test_one_of_many_concurrent_uploads_exceeds_the_limit(counted: Any) -> None:
    """Of many concurrent uploads that are larger than the limit, one is accepted."""

    async def begins(rate: Rate) -> bool:
        with suppress(RateExceeded):
            await rate.charge("ada", 1000, is_begun=False)
            return True
        return False

    async def test(counts: Counter) -> int:
        name = uuid.uuid4().hex
        rates = [Rate(name, parse("100/minute"), counts, clock=Clock()) for _ in range(3)]
        return sum(await asyncio.gather(*(begins(rate) for rate in rates for _ in range(8))))

    assert counted(test) == 1


def test_a_refused_request_uses_nothing(counted: Any) -> None:
    """A request that is too large takes nothing from smaller ones at another process."""

    async def test(counts: Counter) -> list[int]:
        name = uuid.uuid4().hex
        one, other = (Rate(name, parse("100/minute"), counts, clock=Clock()) for _ in range(2))
        return [
            await granted(one, "ada", 1, cost=60),
            await granted(one, "ada", 3, cost=60),
            await granted(other, "ada", 50),
        ]

    assert counted(test) == [1, 0, 40]


def test_concurrent_requests_are_counted_exactly(counted: Any) -> None:
    """Of many concurrent requests exactly as many as allowed are accepted."""

    async def test(counts: Counter) -> int:
        rate = limit(counts, "50/minute")
        return sum(await asyncio.gather(*(granted(rate, "ada", 1) for _ in range(200))))

    assert counted(test) == 50


def test_headers_and_errors_report_the_limit(counted: Any) -> None:
    """RateLimit has what is left and for how long; an error has the limit and the time to retry."""

    async def test(counts: Counter) -> tuple[bytes, bytes, RateExceeded]:
        rate = limit(counts, "5/minute")
        await rate.ask("ada", 2)
        left = rate.remaining("ada")
        with pytest.raises(RateExceeded) as refused:
            await rate.ask("ada", 4)
        return rate.policy, left, refused.value

    policy, left, refused = counted(test)
    assert policy.endswith(b'";q=5;w=60')
    assert left.endswith(b'";r=3;t=60')
    assert refused.retry_after_s == 60
    assert "5 in 60 s; this request has 4" in str(refused)


def test_processes_share_what_redis_counts(redis: Redis) -> None:
    """Three processes with one Redis accept as many requests as the limit together, within 2 %."""

    async def test(name: str, text: str) -> int:
        counts = [RedisCounter(redis.url, wait_s=WAIT_S) for _ in range(3)]
        clock = Clock()
        rates = [Rate(name, parse(text), one, clock=clock) for one in counts]
        for one in counts:
            await one.open()
        let_in = sum(await asyncio.gather(*(granted(rate, "ada", 1000) for rate in rates)))
        for one in counts:
            await one.close()
        return let_in

    assert asyncio.run(test("few", "100/minute")) == 100
    assert 980 <= asyncio.run(test("many", "1000/minute")) <= 1000


def test_a_local_limit_is_divided() -> None:
    """One of four processes accepts a quarter and reports that limit, which is never zero."""
    quarter = limit(LocalCounter(), "100/minute", share=4)

    assert asyncio.run(granted(quarter, "ada", 100)) == 25
    assert b"q=25;" in quarter.policy
    assert asyncio.run(granted(limit(LocalCounter(), "1/minute", share=4), "ada", 9)) == 1


def test_a_lost_redis_leaves_a_share() -> None:
    """While Redis does not answer, limits with a fallback use their share, and strict ones refuse."""

    async def test() -> int:
        lost = RedisCounter("redis://127.0.0.1:1/0", wait_s=WAIT_S)
        await lost.open()
        with pytest.raises(LimitsUnavailable):
            await limit(lost, "100/minute").ask("ada")
        try:
            return await granted(limit(lost, "100/minute", fallback=LocalCounter(), fallback_share=4), "ada", 100)
        finally:
            await lost.close()

    assert asyncio.run(test()) == 25


def test_earlier_use_is_part_of_the_share(redis: Redis) -> None:
    """A caller who has used more than a share before Redis is lost gets nothing more."""

    async def test() -> tuple[int, int]:
        counts = RedisCounter(redis.url, wait_s=WAIT_S)
        await counts.open()
        rate = limit(counts, "100/minute", fallback=LocalCounter(), fallback_share=2)
        before = await granted(rate, "ada", 40)
        with redis.held():
            after = await granted(rate, "ada", 100)
        await counts.close()
        return before, after

    assert asyncio.run(test()) == (40, 10)


def test_callers_of_an_old_window_are_forgotten() -> None:
    """The data of callers is kept for one window only."""

    async def test() -> tuple[int, int]:
        clock = Clock()
        rate = limit(LocalCounter(), "5/second", clock=clock)
        for number in range(1000):
            await rate.ask(str(number))
        kept = len(rate._allowances)
        clock.now += 1
        await rate.ask("ada")
        return kept, len(rate._allowances)

    assert asyncio.run(test()) == (1000, 1)
