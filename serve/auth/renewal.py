"""Keys are taken up as they change: looked for by a timer, and never because of a request."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

import structlog
from anyio import CapacityLimiter, to_thread

KEYRING_S = 2.0
ISSUER_S = 300.0
# How long to wait for the next try when one has failed, at most.
RETRY_S = 10.0

K = TypeVar("K")
_log = structlog.get_logger("serve.keys")


@dataclass(frozen=True, kw_only=True)
class Source(Generic[K]):
    """
    Where keys come from, and who wants them.

    Attributes:
        read: Blocks; whatever it raises, the keys that are there stay.
        take: Gives back the ids of what counts no longer.
        forget: Is told of these ids at once.
        failed: Is told of every failure.
    """

    name: str
    read: Callable[[], K]
    take: Callable[[K], frozenset[str]]
    forget: Callable[[Iterable[str]], None]
    failed: Callable[[str], None]
    interval_s: float

    async def renew(self, complaint: str = "") -> str:
        """Take up what is there now, whole or not at all; back comes what is wrong, logged unless it is the same."""
        try:
            keys = await to_thread.run_sync(self.read, limiter=CapacityLimiter(1), abandon_on_cancel=True)
            gone = self.take(keys)
        except Exception as error:  # noqa: BLE001  # whatever came instead of keys, the old ones stay
            self.failed(self.name)
            reason = f"{type(error).__name__}: {error}"
            if reason != complaint:
                _log.error("keys not taken up, the former stay", source=self.name, reason=reason)
            return reason
        self.forget(gone)
        if gone or complaint:
            _log.info("keys taken up", source=self.name, gone=len(gone))
        return ""

    async def follow(self, complaint: str) -> None:
        """Go on until cancelled."""
        while True:
            await asyncio.sleep(min(self.interval_s, RETRY_S) if complaint else self.interval_s)
            complaint = await self.renew(complaint)


@asynccontextmanager
async def followed(sources: Iterable[Source[K]]) -> AsyncIterator[None]:
    """Look each source up once, then again and again until the block ends."""
    sources = list(sources)
    complaints = await asyncio.gather(*(source.renew() for source in sources))
    tasks = [
        asyncio.create_task(source.follow(complaint)) for source, complaint in zip(sources, complaints, strict=True)
    ]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task
