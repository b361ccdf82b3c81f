"""Looks every other second what other processes revoked, and takes away what has expired."""

import time
from collections.abc import Callable, Mapping, Sequence

import structlog
from anyio import CapacityLimiter, sleep, to_thread

from serve.auth.callers import Callers
from serve.auth.revocations import Revocations
from serve.errors import DatabaseUnavailable
from serve.telemetry.metrics import Metrics

POLL_S = 1.0
PRUNE_S = 600.0

_log = structlog.get_logger("serve.auth")


class RevocationPoller:
    """
    Belongs to one event loop.

    Args:
        prune: What takes away expired rows; called now and then, in a thread.
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
        self._is_blind = False
        # A thread of its own: those who wait for a database that is gone shall not keep it from looking.
        self._limiter = CapacityLimiter(1)

    async def run(self) -> None:
        """Look, for ever."""
        while True:
            await sleep(self._poll_s)
            await self.look()

    async def look(self) -> None:
        """Learn what was revoked; what is known already goes on counting where the database does not answer."""
        try:
            found = await to_thread.run_sync(self._revocations.read, limiter=self._limiter, abandon_on_cancel=True)
            self._revocations.start()
            self.hear(found)
            await self._tidy()
        except DatabaseUnavailable as error:
            self._metrics.revocation_failures.inc()
            if not self._is_blind:
                _log.warning("revocations are not read", reason=str(error))
            self._is_blind = True
        except Exception:  # noqa: BLE001  # whatever it is, the next look comes
            self._metrics.revocation_failures.inc()
            _log.exception("revocations are not read")
        else:
            if self._is_blind:
                _log.info("revocations are read again")
            self._is_blind = False

    def hear(self, found: Mapping[str, float]) -> None:
        """From now on these ids count no more in this process."""
        self._callers.forget(self._revocations.learn(found))

    async def _tidy(self) -> None:
        if self._clock() - self._pruned_at < PRUNE_S:
            return
        self._pruned_at = self._clock()
        for prune in self._prune:
            await to_thread.run_sync(prune, limiter=self._limiter, abandon_on_cancel=True)
