"""A counter of requests for all processes, in Redis by the `limits` library."""

import asyncio

import structlog
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from serve.errors import LimitsUnavailable

# How long a trial may take, and the pause after one that failed.
_TRIAL_S = 1.0
_RETRY_S = 1.0
# How long a request waits for Redis before it is counted without it.
WAIT_S = 0.02

_log = structlog.get_logger("serve.limits")


class RedisCounter:
    """
    Counts for all processes, in Redis.

    After one failure no request waits for Redis until a trial in the background succeeds.
    """

    def __init__(self, url: str, *, wait_s: float = WAIT_S) -> None:
        self._wait_s = wait_s
        self._storage = RedisStorage(
            f"async+{url}",
            wrap_exceptions=True,
            implementation="redispy",
            key_prefix="sepal",
            retry=Retry(NoBackoff(), 0),  # type: ignore[arg-type]  # handed on to redis-py, which wants it
        )
        self._healing: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Connect; after a failure, try again in the background."""
        if not await self._answers():
            self._lost("no answer")

    async def close(self) -> None:
        """Close the connections."""
        if self._healing:
            self._healing.cancel()
        await self._storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # every bridge has it

    async def add(self, key: str, window_s: int, amount: int) -> int:
        if self._healing:
            raise LimitsUnavailable
        pending = asyncio.ensure_future(self._storage.incr(key, window_s, amount))
        try:
            return await self._wait_for(pending)
        except (StorageError, TimeoutError) as error:
            self._lost(type(error).__name__)
            raise LimitsUnavailable from error
        finally:
            pending.cancel()

    async def _wait_for(self, pending: "asyncio.Future[int]") -> int:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_s
        while not (await asyncio.wait({pending}, timeout=until - loop.time()))[0]:
            # A busy event loop handles timers before sockets, so the answer may have arrived: wait once more if the
            # loop, and not Redis, was late.
            if loop.time() - until < self._wait_s / 4:
                raise TimeoutError
            until = loop.time() + self._wait_s
        return pending.result()

    def _lost(self, reason: str) -> None:
        if self._healing is None:
            _log.warning("redis does not answer", reason=reason)
            self._healing = asyncio.create_task(self._heal())

    async def _heal(self) -> None:
        while not await self._answers():  # noqa: ASYNC110  # Redis does not report that it is back
            await asyncio.sleep(_RETRY_S)
        self._healing = None
        _log.info("redis answers again")

    async def _answers(self) -> bool:
        # The library's own check is a ping, after which the first request would still have to load its script.
        try:
            async with asyncio.timeout(_TRIAL_S):
                await self._storage.incr("trial", 1)
        except (StorageError, TimeoutError):
            return False
        return True
