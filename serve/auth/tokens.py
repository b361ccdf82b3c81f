"""Access tokens: signed and verified by python-jose, which only this file knows."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JOSEError
from pydantic import BaseModel, ConfigDict, Field

from serve.auth import base64url
from serve.auth.jwks import PrivateKey, PublicKey, SigningKey, public_set
from serve.auth.principals import Principal, Verified
from serve.auth.users import ALL_SCOPES, Scope
from serve.errors import InvalidInput, Unauthenticated
from serve.http import json_body

ISSUER = "sepal"
TYPE = "at+jwt"
LONGEST = 8 * 2**10
LEEWAY_S = 30
LONGEST_LIFE_S = 24 * 3600
_MAX_DEPTH = 16
_MAX_LISTS = 64
# RFC 6749, section 3.3: scopes are separated by one space each, and by nothing else that looks like one.
_SCOPES = r"^([!#-\[\]-~]+( [!#-\[\]-~]+)*)?$"


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
    sub: str = Field(min_length=1)
    iat: int
    nbf: int
    exp: int
    jti: str
    scope: str = Field(pattern=_SCOPES)
    sid: str = ""


@dataclass(frozen=True, slots=True)
class _Pen:
    """One key in the hands of python-jose, and the one header that its tokens have."""

    kid: str
    head: str
    private: Key = field(repr=False)
    public: Key = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Ring:
    """All keys of one moment: the first signs, each verifies what bears its header, letter for letter."""

    pen: _Pen
    pens: Mapping[str, _Pen]
    public: Mapping[str, object]


class Tokens:
    """Issues and verifies the tokens of one deployment."""

    def __init__(
        self,
        keys: Sequence[SigningKey],
        *,
        issuer: str = ISSUER,
        audience: str,
        ttl_s: int,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ring = _ring(keys)
        self._issuer = issuer
        self._audience = audience
        self._ttl_s = ttl_s
        self._clock = clock

    def take(self, keys: Sequence[SigningKey]) -> frozenset[str]:
        """
        Sign and verify with these keys from now on; back come the ids of those that are gone, as `Verified` has them.

        Raises:
            ValueError: There is none, or one that cannot sign; all stays as it was.
        """
        before, self._ring = self._ring, _ring(keys)
        kept = {pen.kid for pen in self._ring.pens.values()}
        return frozenset(_id(pen.kid) for pen in before.pens.values() if pen.kid not in kept)

    @property
    def public_keys(self) -> Mapping[str, object]:
        """What others need to verify our tokens: a set of public keys (RFC 7517), empty where secrets sign."""
        return self._ring.public

    def are_ours(self, token: str) -> bool:
        """Whether a token looks like one of this deployment; whether it counts is another question."""
        return token.partition(".")[0] in self._ring.pens

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
        pen = self._ring.pen
        signed = f"{pen.head}.{base64url.encode(json.dumps(claims, separators=(',', ':')).encode())}"
        return Issued(f"{signed}.{base64url.encode(pen.private.sign(signed.encode()))}", ttl_s, granted)

    def verify(self, token: str) -> Verified:
        """
        What a token says.

        Raises:
            Unauthenticated: It is not valid.
        """
        if len(token) > LONGEST:
            raise Unauthenticated("too long")
        # Our header, letter for letter: another one is not even parsed, whatever it asks for.
        pen = self._ring.pens.get(token.partition(".")[0])
        if pen is None:
            raise Unauthenticated("unknown key")
        # The signature first, then every claim's type, then its value.
        told = claims_of(token, pen.public)
        try:
            claims = _Claims.model_validate(told)
        except ValueError as error:
            raise Unauthenticated("invalid claims") from error
        if claims.iss != self._issuer:
            raise Unauthenticated("other issuer")
        if claims.aud != self._audience:
            raise Unauthenticated("other audience")
        if claims.exp - claims.iat > LONGEST_LIFE_S:
            raise Unauthenticated("lifetime too long")
        since, until = max(claims.iat, claims.nbf) - LEEWAY_S, claims.exp + LEEWAY_S
        check_time(since, until, self._clock())
        scopes = frozenset(Scope(scope) for scope in claims.scope.split(" ") if scope in ALL_SCOPES)
        ids = frozenset({claims.jti, claims.sid} - {""}) | {_id(pen.kid)}
        return Verified(Principal(claims.sub, scopes, claims.sid), since, until, ids, claims.jti)


def claims_of(token: str, key: Key) -> Mapping[str, object]:
    """
    The claims of a token, each of them once.

    Raises:
        Unauthenticated: This key has not signed it, or what it has signed are no claims.
    """
    try:
        content = proven(token, key)
    except ValueError as error:
        raise Unauthenticated("invalid signature") from error
    try:
        return parsed(content)
    except (ValueError, InvalidInput) as error:
        raise Unauthenticated("invalid claims") from error


def check_time(since: float, until: float, now: float) -> None:
    """
    Compare the time with that of a token.

    Raises:
        Unauthenticated: It has expired, or is not valid yet.
    """
    if now >= until:
        raise Unauthenticated("expired")
    if now < since:
        raise Unauthenticated("not valid yet")


def parsed(content: bytes) -> Mapping[str, object]:
    """
    A JSON object of a token: not too deep, and no key twice.

    Raises:
        InvalidInput: It is no JSON, or not such.
        ValueError: It is no object.
    """
    told = json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=_MAX_LISTS)
    if not isinstance(told, dict):
        raise ValueError("not an object")  # noqa: TRY004  # of the text, not of an argument
    return told


def proven(token: str, key: Key) -> bytes:
    """
    The claims of a token, as they were signed.

    Of python-jose only the signature is asked, with a key that has its type and its one algorithm: its reader of
    tokens takes any base64, any `crit`, and guesses what a key is.

    Raises:
        ValueError: This key has not signed it.
    """
    signed, _, signature = token.rpartition(".")
    if not key.verify(signed.encode("ascii"), base64url.decode(signature)):
        raise ValueError("the signature is another's")
    return base64url.decode(signed.partition(".")[2])


def keyed(alg: str, material: PublicKey | PrivateKey) -> Key:
    """
    A key that can be asked for this algorithm, and for no other.

    Raises:
        ValueError: It is a secret that looks like a public key.
    """
    # Keys of the cryptography package, which the stubs do not know of, leave nothing to be guessed.
    typed: Any = material
    try:
        return jwk.construct(typed, alg)
    except JOSEError as error:
        raise ValueError(str(error)) from error


def _ring(keys: Sequence[SigningKey]) -> _Ring:
    pens = [_pen(key) for key in keys]
    if not pens:
        raise ValueError("there is no key to sign tokens with")
    return _Ring(pens[0], MappingProxyType({pen.head: pen for pen in pens}), public_set(keys))


def _pen(key: SigningKey) -> _Pen:
    header = json.dumps({"alg": key.alg, "kid": key.kid, "typ": TYPE}, separators=(",", ":"))
    private = key.private
    public = private if isinstance(private, bytes) else private.public_key()
    return _Pen(key.kid, base64url.encode(header.encode()), keyed(key.alg, private), keyed(key.alg, public))


def _id(kid: str) -> str:
    return f"kid:{kid}"
