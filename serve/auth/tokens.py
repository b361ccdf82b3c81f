"""Access tokens, signed and verified by python-jose, which only this module knows."""

import json
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from jose import jwk
from jose.backends.base import Key
from jose.exceptions import JOSEError
from pydantic import BaseModel, ConfigDict, Field

from artifacts import base64url
from serve.auth.principals import ALL_PERMISSIONS, Permission, Principal, Verified, scope_of
from serve.errors import InvalidInput, Unauthenticated
from serve.http import json_body

__all__ = [
    "Issued",
    "Key",
    "KeySet",
    "SigningKey",
    "Tokens",
    "check_time",
    "claims_of",
    "construct_key",
    "parse_object",
]

ISSUER = "sepal"
TYPE = "at+jwt"
LONGEST = 8 * 2**10
LEEWAY_S = 30
LONGEST_LIFE_S = 24 * 3600
_MAX_DEPTH = 16
_MAX_LISTS = 64
# RFC 6749, section 3.3: scopes are separated by exactly one space, and by no other white space.
_SCOPES = r"^([!#-\[\]-~]+( [!#-\[\]-~]+)*)?$"


@dataclass(frozen=True, slots=True)
class Issued:
    """A token as OAuth 2 hands it out."""

    token: str
    expires_in_s: int
    permissions: frozenset[Permission]


class _Claims(BaseModel):
    """The claims of a token of this deployment: all are required, no others are allowed, each has its type."""

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


@dataclass(frozen=True)
class SigningKey:
    """A key of this deployment, with the one header that its tokens have."""

    kid: str
    private: Key = field(repr=False)

    @cached_property
    def alg(self) -> str:
        """The one algorithm of this key."""
        return str(self.private.to_dict()["alg"])

    @cached_property
    def public(self) -> Key:
        """The key that verifies: the public half of a pair, or the secret."""
        return self.private if self.alg == "HS256" else self.private.public_key()

    @cached_property
    def header(self) -> str:
        """The encoded header of every token that this key signs."""
        header = {"alg": self.alg, "kid": self.kid, "typ": TYPE}
        return base64url.encode(json.dumps(header, separators=(",", ":")).encode())


class KeySet:
    """The signing keys at one moment: the first signs, and each verifies the tokens that have exactly its header."""

    def __init__(self, keys: Sequence[SigningKey]) -> None:
        if not keys:
            raise ValueError("there is no key to sign tokens with; set SEPAL_SECRET_KEY or SEPAL_TOKEN_KEYS")
        self.signing = keys[0]
        self.by_header = {key.header: key for key in keys}
        self.ids = frozenset(_id(key) for key in keys)
        self.public = {
            "keys": [{**key.public.to_dict(), "kid": key.kid, "use": "sig"} for key in keys if key.alg != "HS256"]
        }


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
        self._keys = KeySet(keys)
        self._issuer = issuer
        self._audience = audience
        self._ttl_s = ttl_s
        self._clock = clock

    def replace_keys(self, keys: Sequence[SigningKey]) -> frozenset[str]:
        """
        Sign and verify with these keys from now on; return the ids of the removed keys, as in `Verified.ids`.

        Raises:
            ValueError: There is no key; the former keys stay.
        """
        before, self._keys = self._keys, KeySet(keys)
        return before.ids - self._keys.ids

    @property
    def public_keys(self) -> Mapping[str, object]:
        """The set of public keys that others verify tokens with (RFC 7517); empty where a secret signs."""
        return self._keys.public

    def are_ours(self, token: str) -> bool:
        """Return whether a token has a header of this deployment; it may be invalid all the same."""
        return token.partition(".")[0] in self._keys.by_header

    def issue(
        self, subject: str, permissions: Iterable[Permission], *, session: str = "", ttl_s: int | None = None
    ) -> Issued:
        """Issue a token to an authenticated subject; `session` is the id of their login."""
        now, ttl_s, granted = int(self._clock()), ttl_s or self._ttl_s, frozenset(permissions)
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": subject,
            "iat": now,
            "nbf": now,
            "exp": now + ttl_s,
            "jti": uuid.uuid4().hex,
            "scope": scope_of(granted),
            **({"sid": session} if session else {}),
        }
        key = self._keys.signing
        signed = f"{key.header}.{base64url.encode(json.dumps(claims, separators=(',', ':')).encode())}"
        return Issued(f"{signed}.{base64url.encode(key.private.sign(signed.encode()))}", ttl_s, granted)

    def verify(self, token: str) -> Verified:
        """
        Verify a token of this deployment.

        Raises:
            Unauthenticated: The token is invalid.
        """
        if len(token) > LONGEST:
            raise Unauthenticated("too long")
        # The header must equal one of ours letter for letter; any other header is not even parsed.
        key = self._keys.by_header.get(token.partition(".")[0])
        if key is None:
            raise Unauthenticated("unknown key")
        # First the signature, then the type of every claim, then its value.
        verified = claims_of(token, key.public)
        try:
            claims = _Claims.model_validate(verified)
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
        permissions = frozenset(Permission(name) for name in claims.scope.split(" ") if name in ALL_PERMISSIONS)
        ids = frozenset({claims.jti, claims.sid} - {""}) | {_id(key)}
        return Verified(Principal(claims.sub, permissions, claims.sid), since, until, ids, claims.jti)


def claims_of(token: str, key: Key) -> Mapping[str, object]:
    """
    Verify the signature of a token and return its claims.

    Only the signature is left to python-jose, with a key of one type and one algorithm: its parser of tokens accepts
    any base64 and any `crit`, and guesses the type of a key.

    Raises:
        Unauthenticated: The signature is not by this key, or the signed text is not a JSON object.
    """
    signed, _, signature = token.rpartition(".")
    try:
        is_valid = key.verify(signed.encode("ascii"), base64url.decode(signature))
        content = base64url.decode(signed.partition(".")[2])
    except ValueError as error:
        raise Unauthenticated("invalid signature") from error
    if not is_valid:
        raise Unauthenticated("invalid signature")
    try:
        return parse_object(content)
    except (ValueError, InvalidInput) as error:
        raise Unauthenticated("invalid claims") from error


def check_time(since: float, until: float, now: float) -> None:
    """
    Compare the current time with the validity of a token.

    Raises:
        Unauthenticated: The token has expired, or is not valid yet.
    """
    if now >= until:
        raise Unauthenticated("expired")
    if now < since:
        raise Unauthenticated("not valid yet")


def parse_object(content: bytes) -> Mapping[str, object]:
    """
    Parse a JSON object of a token.

    Raises:
        InvalidInput: It is not JSON, is nested too deeply, or has a key twice.
        ValueError: It is not an object.
    """
    parsed = json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=_MAX_LISTS)
    if not isinstance(parsed, dict):
        raise ValueError("not an object")  # noqa: TRY004  # of the text, not of an argument
    return parsed


def construct_key(material: object, alg: str) -> Key:
    """
    Construct a key that signs or verifies with this algorithm and no other.

    Args:
        material: The bytes of a secret, a key of the cryptography package, or the checked members of a JWK.
        alg: The algorithm.

    Raises:
        ValueError: The secret looks like a public key, or the members do not make a key.
    """
    # The stubs of python-jose do not know the key types of the cryptography package.
    untyped: Any = material
    try:
        return jwk.construct(untyped, alg)
    except JOSEError as error:
        raise ValueError(str(error)) from error


def _id(key: SigningKey) -> str:
    return f"kid:{key.kid}"
