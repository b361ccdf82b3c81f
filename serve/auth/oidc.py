"""Verification of tokens that an OpenID Connect provider issues; it decides on names and scopes."""

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from pydantic import BaseModel, ConfigDict

from artifacts import base64url
from serve.auth.jwk_sets import OIDC_ALGORITHMS, thumbprint
from serve.auth.principals import ALL_PERMISSIONS, Permission, Principal, Verified
from serve.auth.tokens import LEEWAY_S, LONGEST, LONGEST_LIFE_S, Key, check_time, claims_of, parse_object
from serve.errors import InvalidInput, Unauthenticated

# No local user has a colon in the name, so an external name never equals a local one.
PREFIX = "oidc:"
LONGEST_SUBJECT = 255
_LONGEST_HEADER = 2048
_TYPES = frozenset({"at+jwt", "application/at+jwt", "jwt"})
# Parameters that would let a token choose how it is verified, or be something else than signed claims.
_REFUSED_PARAMETERS = frozenset({"crit", "jwk", "jku", "x5u", "x5c", "b64", "zip", "enc", "cty", "epk", "p2c", "p2s"})
# Claims of ID tokens and logout tokens, and of tokens bound to a key, which are no bearer tokens (RFC 9449, 7.1).
_REFUSED_CLAIMS = frozenset({"nonce", "at_hash", "c_hash", "s_hash", "events", "cnf"})


class _Header(BaseModel):
    model_config = ConfigDict(strict=True)

    alg: str
    kid: str = ""
    typ: str = "JWT"


class _Claims(BaseModel):
    """The checked claims of every token; others are allowed."""

    model_config = ConfigDict(strict=True)

    iss: str
    aud: str | list[str]
    sub: str
    exp: int
    iat: int | None = None
    nbf: int | None = None
    # Keycloak's claim for the kind of a token.
    typ: str = "Bearer"


class OidcVerifier:
    """Verifies the tokens of one issuer by its last fetched keys; until the first fetch every token is invalid."""

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        algorithms: Iterable[str] = OIDC_ALGORITHMS,
        scope_claim: str,
        scopes: Mapping[str, Iterable[Permission]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = issuer
        self._audience = audience
        self._algorithms = frozenset(algorithms)
        self._scope_claim = scope_claim
        mapping = {permission.value: [permission] for permission in Permission} if scopes is None else scopes
        self._scopes = {value: frozenset(granted) for value, granted in mapping.items()}
        self._clock = clock
        self._keys: Mapping[tuple[str, str], tuple[Key, str]] = MappingProxyType({})

    def replace_keys(self, keys: Mapping[tuple[str, str], Key]) -> frozenset[str]:
        """Verify with these keys from now on; return the ids of the removed keys, as in `Verified.ids`."""
        before = self._keys
        self._keys = MappingProxyType({name: (key, PREFIX + thumbprint(key)) for name, key in keys.items()})
        return frozenset(id_ for _, id_ in before.values()) - frozenset(id_ for _, id_ in self._keys.values())

    def verify(self, token: str) -> Verified:
        """
        Verify a token of the issuer.

        Raises:
            Unauthenticated: The token is invalid.
        """
        if len(token) > LONGEST:
            raise Unauthenticated("too long")
        try:
            key, key_id = self._key(_header(token.partition(".")[0]))
        except (ValueError, KeyError, InvalidInput) as error:
            raise Unauthenticated("unknown key") from error
        verified = claims_of(token, key)
        try:
            claims = _Claims.model_validate(verified)
            since, until = self._lifetime(claims)
            granted = self._granted(verified)
        except (ValueError, OverflowError) as error:
            raise Unauthenticated("invalid claims") from error
        self._check(claims, verified)
        check_time(since, until, self._clock())
        principal = Principal(PREFIX + claims.sub, granted)
        own = PREFIX + hashlib.sha256(token.encode()).hexdigest()[:40]
        return Verified(principal, since, until, frozenset({key_id, own}), own)

    def _key(self, header: _Header) -> tuple[Key, str]:
        """Return the key that a header names, and its id; a token may name none where the issuer has only one key."""
        if header.alg not in self._algorithms or header.typ.lower() not in _TYPES:
            raise ValueError("not an access token of an accepted algorithm")
        if not header.kid and len(self._keys) == 1:
            [(_, only)] = self._keys
            return self._keys[header.alg, only]
        return self._keys[header.alg, header.kid]

    def _lifetime(self, claims: _Claims) -> tuple[float, float]:
        begins = [time for time in (claims.iat, claims.nbf) if time is not None]
        if claims.exp - min(begins, default=self._clock()) > LONGEST_LIFE_S:
            raise ValueError("lifetime too long")
        return max(begins, default=0) - LEEWAY_S, claims.exp + LEEWAY_S

    def _check(self, claims: _Claims, verified: Mapping[str, object]) -> None:
        if claims.iss != self._issuer:
            raise Unauthenticated("other issuer")
        if self._audience not in ([claims.aud] if isinstance(claims.aud, str) else claims.aud):
            raise Unauthenticated("other audience")
        is_access = claims.typ.lower() in {"bearer", *_TYPES} and _REFUSED_CLAIMS.isdisjoint(verified)
        # OpenID Connect Core, 2: at most 255 characters of ASCII; a longer name could be cut to another one in a log.
        is_named = claims.sub.isascii() and claims.sub.isprintable() and 0 < len(claims.sub) <= LONGEST_SUBJECT
        if not is_access:
            raise Unauthenticated("not an access token")
        if not is_named:
            raise Unauthenticated("invalid claims")

    def _granted(self, claims: Mapping[str, object]) -> frozenset[Permission]:
        """Return the permissions for the values of the configured claim; no other value or claim grants anything."""
        value = claims.get(self._scope_claim, _nested(claims, self._scope_claim))
        values = value.split(" ") if isinstance(value, str) else value if isinstance(value, list) else []
        # OAuth separates scopes by spaces only; another program would read other white space as part of a scope.
        if isinstance(value, str) and value.split() != list(filter(None, values)):
            raise ValueError("scopes are separated by spaces")
        granted = [self._scopes.get(each, frozenset()) for each in values if isinstance(each, str)]
        return ALL_PERMISSIONS.intersection(frozenset().union(*granted))


def _header(text: str) -> _Header:
    if len(text) > _LONGEST_HEADER:
        raise ValueError("the header is too long")
    parsed = parse_object(base64url.decode(text))
    if not _REFUSED_PARAMETERS.isdisjoint(parsed):
        raise ValueError("the header has a parameter that is not accepted")
    return _Header.model_validate(parsed)


def _nested(value: object, path: str) -> object:
    """Return the value at a dotted path such as `realm_access.roles`."""
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value
