"""Renewal of the keys that verify tokens, by a timer and never because of a request."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import structlog

KEY_FILE_S = 2.0
ISSUER_S = 300.0
# The longest pause after a renewal that failed.
RETRY_S = 10.0

K = TypeVar("K")
_log = structlog.get_logger("serve.keys")


@dataclass(kw_only=True)
class KeyRenewal(Generic[K]):
    """
    Replaces keys by those that their source has now, all of them or none.

    Attributes:
        name: The source, in the log and the metrics.
        read: Returns the current keys; if it raises anything, the former keys stay.
        replace: Uses these keys from now on, and returns the ids of the removed ones.
        forget: Called with the ids of removed keys.
        failed: Called with the name after every failure.
    """

    name: str
    read: Callable[[], Awaitable[K]]
    replace: Callable[[K], frozenset[str]]
    forget: Callable[[Iterable[str]], None]
    failed: Callable[[str], None]
    interval_s: float
    _failure: str = field(default="", init=False)

    async def renew(self) -> float:
        """Renew the keys once, log what changed, and return the seconds until the next time."""
        try:
            removed = self.replace(await self.read())
        except Exception as error:  # noqa: BLE001  # whatever fails, the former keys stay
            self.failed(self.name)
            reason = f"{type(error).__name__}: {error}"
            if reason != self._failure:
                _log.error("keys not renewed, the former keys stay", source=self.name, reason=reason)
            self._failure = reason
            return min(self.interval_s, RETRY_S)
        self.forget(removed)
        if removed or self._failure:
            _log.info("keys renewed", source=self.name, removed=len(removed))
        self._failure = ""
        return self.interval_s
