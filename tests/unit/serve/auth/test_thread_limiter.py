"""Threads for blocking calls: a bounded number, and a bounded wait."""

import asyncio
import threading

from serve.auth.thread_limiter import ThreadLimiter
from serve.errors import Busy


def test_a_call_waits_for_a_thread_for_a_bounded_time() -> None:
    """While all threads are busy a call fails after the wait; a running call is always waited for."""
    release = threading.Event()

    async def ask() -> list[object]:
        threads = ThreadLimiter(1, wait_s=0.05)
        first = asyncio.create_task(threads.run(release.wait, 10))
        await asyncio.sleep(0)
        second = asyncio.create_task(threads.run(int))
        [late] = await asyncio.gather(second, return_exceptions=True)
        release.set()
        return [late, await first]

    late, first = asyncio.run(ask())

    assert isinstance(late, Busy)
    assert first is True
