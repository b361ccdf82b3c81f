"""Access tokens: signed with HS256 by python-jose, which only this file knows."""

import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from jose import jwk, jws, jwt
from jose.exceptions import JOSEError
from pydantic import BaseModel, ConfigDict, ValidationError

from serve.errors import Unauthenticated
from serve.security.principals import Principal, Verified
from serve.users import ALL_SCOPES, Scope

ALGORITHM = "HS256"
TYPE = "at+jwt"
LONGEST = 8 * 2**10
LEEWAY_S = 30
LONGEST_LIFE_S = 24 * 3600


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
    sid: str = ""


class Tokens:
    """Issues and verifies the tokens of one deployment."""

    def __init__(
        self,
        *,
        secret: str,
        issuer: str,
        audience: str,
        ttl_s: int,
        clock: Callable[[], float] = time.time,
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

    def issue(self, subject: str, scopes: Iterable[Scope], *, session: str = "", ttl_s: int | None = None) -> Issued:
        """A new token for one who has been recognised; `session` names the login that it came of."""
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
            **({"sid": session} if session else {}),
        }
        token = jwt.encode(claims, self._key, algorithm=ALGORITHM, headers={"typ": TYPE})
        return Issued(str(token), ttl_s, granted)

    def verify(self, token: str) -> Verified:
        """
        What a token says.

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
        is_ours = claims.iss == self._issuer and claims.aud == self._audience
        if not is_ours or claims.exp - claims.iat > LONGEST_LIFE_S:
            raise Unauthenticated
        since, until = max(claims.iat, claims.nbf) - LEEWAY_S, claims.exp + LEEWAY_S
        if not since <= self._clock() < until:
            raise Unauthenticated
        scopes = frozenset(Scope(scope) for scope in claims.scope.split() if scope in ALL_SCOPES)
        ids = frozenset({claims.jti, claims.sid} - {""})
        return Verified(Principal(claims.sub, scopes, claims.sid), since, until, ids)
