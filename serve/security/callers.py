"""Whoever brings a token: recognised once, remembered for as long as it counts."""

import time
from collections.abc import Callable, Iterable

from serve.security.outside import Outside
from serve.security.principals import Principal, Verified
from serve.security.tokens import Tokens

# Bearers that are remembered at once. A token of ours has some 400 characters: together they take a few MiB.
MOST_REMEMBERED = 4096


class Callers:
    """Recognises callers by what they bring. What does not count is never remembered: nobody can fill the memory."""

    def __init__(
        self,
        tokens: Tokens,
        *,
        outside: Outside | None = None,
        most_remembered: int = MOST_REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._outside = outside
        self._most_remembered = most_remembered
        self._clock = clock
        self._remembered: dict[str, Verified] = {}

    async def verify(self, bearer: str) -> Principal:
        """
        Who a bearer speaks for.

        Raises:
            Unauthenticated: It does not count; the reason is not told.
        """
        known = self.recall(bearer)
        if known is not None:
            return known
        verified = self._verified(bearer)
        self._remember(bearer, verified)
        return verified.principal

    def _verified(self, bearer: str) -> Verified:
        if self._outside is None or self._tokens.are_ours(bearer):
            return self._tokens.verify(bearer)
        return self._outside.verify(bearer)

    def recall(self, bearer: str) -> Principal | None:
        """Who a bearer speaks for that was verified before and still counts; None says nothing about any other."""
        verified = self._remembered.get(bearer)
        if verified is None:
            return None
        if verified.since <= self._clock() < verified.until:
            return verified.principal
        self._remembered.pop(bearer, None)
        return None

    def forget(self, ids: Iterable[str]) -> None:
        """Remember no longer what has one of these ids: whoever brings it is verified anew."""
        gone = frozenset(ids)
        for bearer, verified in list(self._remembered.items()):
            if not gone.isdisjoint(verified.ids):
                self._remembered.pop(bearer, None)

    def _remember(self, bearer: str, verified: Verified) -> None:
        while len(self._remembered) >= self._most_remembered:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[bearer] = verified
