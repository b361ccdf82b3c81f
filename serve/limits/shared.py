"""Counts of all processes together: the `limits` library over Redis, and what becomes of them when it is lost."""

import asyncio

import structlog
from limits.aio.storage import RedisStorage
from limits.errors import StorageError
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from serve.errors import LimitsUnavailable

# How long a trial may take, and how long after one that failed comes the next.
_TRIAL_S = 1.0
_RETRY_S = 1.0
# How long a request waits for Redis before it is counted without it.
WAIT_S = 0.02

_log = structlog.get_logger("serve.limits")


class RedisCounter:
    """
    Counts of all processes together, in Redis.

    One question that it fails to answer, and it is left alone until a trial succeeds: requests do not wait for that.
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
        """Connect; where that fails, it is tried again and again, and nobody waits for it."""
        if not await self._answers():
            self._lose("no answer")

    async def close(self) -> None:
        """Ask no more."""
        if self._healing:
            self._healing.cancel()
        await self._storage.bridge.get_connection().aclose()  # type: ignore[attr-defined]  # every bridge has it

    async def add(self, key: str, window_s: int, amount: int) -> int:
        if self._healing:
            raise LimitsUnavailable
        asked = asyncio.ensure_future(self._storage.incr(key, window_s, amount))
        try:
            return await self._answer(asked)
        except (StorageError, TimeoutError) as error:
            self._lose(type(error).__name__)
            raise LimitsUnavailable from error
        finally:
            asked.cancel()

    async def _answer(self, asked: "asyncio.Future[int]") -> int:
        loop = asyncio.get_running_loop()
        until = loop.time() + self._wait_s
        while not (await asyncio.wait({asked}, timeout=until - loop.time()))[0]:
            # A loop that was busy looks at its clock before it looks at its sockets: the answer may be there, and it is
            # not Redis that was late.
            if loop.time() - until < self._wait_s / 4:
                raise TimeoutError
            until = loop.time() + self._wait_s
        return asked.result()

    def _lose(self, reason: str) -> None:
        if self._healing is None:
            _log.warning("redis does not answer", reason=reason)
            self._healing = asyncio.create_task(self._heal())

    async def _heal(self) -> None:
        while not await self._answers():  # noqa: ASYNC110  # Redis does not tell that it is back
            await asyncio.sleep(_RETRY_S)
        self._healing = None
        _log.info("redis answers again")

    async def _answers(self) -> bool:
        # The library's own check is a ping, and would leave its script to be loaded by the first request.
        try:
            async with asyncio.timeout(_TRIAL_S):
                await self._storage.incr("trial", 1)
        except (StorageError, TimeoutError):
            return False
        return True
