"""One limit, and what each caller has left of it."""

import asyncio
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from limits import RateLimitItem

from serve.errors import LimitsUnavailable, RateExceeded
from serve.limits.counts import Counts

# A caller is granted so many parts of the limit at once, so that most requests need not ask who counts: of 1,000 a
# minute five at a time. As much can be lost to each process that has them and does not need them.
_PARTS = 200


@dataclass(slots=True)
class _Lot:
    """What one caller was granted of this window and has not used; `beyond` is what there was for others to take."""

    left: int = 0
    beyond: int = 0
    is_last: bool = False
    told: bytes = b""
    second: int = -1
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)


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
        self._lots: dict[str, _Lot] = {}
        self._ends = 0.0
        # As `RateLimit-Policy` tells it (draft-ietf-httpapi-ratelimit-headers-10).
        self.policy = f'"{name}";q={self.limit};w={self._window_s}'.encode()
        self._remaining = f'"{name}";r=%d;t=%d'.encode()

    def take(self, who: str, cost: int = 1) -> bytes | None:
        """Use what was granted before, and tell what is left; None if it does not suffice, no refusal yet: `ask`."""
        now = self._clock()
        if now >= self._ends:
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
            lot = self._lots.setdefault(who, _Lot())
            async with lot.turn:
                # Others may have brought enough meanwhile, or the window may be over.
                if self._lots.get(who) is not lot or lot.left >= cost:
                    continue
                if lot.is_last:
                    raise self._exceeded(cost)
                await self._bring(who, lot, cost - lot.left)
                if lot.left < cost:
                    raise self._exceeded(cost)

    async def charge(self, who: str, cost: int) -> None:
        """Use so much, though it may be more than there is: what was not known before it was done."""
        if self.take(who, cost) is not None:
            return
        lot = self._lots.setdefault(who, _Lot())
        async with lot.turn:
            await self._bring(who, lot, cost - min(cost, lot.left))
            lot.left = max(0, lot.left - cost)

    def check(self, who: str) -> None:
        """
        Nothing is used: only whether there may be something left.

        Raises:
            RateExceeded: There is nothing left of this window.
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
        return self._told(self._lots.get(who) or _Lot(beyond=self.limit), self._clock())

    def _told(self, lot: _Lot, now: float) -> bytes:
        second = int(now)
        if lot.second != second or self._lot_size == 1:
            lot.second = second
            lot.told = self._remaining % (lot.left + lot.beyond, max(1, math.ceil(self._ends - now)))
        return lot.told

    def _turn(self, now: float) -> None:
        self._ends = (now // self._window_s + 1) * self._window_s
        self._lots = {}

    async def _bring(self, who: str, lot: _Lot, needed: int) -> None:
        wanted = max(needed, self._lot_size)
        # The window's end is part of the key: a window that is over takes no count into the next one.
        key = f"{self.name}/{int(self._ends)}/{who}"
        count, limit, is_final = await self._counted(key, wanted)
        granted = min(wanted, max(0, limit - (count - wanted)))
        lot.left += granted
        lot.beyond = max(0, limit - count)
        lot.second = -1
        lot.is_last = is_final and granted < wanted

    async def _counted(self, key: str, wanted: int) -> tuple[int, int, bool]:
        """The count with what is wanted in it, the limit that it is held against, and whether that is for good."""
        try:
            return await self._counts.add(key, self._window_s, wanted), self.limit, True
        except LimitsUnavailable:
            if self._fallback is None:
                raise
            return await self._fallback.add(key, self._window_s, wanted), self._fallback_limit, False

    def _exceeded(self, cost: int) -> RateExceeded:
        over_s = max(1, math.ceil(self._ends - self._clock()))
        return RateExceeded(self.name, limit=self.limit, window_s=self._window_s, cost=cost, retry_after_s=over_s)
