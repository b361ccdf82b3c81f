"""The keys of a file of ours: read strictly, or not at all."""

from typing import Annotated, Literal

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateNumbers
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers, RSAPublicNumbers
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve.auth import base64url
from serve.auth.jwks import (
    MOST_KEYS,
    SECRET_BYTES,
    SigningKey,
    asymmetric_key,
    check_rsa,
    number,
    parsed,
    point,
    secret_key,
)


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, hide_input_in_errors=True)

    kid: str
    use: Literal["sig"] = "sig"


class _Oct(_Part):
    kty: Literal["oct"]
    alg: Literal["HS256"]
    k: str


class _Ec(_Part):
    kty: Literal["EC"]
    alg: Literal["ES256"]
    crv: Literal["P-256"]
    x: str
    y: str
    d: str


class _Rsa(_Part):
    kty: Literal["RSA"]
    alg: Literal["RS256"]
    n: str
    e: str
    d: str
    p: str
    q: str
    dp: str
    dq: str
    qi: str


class _Private(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", hide_input_in_errors=True)

    keys: list[Annotated[_Oct | _Ec | _Rsa, Field(discriminator="kty")]] = Field(min_length=1, max_length=MOST_KEYS)


def read_private(content: bytes) -> tuple[SigningKey, ...]:
    """
    The keys of a file of ours, the one that signs first.

    Raises:
        ValueError: One of them is not what it must be; the message holds nothing of any.
    """
    try:
        found = _Private.model_validate(parsed(content)).keys
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where or 'the set'}: {first['msg']}") from None
    keys = tuple(_own(entry, f"keys.{place}") for place, entry in enumerate(found))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("a key is there twice")
    return keys


def _own(entry: _Oct | _Ec | _Rsa, where: str) -> SigningKey:
    try:
        key = secret_key(_long_enough(base64url.decode(entry.k))) if isinstance(entry, _Oct) else _pair(entry)
    except ValueError as error:
        # Neither what is inside nor what the library says of it belongs into a log.
        reason = str(error) if str(error).startswith("at least") else "its parts do not make a key"
        raise ValueError(f"{where}: {reason}") from None
    if key.kid != entry.kid:
        raise ValueError(f"{where}: kid is not the one that follows from the key")
    return key


def _long_enough(secret: bytes) -> bytes:
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"at least {SECRET_BYTES} bytes are needed")
    return secret


def _pair(entry: _Ec | _Rsa) -> SigningKey:
    if isinstance(entry, _Ec):
        numbers = EllipticCurvePrivateNumbers(number(entry.d), point(entry.x, entry.y))
        return asymmetric_key(numbers.private_key())
    public = RSAPublicNumbers(number(entry.e), number(entry.n))
    check_rsa(public)
    p, q, d, dp, dq, qi = map(number, (entry.p, entry.q, entry.d, entry.dp, entry.dq, entry.qi))
    return asymmetric_key(RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key())
