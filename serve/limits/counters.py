"""Counters of requests; this one counts for its process alone, that of `redis_counter.py` for all processes."""

from typing import Protocol

from limits.storage import MemoryStorage


class Counter(Protocol):
    """Counts requests by key."""

    async def add(self, key: str, window_s: int, amount: int) -> int:
        """
        Add to the count of a key, which is forgotten after `window_s` seconds, and return the new count.

        Raises:
            LimitsUnavailable: The counter does not answer.
        """
        ...


class LocalCounter:
    """Counts for this process alone."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    async def add(self, key: str, window_s: int, amount: int) -> int:
        return self._storage.incr(key, window_s, amount)
