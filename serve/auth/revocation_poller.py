"""Polling for what other processes have revoked, and deletion of expired rows."""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from anyio import CapacityLimiter, to_thread

from serve.auth.callers import Callers
from serve.auth.revocations import Revocations
from serve.errors import DatabaseUnavailable
from serve.telemetry.metrics import Metrics

POLL_S = 1.0
PRUNE_S = 600.0

_log = structlog.get_logger("serve.auth")


class RevocationPoller:
    """
    Reads revocations from the database into the memory of this process; belongs to one event loop.

    Args:
        prune: Functions that delete expired rows; called every `PRUNE_S` seconds, in a thread.
    """

    def __init__(
        self,
        revocations: Revocations,
        callers: Callers,
        metrics: Metrics,
        *,
        poll_s: float = POLL_S,
        prune: Sequence[Callable[[], None]] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._revocations = revocations
        self._callers = callers
        self._metrics = metrics
        self._poll_s = poll_s
        self._prune = prune
        self._clock = clock
        self._pruned_at = float("-inf")
        self._is_failing = False
        # A thread of its own: callers that wait for a database that is down must not delay it.
        self._limiter = CapacityLimiter(1)

    async def poll(self) -> float:
        """Read once, and return the seconds until the next time; what is known stays known if the database is down."""
        try:
            found = await to_thread.run_sync(self._revocations.read, limiter=self._limiter, abandon_on_cancel=True)
            self._revocations.start()
            self.apply(found)
            await self._prune_if_due()
        except DatabaseUnavailable as error:
            self._metrics.revocation_failures.inc()
            if not self._is_failing:
                _log.warning("revocations are not read", reason=str(error))
            self._is_failing = True
        except Exception:  # noqa: BLE001  # whatever fails, polling continues
            self._metrics.revocation_failures.inc()
            _log.exception("revocations are not read")
        else:
            if self._is_failing:
                _log.info("revocations are read again")
            self._is_failing = False
        return self._poll_s

    def apply(self, found: Mapping[str, float]) -> None:
        """Treat these ids as revoked in this process from now on."""
        self._callers.forget(self._revocations.learn(found))

    async def _prune_if_due(self) -> None:
        if self._clock() - self._pruned_at < PRUNE_S:
            return
        self._pruned_at = self._clock()
        for prune in self._prune:
            await to_thread.run_sync(prune, limiter=self._limiter, abandon_on_cancel=True)
