"""Access tokens: signed with HS256 by python-jose, which only this file knows."""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jose import jwk, jws, jwt
from jose.exceptions import JOSEError
from pydantic import BaseModel, ConfigDict, ValidationError

from serve.errors import Unauthenticated
from serve.users import ALL_SCOPES, Scope

ALGORITHM = "HS256"
TYPE = "at+jwt"
LONGEST = 8 * 2**10
LEEWAY_S = 30
LONGEST_LIFE_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks, and how far they may reach."""

    name: str
    scopes: frozenset[Scope]


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as OAuth 2 hands it out."""

    token: str
    expires_in_s: int
    scopes: frozenset[Scope]


class _Claims(BaseModel):
    """What a token of ours says: all of it, nothing else, each of its type."""

    model_config = ConfigDict(strict=True, extra="forbid")

    iss: str
    aud: str
    sub: str
    iat: int
    nbf: int
    exp: int
    jti: str
    scope: str


class Tokens:
    """Issues and verifies the tokens of one deployment."""

    def __init__(
        self, *, secret: str, issuer: str, audience: str, ttl_s: int, clock: Callable[[], float] = time.time
    ) -> None:
        if not secret:
            raise ValueError("a token cannot be signed with an empty secret")
        # A typed key: given a text, python-jose guesses what it is, and takes JSON for a set of keys.
        self._key = jwk.construct(secret.encode(), ALGORITHM)
        self._head = jwt.encode({}, self._key, algorithm=ALGORITHM, headers={"typ": TYPE}).partition(".")[0] + "."
        self._issuer = issuer
        self._audience = audience
        self._ttl_s = ttl_s
        self._clock = clock

    def issue(self, subject: str, scopes: Iterable[Scope], *, ttl_s: int | None = None) -> Issued:
        """A new token for one who has been recognised."""
        now, ttl_s, granted = int(self._clock()), ttl_s or self._ttl_s, frozenset(scopes)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": now + ttl_s,
            "jti": uuid.uuid4().hex,
            "scope": " ".join(sorted(granted)),
        }
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TYPE})
        return Issued(str(token), ttl_s, granted)

    def verify(self, token: str) -> Principal:
        """
        Who a token speaks for.

        Raises:
            Unauthenticated: It does not count; the reason is not told.
        """
        # Our header, letter for letter: another one is not even parsed, whatever it asks for.
        if len(token) > LONGEST or not token.startswith(self._head):
            raise Unauthenticated
        try:
            # The signature first, then every claim's type, then its value: `jwt.decode` would take a token
            # that lacks a claim, and fails with a TypeError where one is null.
            claims = _Claims.model_validate_json(jws.verify(token, self._key, [ALGORITHM]))
        except (JOSEError, ValidationError) as error:
            raise Unauthenticated from error
        now = self._clock()
        is_ours = claims.iss == self._issuer and claims.aud == self._audience
        is_long = claims.exp - claims.iat > LONGEST_LIFE_S
        if not is_ours or is_long or max(claims.iat, claims.nbf) > now + LEEWAY_S or claims.exp <= now - LEEWAY_S:
            raise Unauthenticated
        return Principal(claims.sub, frozenset(Scope(scope) for scope in claims.scope.split() if scope in ALL_SCOPES))
