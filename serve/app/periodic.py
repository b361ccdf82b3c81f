"""Calls that are repeated in the background: polling, renewal, clean-up."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

# Does its work, which raises nothing, and returns the seconds until it should be called again.
Call = Callable[[], Awaitable[float]]


@asynccontextmanager
async def repeated(*calls: Call) -> AsyncIterator[None]:
    """Make each call once before the block begins, and again and again until the block ends."""
    pauses_s = await asyncio.gather(*(call() for call in calls))
    tasks = [asyncio.create_task(_repeat(call, pause_s)) for call, pause_s in zip(calls, pauses_s, strict=True)]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _repeat(call: Call, pause_s: float) -> None:
    while True:
        await asyncio.sleep(pause_s)
        pause_s = await call()
