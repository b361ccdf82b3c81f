"""Whoever brings a token: recognised once, remembered for as long as it counts."""

import time
from collections.abc import Awaitable, Callable, Iterable

from serve.auth.keys import PREFIX
from serve.auth.oidc import OidcVerifier
from serve.auth.principals import Principal, Verified
from serve.auth.tokens import Tokens
from serve.errors import Unauthenticated

# Bearers that are remembered at once. A token of ours has some 400 characters: together they take a few MiB.
MOST_REMEMBERED = 4096


def _nothing_is(_ids: Iterable[str]) -> bool:
    return False


class Callers:
    """
    Recognises callers by what they bring. What does not count is never remembered: nobody can fill the memory.

    Args:
        look_up: What a key says, of which nothing can be read off; None where there are no keys.
        is_revoked: Whether one of these ids is revoked, as far as this process has heard.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        oidc: OidcVerifier | None = None,
        look_up: Callable[[str], Awaitable[Verified]] | None = None,
        is_revoked: Callable[[Iterable[str]], bool] = _nothing_is,
        most_remembered: int = MOST_REMEMBERED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = tokens
        self._oidc = oidc
        self._look_up = look_up
        self._is_revoked = is_revoked
        self._most_remembered = most_remembered
        self._clock = clock
        self._remembered: dict[str, Verified] = {}

    async def verify(self, bearer: str) -> Principal:
        """
        Who a bearer speaks for.

        Raises:
            Unauthenticated: It does not count; the reason is not told.
            DatabaseUnavailable: Whether it counts cannot be known now.
        """
        known = self.recall(bearer)
        if known is not None:
            return known
        if self._look_up and bearer.startswith(PREFIX):
            verified = await self._look_up(bearer)
        else:
            verified = self.read(bearer)
        # Nothing is awaited from here on: what is revoked meanwhile, `forget` finds remembered.
        if self._is_revoked(verified.ids):
            raise Unauthenticated("revoked")
        self._remember(bearer, verified)
        return verified.principal

    def read(self, token: str) -> Verified:
        """
        What a token says, whether it was revoked or not.

        Raises:
            Unauthenticated: It does not count, nor ever did.
        """
        if self._oidc is None or self._tokens.are_ours(token):
            return self._tokens.verify(token)
        return self._oidc.verify(token)

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
