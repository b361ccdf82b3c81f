"""Threads for those who wait to be recognised: a few at once, and nobody waits for ever."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread

from serve.errors import Busy

# Longer than a queue of honest callers takes; shorter than they have patience for.
WAIT_S = 5.0
# A password hash takes a whole core: more threads would delay predictions.
THREADS = 2
P = ParamSpec("P")
T = TypeVar("T")


class AuthThreads:
    """Runs what blocks, on a hash or on the database, apart from what predicts."""

    def __init__(self, threads: int = THREADS, *, wait_s: float = WAIT_S) -> None:
        self._limiter = CapacityLimiter(threads)
        self._wait_s = wait_s

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """
        What a call returns.

        Raises:
            Busy: No thread was free in time; the call was not begun.
        """
        # Cancels the wait for a thread only: what runs in one is waited for, whatever time it is.
        with move_on_after(self._wait_s):
            return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)
        raise Busy
