"""Tokens that somebody else issues: an OpenID Connect provider, whose word on names and scopes is taken."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from jose.backends.base import Key
from pydantic import BaseModel, ConfigDict

from serve.auth import base64url
from serve.auth.jwks import PublicKey, thumbprint
from serve.auth.principals import Principal, Verified
from serve.auth.public_keys import ALGORITHMS
from serve.auth.tokens import LEEWAY_S, LONGEST, LONGEST_LIFE_S, check_time, claims_of, keyed, parsed
from serve.auth.users import ALL_SCOPES, Scope
from serve.errors import InvalidInput, Unauthenticated

# No user of ours has a colon in the name: whoever comes from outside is nobody of ours.
PREFIX = "oidc:"
LONGEST_SUBJECT = 255
_LONGEST_HEADER = 2048
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
# What would let a token say how it is to be verified, or that it is something else than signed claims.
_REFUSED_PARAMETERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty", "epk", "p2c", "p2s"})
# ID tokens and logout tokens are for somebody else, and one that is bound to a key is no bearer's (RFC 9449, 7.1).
_REFUSED_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"})


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    alg: str
    kid: str = ""
    typ: str = "JWT"


class _Claims(BaseModel):
    """What every token must say, and what it must not say otherwise than so."""

    model_config = ConfigDict(strict=True)

    iss: str
    aud: str | list[str]
    sub: str
    exp: int
    iat: int | None = None
    nbf: int | None = None
    # Keycloak's word for what kind of token it is.
    typ: str = "Bearer"


class OidcVerifier:
    """Verifies the tokens of one issuer, by the keys that were looked up last; before the first time, none counts."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Iterable[str] = ALGORITHMS,
        scope_claim: str,
        scopes: Mapping[str, Iterable[Scope]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._scope_claim = scope_claim
        own = {scope.value: [scope] for scope in Scope}
        self._scopes = {value: frozenset(ours) for value, ours in (own if scopes is None else scopes).items()}
        self._clock = clock
        self._keys: Mapping[tuple[str, str], tuple[Key, str]] = MappingProxyType({})

    def take(self, keys: Mapping[tuple[str, str], PublicKey]) -> frozenset[str]:
        """Verify with these keys from now on; back come the ids of those that are gone, as `Verified` has them."""
        before = self._keys
        self._keys = MappingProxyType(
            {name: (keyed(name[0], key), PREFIX + thumbprint(key)) for name, key in keys.items()}
        )
        return frozenset(mark for _, mark in before.values()) - frozenset(mark for _, mark in self._keys.values())

    def verify(self, token: str) -> Verified:
        """
        What a token says.

        Raises:
            Unauthenticated: It is not valid.
        """
        if len(token) > LONGEST:
            raise Unauthenticated("too long")
        try:
            key, mark = self._key(_header(token.partition(".")[0]))
        except (ValueError, KeyError, InvalidInput) as error:
            raise Unauthenticated("unknown key") from error
        told = claims_of(token, key)
        try:
            claims = _Claims.model_validate(told)
            since, until = self._lifetime(claims)
            granted = self._granted(told)
        except (ValueError, OverflowError) as error:
            raise Unauthenticated("invalid claims") from error
        self._check(claims, told)
        check_time(since, until, self._clock())
        principal = Principal(PREFIX + claims.sub, granted)
        own = PREFIX + hashlib.sha256(token.encode()).hexdigest()[:40]
        return Verified(principal, since, until, frozenset({mark, own}), own)

    def _key(self, header: _Header) -> tuple[Key, str]:
        """The one key that a header names. A token need not name one if there is no other."""
        if header.alg not in self._algorithms or header.typ.lower() not in _TYPES:
            raise ValueError("not a token for us")
        if not header.kid and len(self._keys) == 1:
            [(_, only)] = self._keys
            return self._keys[header.alg, only]
        return self._keys[header.alg, header.kid]

    def _lifetime(self, claims: _Claims) -> tuple[float, float]:
        begins = [time for time in (claims.iat, claims.nbf) if time is not None]
        if claims.exp - min(begins, default=self._clock()) > LONGEST_LIFE_S:
            raise ValueError("it lasts too long")
        return max(begins, default=0) - LEEWAY_S, claims.exp + LEEWAY_S

    def _check(self, claims: _Claims, told: Mapping[str, object]) -> None:
        if claims.iss != self._issuer:
            raise Unauthenticated("other issuer")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise Unauthenticated("other audience")
        is_access = claims.typ.lower() in {"bearer", *_TYPES} and _REFUSED_CLAIMS.isdisjoint(told)
        # OpenID Connect Core, 2: at most 255 characters of ASCII; a longer name could end as another's in a log.
        is_named = claims.sub.isascii() and claims.sub.isprintable() and 0 < len(claims.sub) <= LONGEST_SUBJECT
        if not is_access:
            raise Unauthenticated("not an access token")
        if not is_named:
            raise Unauthenticated("invalid claims")

    def _granted(self, told: Mapping[str, object]) -> frozenset[Scope]:
        """Our scopes, for what the token says in the claim that was agreed upon; of anything else it says, none."""
        value = told.get(self._scope_claim, _inner(told, self._scope_claim))
        values = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
        # Another blank than a space is none to OAuth: what stands around it would be read as two scopes elsewhere.
        if isinstance(value, str) and value.split() != list(filter(None, values)):
            raise ValueError("scopes are separated by spaces")
        granted = [self._scopes.get(each, frozenset()) for each in values if isinstance(each, str)]
        return ALL_SCOPES.intersection(frozenset().union(*granted))


def _header(text: str) -> _Header:
    if len(text) > _LONGEST_HEADER:
        raise ValueError("the header is too long")
    told = parsed(base64url.decode(text))
    if not _REFUSED_PARAMETERS.isdisjoint(told):
        raise ValueError("the header says more than which key it is")
    return _Header.model_validate(told)


def _inner(told: object, path: str) -> object:
    """What stands at a dotted path: `realm_access.roles`."""
    for name in path.split("."):
        told = told.get(name) if isinstance(told, dict) else None
    return told
