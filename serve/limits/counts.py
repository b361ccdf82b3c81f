"""Who counts: the `limits` library, in this process; `shared.py` has the same for all of them."""

from typing import Protocol

from limits.storage import MemoryStorage


class Counts(Protocol):
    """Counts up, and tells where that led."""

    async def add(self, key: str, window_s: int, amount: int) -> int:
        """
        Add to a key's count, which is forgotten after `window_s` seconds; what it is now.

        Raises:
            LimitsUnavailable: Nobody can tell.
        """
        ...


class LocalCounter:
    """Counts of this process alone."""

    def __init__(self) -> None:
        self._storage = MemoryStorage()

    async def add(self, key: str, window_s: int, amount: int) -> int:
        return self._storage.incr(key, window_s, amount)
