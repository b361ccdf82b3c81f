"""A limit on the requests or rows of each caller."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from limits import RateLimitItem

from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counters import Counter

# A process takes this fraction of a caller's limit at once, so that most requests need not ask the counter: of 1,000 a
# minute, five at a time. Each process may hold as much that it does not use.
_PARTS = 200


@dataclass(slots=True)
class Allowance:
    """
    What a caller may still use of the current window in this process, without asking the counter.

    Attributes:
        granted: What the shared counter granted, and the fallback has not counted.
        beyond: What was left for all processes when the counter last answered.
        is_last: Whether the counter has nothing more to grant.
        header: The `RateLimit` header of this second.
    """

    left: int = 0
    granted: int = 0
    beyond: int = 0
    is_last: bool = False
    header: bytes = b""
    second: int = -1
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def update(self, count: "_Count") -> None:
        """Note what is left for all processes."""
        self.beyond = max(0, count.limit - count.value)
        self.second = -1


@dataclass(frozen=True, slots=True)
class _Count:
    """The count that a counter returned, and the limit that it is compared with."""

    counter: Counter
    key: str
    window_s: int
    value: int
    limit: int
    is_shared: bool

    async def give_back(self, amount: int) -> None:
        """Subtract what is not used after all; it is lost if the counter does not answer."""
        with suppress(LimitsUnavailable):
            await self.counter.add(self.key, self.window_s, -amount)


class Rate:
    """
    One limit, for each caller separately.

    Windows begin at the same time for all callers and processes, so the end of one is known without the counter.
    """

    def __init__(
        self,
        name: str,
        limit: RateLimitItem,
        counter: Counter,
        *,
        share: int = 1,
        fallback: Counter | None = None,
        fallback_share: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Prepare a limit.

        Args:
            name: What is limited; part of the headers and errors.
            limit: As `limits.parse` returns it.
            counter: Counts for all processes, or for this one.
            share: The number of processes among which the limit is divided if `counter` is local.
            fallback: Counts while `counter` does not answer; with None, requests are refused then.
            fallback_share: The number of processes among which the limit is divided then.
            clock: Returns the seconds since the epoch.
        """
        self.name = name
        self.limit = max(1, limit.amount // share)
        self._window_s = limit.get_expiry()
        self._counter = counter
        self._fallback = fallback
        self._fallback_limit = max(1, limit.amount // fallback_share)
        self._clock = clock
        self._part = max(1, self.limit // _PARTS)
        self._allowances: dict[str, Allowance] = {}
        self._begins = self._ends = 0.0
        # The headers of draft-ietf-httpapi-ratelimit-headers-10.
        self.policy = f'"{name}";q={self.limit};w={self._window_s}'.encode()
        self._remaining = f'"{name}";r=%d;t=%d'.encode()

    def take(self, who: str, cost: int = 1) -> bytes | None:
        """Use the caller's allowance, and return the `RateLimit` header; None if `ask` must ask the counter."""
        now = self._clock()
        # Before the begin of the window: the clock was ahead and has been corrected.
        if not self._begins <= now < self._ends:
            self._begins = now // self._window_s * self._window_s
            self._ends = self._begins + self._window_s
            self._allowances = {}
        allowance = self._allowances.get(who)
        if allowance is None or allowance.left < cost:
            return None
        allowance.left -= cost
        return self._header(allowance, now)

    async def ask(self, who: str, cost: int = 1) -> None:
        """
        Use the caller's allowance, or ask the counter for more.

        Raises:
            RateExceeded: Not enough of this window is left.
            LimitsUnavailable: The counter does not answer, and there is no fallback.
        """
        while self.take(who, cost) is None:
            allowance = self._allowances.setdefault(who, Allowance())
            async with allowance.lock:
                # Another request may have asked for enough meanwhile, or the window may be over.
                if self._allowances.get(who) is not allowance or allowance.left >= cost:
                    continue
                if not allowance.is_last:
                    await self._extend(who, allowance, cost - allowance.left)
                if allowance.left < cost:
                    raise self._exceeded(cost)

    async def charge(self, who: str, cost: int, *, is_begun: bool = True) -> None:
        """
        Use this much even if it is more than what is left: a request that has begun is finished.

        Raises:
            RateExceeded: The request has not begun, and nothing is left.
            LimitsUnavailable: The counter does not answer, and there is no fallback.
        """
        if self.take(who, cost) is not None:
            return
        allowance = self._allowances.setdefault(who, Allowance())
        async with allowance.lock:
            needed = cost - min(cost, allowance.left)
            count = await self._count(who, allowance, needed)
            if not is_begun and not allowance.left and count.value - needed >= count.limit:
                await count.give_back(needed)
                raise self._exceeded(1)
            allowance.left = 0
            allowance.update(count)
            allowance.is_last = count.is_shared and not allowance.beyond

    def check(self, who: str) -> None:
        """
        Check, without using anything, whether this process knows that nothing is left.

        Raises:
            RateExceeded: Nothing is left.
        """
        self.take(who, 0)
        allowance = self._allowances.get(who)
        if allowance and allowance.is_last and not allowance.left:
            raise self._exceeded(1)

    def remaining(self, who: str) -> bytes:
        """Return the `RateLimit` header: what is left, as of this second, and the seconds until the window ends."""
        return self._header(self._allowances.get(who) or Allowance(beyond=self.limit), self._clock())

    def _header(self, allowance: Allowance, now: float) -> bytes:
        second = int(now)
        if allowance.second != second or self._part == 1:
            allowance.second = second
            left_s = max(1, math.ceil(self._ends - now))
            allowance.header = self._remaining % (allowance.left + allowance.beyond, left_s)
        return allowance.header

    async def _extend(self, who: str, allowance: Allowance, needed: int) -> None:
        wanted = max(needed, self._part)
        count = await self._count(who, allowance, wanted)
        granted = min(wanted, max(0, count.limit - (count.value - wanted)))
        if 0 < granted < needed:
            # Too little for this request, but a smaller one in any process may use it.
            await count.give_back(wanted)
            allowance.beyond = granted
            return
        allowance.left += granted
        allowance.granted += granted if count.is_shared else 0
        allowance.update(count)
        allowance.is_last = count.is_shared and granted < wanted

    async def _count(self, who: str, allowance: Allowance, wanted: int) -> _Count:
        """Add what is wanted to the count, or to that of the fallback."""
        # The end of the window is part of the key, so an old count never affects the next window.
        key = f"{self.name}/{int(self._ends)}/{who}"
        try:
            value = await self._counter.add(key, self._window_s, wanted)
            return _Count(self._counter, key, self._window_s, value, self.limit, is_shared=True)
        except LimitsUnavailable:
            if self._fallback is None:
                raise
        # What was granted here before is part of this process's share.
        known, allowance.granted = allowance.granted, 0
        value = await self._fallback.add(key, self._window_s, wanted + known)
        return _Count(self._fallback, key, self._window_s, value, self._fallback_limit, is_shared=False)

    def _exceeded(self, cost: int) -> RateExceeded:
        over_s = max(1, math.ceil(self._ends - self._clock()))
        return RateExceeded(self.name, limit=self.limit, window_s=self._window_s, cost=cost, retry_after_s=over_s)
