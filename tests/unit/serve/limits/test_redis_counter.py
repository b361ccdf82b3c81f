"""A counter in a real Redis, which may hang, end and come back."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest
from structlog.testing import capture_logs

from serve.errors import LimitsUnavailable
from serve.limits import redis_counter
from serve.limits.redis_counter import RedisCounter
from tests.support.redis_server import Redis

# More than the default, for a machine that does something else as well.
WAIT_S = 0.5
T = TypeVar("T")


@asynccontextmanager
async def opened(url: str, *, wait_s: float = WAIT_S) -> AsyncIterator[RedisCounter]:
    """An open counter, which is closed afterwards."""
    counter = RedisCounter(url, wait_s=wait_s)
    await counter.open()
    try:
        yield counter
    finally:
        await counter.close()


def counted(url: str, test: Callable[[RedisCounter], Awaitable[T]], *, wait_s: float = WAIT_S) -> T:
    """Run a test with an open counter."""

    async def run() -> T:
        async with opened(url, wait_s=wait_s) as counter:
            return await test(counter)

    return asyncio.run(run())


async def healed(counter: RedisCounter) -> None:
    """Wait until a trial in the background has succeeded."""
    while counter._healing:  # noqa: ASYNC110  # it ends by itself
        await asyncio.sleep(0.01)


def test_two_processes_count_together(redis: Redis) -> None:
    """Each gets the count of both, separately for each key."""

    async def test(one: RedisCounter) -> list[int]:
        key = uuid.uuid4().hex
        async with opened(redis.url) as other:
            return [
                await one.add(key, 60, 5),
                await other.add(key, 60, 2),
                await one.add(key, 60, -3),
                await one.add(f"{key}-other", 60, 1),
            ]

    assert counted(redis.url, test) == [5, 7, 4, 1]


def test_a_redis_that_is_away_when_the_counter_is_opened_is_reported() -> None:
    """No request waits for it, and the server starts."""

    async def test(counter: RedisCounter) -> float:
        began = time.monotonic()
        with pytest.raises(LimitsUnavailable):
            await counter.add("a", 60, 1)
        return time.monotonic() - began

    with capture_logs() as lines:
        took_s = counted("redis://127.0.0.1:1/0", test)

    assert took_s < WAIT_S
    assert [(line["event"], line["reason"]) for line in lines] == [("redis does not answer", "no answer")]


def test_a_redis_that_ends_is_used_again_when_it_is_back(redis: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials in the background find it; loss and return are one line in the log each."""
    monkeypatch.setattr(redis_counter, "_RETRY_S", 0.01)

    async def test(counter: RedisCounter) -> int:
        redis.stop()
        for _ in range(2):
            with pytest.raises(LimitsUnavailable):
                await counter.add("b", 60, 1)
        assert counter._healing
        await asyncio.to_thread(redis.start)
        await healed(counter)
        return await counter.add("b", 60, 3)

    with capture_logs() as lines:
        count = counted(redis.url, test)

    assert count == 3
    assert [line["event"] for line in lines] == ["redis does not answer", "redis answers again"]


def test_a_redis_that_hangs_is_waited_for_once(redis: Redis) -> None:
    """It delays one request only, is used again when it is back, and no request gets the answer of another."""

    async def test(counter: RedisCounter) -> tuple[float, list[int]]:
        keys = [uuid.uuid4().hex for _ in range(2)]
        before = [await counter.add(keys[0], 60, 5)]
        with redis.held():
            began = time.monotonic()
            for _ in range(60):
                with pytest.raises(LimitsUnavailable):
                    await counter.add(keys[0], 60, 0)
            took_s = time.monotonic() - began
        await healed(counter)
        return took_s, [*before, await counter.add(keys[1], 60, 7), await counter.add(keys[0], 60, 1)]

    took_s, counts = counted(redis.url, test)

    assert took_s < 2 * WAIT_S
    assert counts == [5, 7, 6]


def test_requests_that_fail_together_are_one_loss(redis: Redis) -> None:
    """The log has one line, and one trial in the background is enough."""

    async def test(counter: RedisCounter) -> list[int | BaseException]:
        with redis.held():
            adds = [counter.add(uuid.uuid4().hex, 60, 1) for _ in range(3)]
            results = await asyncio.gather(*adds, return_exceptions=True)
        await healed(counter)
        return results

    with capture_logs() as lines:
        results = counted(redis.url, test, wait_s=0.05)

    assert [type(result) for result in results] == [LimitsUnavailable] * 3
    assert [line["event"] for line in lines] == ["redis does not answer", "redis answers again"]


def test_a_busy_loop_is_not_a_failure_of_redis(redis: Redis) -> None:
    """An answer that arrived while the event loop was busy is used, however late."""

    async def test(counter: RedisCounter) -> tuple[int, bool]:
        asyncio.get_running_loop().call_soon(asyncio.get_running_loop().call_soon, time.sleep, 0.3)
        count = await counter.add(uuid.uuid4().hex, 60, 3)
        return count, counter._healing is not None

    assert counted(redis.url, test, wait_s=0.05) == (3, False)
