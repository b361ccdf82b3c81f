"""One limit, and what each caller has left of it."""

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

from limits import RateLimitItem

from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counts import Counts

# A caller is granted so many parts of the limit at once, so that most requests need not ask who counts: of 1,000 a
# minute five at a time. As much can be lost to each process that has them and does not need them.
_PARTS = 200


@dataclass(slots=True)
class _Allowance:
    """
    What one caller was granted of this window and has not used.

    Attributes:
        granted: How much those granted who count for all, and the fallback has not heard of.
        beyond: What there was for others to take.
        is_last: Whether there is nothing more to be had.
    """

    left: int = 0
    granted: int = 0
    beyond: int = 0
    is_last: bool = False
    told: bytes = b""
    second: int = -1
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


@dataclass(frozen=True, slots=True)
class _Told:
    """An answer of whoever counts, and the limit that it is held against."""

    counts: Counts
    key: str
    window_s: int
    count: int
    limit: int
    is_final: bool

    async def give_back(self, amount: int) -> None:
        """Take off the count what is not used after all; if nobody can tell any more, it is lost."""
        with suppress(LimitsUnavailable):
            await self.counts.add(self.key, self.window_s, -amount)


class Rate:
    """
    One limit, for every caller by themselves.

    Windows begin for all callers and processes at once, by the clock: what is left of one needs no second question.
    """

    def __init__(
        self,
        name: str,
        limit: RateLimitItem,
        counts: Counts,
        *,
        share: int = 1,
        fallback: Counts | None = None,
        fallback_share: int = 1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """
        Prepare a limit.

        Args:
            name: What the limit is of; callers are told.
            limit: As `limits.parse` reads it.
            counts: Who counts.
            share: Among how many the limit is divided where `counts` are not those of all.
            fallback: Who counts where `counts` cannot tell; None where nobody shall be let in then.
            fallback_share: Among how many the limit is divided then.
            clock: Tells the seconds since the epoch.
        """
        self.name = name
        self.limit = max(1, limit.amount // share)
        self._window_s = limit.get_expiry()
        self._counts = counts
        self._fallback = fallback
        self._fallback_limit = max(1, limit.amount // fallback_share)
        self._clock = clock
        self._lot_size = max(1, self.limit // _PARTS)
        self._lots: dict[str, _Allowance] = {}
        self._begins = self._ends = 0.0
        # As `RateLimit-Policy` tells it (draft-ietf-httpapi-ratelimit-headers-10).
        self.policy = f'"{name}";q={self.limit};w={self._window_s}'.encode()
        self._remaining = f'"{name}";r=%d;t=%d'.encode()

    def take(self, who: str, cost: int = 1) -> bytes | None:
        """Use what was granted before, and tell what is left; None if it does not suffice, no refusal yet: `ask`."""
        now = self._clock()
        # Before the window's begin, the clock was ahead and has been corrected.
        if not self._begins <= now < self._ends:
            self._turn(now)
        lot = self._lots.get(who)
        if lot is None or lot.left < cost:
            return None
        lot.left -= cost
        return self._told(lot, now)

    async def ask(self, who: str, cost: int = 1) -> None:
        """
        Use what was granted before, or ask for more.

        Raises:
            RateExceeded: There is not so much left of this window.
            LimitsUnavailable: Nobody can tell, and this limit lets nobody in then.
        """
        while self.take(who, cost) is None:
            lot = self._lots.setdefault(who, _Allowance())
            async with lot.turn:
                # Others may have brought enough meanwhile, or the window may be over.
                if self._lots.get(who) is not lot or lot.left >= cost:
                    continue
                if lot.is_last:
                    raise self._exceeded(cost)
                await self._bring(who, lot, cost - lot.left)
                if lot.left < cost:
                    raise self._exceeded(cost)

    async def charge(self, who: str, cost: int, *, is_begun: bool = True) -> None:
        """
        Use so much, though it may be more than there is: what has begun is finished.

        Raises:
            RateExceeded: It has not, and there is nothing left to begin with.
            LimitsUnavailable: Nobody can tell, and this limit lets nobody in then.
        """
        if self.take(who, cost) is not None:
            return
        lot = self._lots.setdefault(who, _Allowance())
        async with lot.turn:
            needed = cost - min(cost, lot.left)
            told = await self._counted(who, lot, needed)
            before = told.count - needed
            if not is_begun and not lot.left and before >= told.limit:
                await told.give_back(needed)
                raise self._exceeded(1)
            lot.left = 0
            lot.beyond = max(0, told.limit - told.count)
            lot.is_last = told.is_final and not lot.beyond
            lot.second = -1

    def check(self, who: str) -> None:
        """
        Nothing is used: only whether nothing is left, as far as is known here.

        Raises:
            RateExceeded: It is known.
        """
        self.take(who, 0)
        lot = self._lots.get(who)
        if lot and lot.is_last and not lot.left:
            raise self._exceeded(1)

    def remaining(self, who: str) -> bytes:
        """
        What is left as `RateLimit` tells it, as far as is known here, and in how many seconds the window is over.

        It is written anew with each second and each lot: in between, it tells what was left a moment ago.
        """
        return self._told(self._lots.get(who) or _Allowance(beyond=self.limit), self._clock())

    def _told(self, lot: _Allowance, now: float) -> bytes:
        second = int(now)
        if lot.second != second or self._lot_size == 1:
            lot.second = second
            lot.told = self._remaining % (lot.left + lot.beyond, max(1, math.ceil(self._ends - now)))
        return lot.told

    def _turn(self, now: float) -> None:
        self._begins = now // self._window_s * self._window_s
        self._ends = self._begins + self._window_s
        self._lots = {}

    async def _bring(self, who: str, lot: _Allowance, needed: int) -> None:
        wanted = max(needed, self._lot_size)
        told = await self._counted(who, lot, wanted)
        granted = min(wanted, max(0, told.limit - (told.count - wanted)))
        if 0 < granted < needed:
            # Too little for this request, and maybe enough for a smaller one, wherever that is asked.
            await told.give_back(wanted)
            lot.beyond = granted
            return
        lot.left += granted
        lot.granted += granted if told.is_final else 0
        lot.beyond = max(0, told.limit - told.count)
        lot.is_last = told.is_final and granted < wanted
        lot.second = -1

    async def _counted(self, who: str, lot: _Allowance, wanted: int) -> "_Told":
        """The count with what is wanted in it, by whoever can tell."""
        # The window's end is part of the key: a window that is over takes no count into the next one.
        key = f"{self.name}/{int(self._ends)}/{who}"
        try:
            count = await self._counts.add(key, self._window_s, wanted)
            return _Told(self._counts, key, self._window_s, count, self.limit, is_final=True)
        except LimitsUnavailable:
            if self._fallback is None:
                raise
        # What was granted here before is part of this process's share.
        known, lot.granted = lot.granted, 0
        count = await self._fallback.add(key, self._window_s, wanted + known)
        return _Told(self._fallback, key, self._window_s, count, self._fallback_limit, is_final=False)

    def _exceeded(self, cost: int) -> RateExceeded:
        over_s = max(1, math.ceil(self._ends - self._clock()))
        return RateExceeded(self.name, limit=self.limit, window_s=self._window_s, cost=cost, retry_after_s=over_s)
