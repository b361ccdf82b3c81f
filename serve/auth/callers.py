"""Authentication of callers by a token or an API key, which is verified once and remembered while it is valid."""

import time
from collections.abc import Awaitable, Callable, Iterable

from serve.auth.api_keys import PREFIX
from serve.auth.oidc import OidcVerifier
from serve.auth.principals import Principal, Verified
from serve.auth.tokens import Tokens
from serve.errors import Unauthenticated

# Remembered tokens and keys. One of ours has about 400 characters, so all together take a few MiB.
MOST_REMEMBERED = 4096


def _never(_ids: Iterable[str]) -> bool:
    return False


class Callers:
    """
    Verifies tokens and API keys. Invalid ones are never remembered, so a stranger cannot fill the memory.

    Args:
        look_up: Verifies an API key in the database; None where there are no API keys.
        is_revoked: Returns whether one of these ids is revoked, as far as this process knows.
    """

    def __init__(
        self,
        tokens: Tokens,
        *,
        oidc: OidcVerifier | None = None,
        look_up: Callable[[str], Awaitable[Verified]] | None = None,
        is_revoked: Callable[[Iterable[str]], bool] = _never,
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
        Return the principal of a token or an API key.

        Raises:
            Unauthenticated: It is invalid; the client does not learn why.
            DatabaseUnavailable: It cannot be verified now.
        """
        known = self.recall(bearer)
        if known is not None:
            return known
        if self._look_up and bearer.startswith(PREFIX):
            verified = await self._look_up(bearer)
        else:
            verified = self.verify_token(bearer)
        # Nothing is awaited from here on, so `forget` finds everything that is remembered here.
        if self._is_revoked(verified.ids):
            raise Unauthenticated("revoked")
        self._remember(bearer, verified)
        return verified.principal

    def verify_token(self, token: str) -> Verified:
        """
        Verify a token without asking whether it is revoked.

        Raises:
            Unauthenticated: It is invalid.
        """
        if self._oidc is None or self._tokens.are_ours(token):
            return self._tokens.verify(token)
        return self._oidc.verify(token)

    def recall(self, bearer: str) -> Principal | None:
        """Return the principal of a remembered token or key that is still valid; None if it has to be verified."""
        verified = self._remembered.get(bearer)
        if verified is None:
            return None
        if verified.since <= self._clock() < verified.until:
            return verified.principal
        self._remembered.pop(bearer, None)
        return None

    def forget(self, ids: Iterable[str]) -> None:
        """Forget tokens and keys with one of these ids, so that they are verified again."""
        gone = frozenset(ids)
        for bearer, verified in list(self._remembered.items()):
            if not gone.isdisjoint(verified.ids):
                self._remembered.pop(bearer, None)

    def _remember(self, bearer: str, verified: Verified) -> None:
        while len(self._remembered) >= self._most_remembered:
            del self._remembered[next(iter(self._remembered))]
        self._remembered[bearer] = verified
