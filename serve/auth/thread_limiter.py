"""A bounded number of threads for blocking calls: password hashes and the database."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from anyio import CapacityLimiter, move_on_after, to_thread

from serve.errors import Busy

# Longer than a queue of honest callers takes, and shorter than clients wait.
WAIT_S = 5.0
# A password hash takes a whole core: more threads would delay predictions.
THREADS = 2
P = ParamSpec("P")
T = TypeVar("T")


class ThreadLimiter:
    """Runs blocking calls in threads of their own, so that predictions never wait for them."""

    def __init__(self, threads: int = THREADS, *, wait_s: float = WAIT_S) -> None:
        self._limiter = CapacityLimiter(threads)
        self._wait_s = wait_s

    async def run(self, call: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """
        Return the result of a call.

        Raises:
            Busy: No thread became free in time; the call was not made.
        """
        # This cancels only the wait for a thread: a call that runs in one is always waited for.
        with move_on_after(self._wait_s):
            return await to_thread.run_sync(partial(call, *args, **kwargs), limiter=self._limiter)
        raise Busy
