"""One limit by itself, counted here and in a real Redis."""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, TypeVar

import pytest
from limits import parse

from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counts import Counts, LocalCounter
from serve.limits.rate import Rate
from serve.limits.shared import RedisCounter
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
def counted(request: pytest.FixtureRequest) -> Callable[[Callable[[Counts], Awaitable[T]]], T]:
    """Runs a test with either way of counting."""

    async def in_redis(test: Callable[[Counts], Awaitable[T]]) -> T:
        counts = RedisCounter(request.getfixturevalue("redis").url, wait_s=WAIT_S)
        await counts.open()
        try:
            return await test(counts)
        finally:
            await counts.close()

    async def here(test: Callable[[Counts], Awaitable[T]]) -> T:
        return await test(LocalCounter())

    chosen = in_redis if request.param == "shared" else here
    return lambda test: asyncio.run(chosen(test))


def limit(counts: Counts, text: str, **more: Any) -> Rate:
    """A limit that no other test has heard of."""
    return Rate(uuid.uuid4().hex, parse(text), counts, **{"clock": Clock(), **more})


async def granted(rate: Rate, who: str, times: int, cost: int = 1) -> int:
    """How many of so many requests are let in."""
    let_in = 0
    for _ in range(times):
        with suppress(RateExceeded):
            await rate.ask(who, cost)
            let_in += 1
    return let_in


def test_so_many_are_let_in_and_no_more(counted: Any) -> None:
    """A caller may ask as often as the limit says, whatever is granted at once, and others do not matter."""

    async def test(counts: Counts) -> list[int]:
        few, many = limit(counts, "7/minute"), limit(counts, "1000/minute")
        return [
            await granted(few, "ada", 20),
            await granted(few, "bob", 3),
            await granted(many, "ada", 1100),
        ]

    assert counted(test) == [7, 3, 1000]


def test_a_new_window_is_a_new_start(counted: Any) -> None:
    """When the window is over the caller may ask again, and not a moment earlier."""

    async def test(counts: Counts) -> list[int]:
        clock = Clock()
        rate = limit(counts, "3/minute", clock=clock)
        found = []
        for seconds in (0.0, 59.9, 60.0, 119.0, 121.0):
            clock.now = NOW + seconds
            found.append(await granted(rate, "ada", 5))
        return found

    assert counted(test) == [3, 0, 3, 0, 3]


def test_a_clock_that_was_ahead_refuses_for_one_window_at_most(counted: Any) -> None:
    """A caller who used up a window of the future asks again in that of the present, and is told of its end."""

    async def test(counts: Counts) -> list[int]:
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


def test_rows_cost_what_they_are(counted: Any) -> None:
    """A request of many rows uses that much; one that does not fit leaves what is left to smaller ones."""

    async def test(counts: Counts) -> list[int]:
        rate = limit(counts, "1000/minute")
        return [
            await granted(rate, "ada", 1, cost=1001),
            await granted(rate, "ada", 3, cost=300),
            await granted(rate, "ada", 1, cost=200),
            await granted(rate, "ada", 200),
        ]

    assert counted(test) == [0, 3, 0, 100]


def test_what_was_done_already_is_charged(counted: Any) -> None:
    """A charge is never refused; whoever comes after it is."""

    async def test(counts: Counts) -> None:
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


def test_of_many_that_begin_at_once_one_crosses_the_line(counted: Any) -> None:
    """However many uploads begin together, each by itself larger than the limit, one finds something left."""

    async def begins(rate: Rate) -> bool:
        with suppress(RateExceeded):
            await rate.charge("ada", 1000, is_begun=False)
            return True
        return False

    async def test(counts: Counts) -> int:
        name = uuid.uuid4().hex
        rates = [Rate(name, parse("100/minute"), counts, clock=Clock()) for _ in range(3)]
        return sum(await asyncio.gather(*(begins(rate) for rate in rates for _ in range(8))))

    assert counted(test) == 1


def test_what_was_refused_is_left_for_others(counted: Any) -> None:
    """A request that is too large takes nothing away from smaller ones that ask another process."""

    async def test(counts: Counts) -> list[int]:
        name = uuid.uuid4().hex
        one, other = (Rate(name, parse("100/minute"), counts, clock=Clock()) for _ in range(2))
        return [
            await granted(one, "ada", 1, cost=60),
            await granted(one, "ada", 3, cost=60),
            await granted(other, "ada", 50),
        ]

    assert counted(test) == [1, 0, 40]


def test_many_at_once_are_counted_one_by_one(counted: Any) -> None:
    """However many requests arrive together, exactly as many as allowed are let in."""

    async def test(counts: Counts) -> int:
        rate = limit(counts, "50/minute")
        return sum(await asyncio.gather(*(granted(rate, "ada", 1) for _ in range(200))))

    assert counted(test) == 50


def test_what_callers_are_told(counted: Any) -> None:
    """RateLimit tells what is left and until when; a refusal when to come again, and how large the limit is."""

    async def test(counts: Counts) -> tuple[bytes, bytes, RateExceeded]:
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
    """Three processes with one Redis let in as many as the limit says together, within two in a hundred."""

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


def test_the_limit_is_divided_where_each_counts_alone() -> None:
    """One of four processes lets in a quarter, and says so; never nobody at all."""
    quarter = limit(LocalCounter(), "100/minute", share=4)

    assert asyncio.run(granted(quarter, "ada", 100)) == 25
    assert b"q=25;" in quarter.policy
    assert asyncio.run(granted(limit(LocalCounter(), "1/minute", share=4), "ada", 9)) == 1


def test_a_lost_redis_leaves_a_share() -> None:
    """Where nobody answers on Redis' port, what may go on does so under its share; what may not is refused."""

    async def test() -> int:
        nobody = RedisCounter("redis://127.0.0.1:1/0", wait_s=WAIT_S)
        await nobody.open()
        with pytest.raises(LimitsUnavailable):
            await limit(nobody, "100/minute").ask("ada")
        try:
            return await granted(limit(nobody, "100/minute", fallback=LocalCounter(), fallback_share=4), "ada", 100)
        finally:
            await nobody.close()

    assert asyncio.run(test()) == 25


def test_a_redis_that_hangs_is_waited_for_once(redis: Redis) -> None:
    """It holds up one request, none after it, and is asked again when it is back; no answer is another's."""

    async def test() -> tuple[int, float, list[int]]:
        counts = RedisCounter(redis.url, wait_s=WAIT_S)
        await counts.open()
        rate = limit(counts, "60/minute", fallback=LocalCounter(), fallback_share=2)
        before = [await counts.add("a", 60, 5)]
        loop = asyncio.get_running_loop()
        with redis.held():
            start = loop.time()
            let_in = await granted(rate, "ada", 60)
            took_s = loop.time() - start
        while counts._healing:  # noqa: ASYNC110  # it ends by itself
            await asyncio.sleep(0.01)
        after = [await counts.add("b", 60, 7), await counts.add("a", 60, 1)]
        await counts.close()
        return let_in, took_s, before + after

    let_in, took_s, counts = asyncio.run(test())
    assert let_in == 30
    assert took_s < 2 * WAIT_S
    assert counts == [5, 7, 6]


def test_a_process_that_is_late_does_not_blame_redis(redis: Redis) -> None:
    """An answer that is there when a busy loop comes to look at it counts, however late that is."""

    async def test() -> tuple[int, bool]:
        counts = RedisCounter(redis.url, wait_s=0.05)
        await counts.open()
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, time.sleep, 0.3)
        count = await counts.add(uuid.uuid4().hex, 60, 3)
        is_lost = counts._healing is not None
        await counts.close()
        return count, is_lost

    assert asyncio.run(test()) == (3, False)


def test_what_was_had_before_is_part_of_the_share(redis: Redis) -> None:
    """Whoever has used more than a process's share when Redis is lost gets nothing on top of it."""

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


def test_callers_of_a_window_that_is_over_are_forgotten() -> None:
    """What is kept of callers is what the window is long."""

    async def test() -> tuple[int, int]:
        clock = Clock()
        rate = limit(LocalCounter(), "5/second", clock=clock)
        for number in range(1000):
            await rate.ask(str(number))
        kept = len(rate._lots)
        clock.now += 1
        await rate.ask("ada")
        return kept, len(rate._lots)

    assert asyncio.run(test()) == (1000, 1)
