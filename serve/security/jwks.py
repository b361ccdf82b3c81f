"""Keys as JSON writes them (RFC 7517): read strictly, or not at all."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal, TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePrivateNumbers,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicKey,
    RSAPublicNumbers,
)
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from serve import document
from serve.errors import InvalidInput
from serve.security import base64url

PrivateKey: TypeAlias = bytes | RSAPrivateKey | EllipticCurvePrivateKey
PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey

SECRET_BYTES = 32
RSA_BITS = 2048
# A signature under a larger key takes longer to verify than anybody should be made to.
MOST_RSA_BITS = 8192
# NIST SP 800-56B, 6.2: public exponents are odd, and larger than 2^16.
LEAST_EXPONENT = 65_537
MOST_KEYS = 64
_EC_BYTES = 32
_MAX_DEPTH = 6


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key of ours; of an asymmetric one, `kid` is the thumbprint of RFC 7638."""

    kid: str
    alg: str
    private: PrivateKey = field(repr=False)


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


class _Public(BaseModel):
    """A set of somebody else's: what is not understood in it is passed over, as RFC 7517 wants."""

    keys: list[dict[str, object]] = Field(max_length=MOST_KEYS)


def secret_key(secret: bytes) -> SigningKey:
    """
    The key that a secret is; its id is made of it and tells nothing of it.

    Raises:
        ValueError: It is empty.
    """
    if not secret:
        raise ValueError("a token cannot be signed with an empty secret")
    mark = hmac.digest(secret, b"sepal: the id of a key that signs tokens", "sha256")
    return SigningKey(base64url.encode(mark), "HS256", secret)


def asymmetric_key(private: RSAPrivateKey | EllipticCurvePrivateKey) -> SigningKey:
    """A key pair, under its thumbprint."""
    alg = "RS256" if isinstance(private, RSAPrivateKey) else "ES256"
    return SigningKey(thumbprint(private.public_key()), alg, private)


def thumbprint(public: PublicKey) -> str:
    """What a public key is called (RFC 7638)."""
    members = json.dumps(_members(public), separators=(",", ":"), sort_keys=True)
    return base64url.encode(hashlib.sha256(members.encode()).digest())


def public_set(keys: Iterable[SigningKey]) -> dict[str, object]:
    """What everybody may know of these keys: the public halves of pairs, and of secrets nothing."""
    return {
        "keys": [
            {**_members(key.private.public_key()), "kid": key.kid, "alg": key.alg, "use": "sig"}
            for key in keys
            if not isinstance(key.private, bytes)
        ]
    }


def private_set(keys: Iterable[SigningKey]) -> dict[str, object]:
    """These keys as a file keeps them."""
    return {"keys": [{**_secret_members(key.private), "kid": key.kid, "alg": key.alg} for key in keys]}


def read_private(content: bytes) -> tuple[SigningKey, ...]:
    """
    The keys of a file of ours, the one that signs first.

    Raises:
        ValueError: One of them is not what it must be; the message holds nothing of any.
    """
    try:
        found = _Private.model_validate(_parsed(content)).keys
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False, include_input=False, include_context=False)
        where = ".".join(str(part) for part in first["loc"])
        raise ValueError(f"{where or 'the set'}: {first['msg']}") from None
    keys = tuple(_own(entry, f"keys.{place}") for place, entry in enumerate(found))
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("a key is there twice")
    return keys


def read_public(content: bytes, algorithms: Iterable[str]) -> Mapping[tuple[str, str], PublicKey]:
    """
    The keys of an issuer that can verify a signature of these algorithms, by algorithm and id ("" where it has none).

    Whatever else is there is passed over: keys to encrypt with, other curves, short ones, and every secret, since a
    secret that can be looked up is none. Two of one name are passed over both: which of them is meant nobody knows.

    Raises:
        ValueError: It is not a set of keys, or none of them can be used.
    """
    try:
        entries = _Public.model_validate(_parsed(content)).keys
    except ValidationError:
        raise ValueError("it is not a set of keys (RFC 7517)") from None
    found: dict[tuple[str, str], list[PublicKey]] = {}
    for entry in entries:
        kid, key = entry.get("kid", ""), _theirs(entry)
        if key is not None and isinstance(kid, str):
            alg = "RS256" if isinstance(key, RSAPublicKey) else "ES256"
            found.setdefault((alg, kid), []).append(key)
    usable = {name: keys[0] for name, keys in found.items() if name[0] in algorithms and len(keys) == 1}
    if not usable:
        raise ValueError("no key of the set can be used")
    return usable


def _parsed(content: bytes) -> object:
    try:
        return document.parse(content, max_depth=_MAX_DEPTH, max_rows=MOST_KEYS)
    except InvalidInput:
        raise ValueError("it is not JSON, or has a key twice") from None


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
        point = _point(entry.x, entry.y)
        return asymmetric_key(EllipticCurvePrivateNumbers(_number(entry.d), point).private_key())
    public = RSAPublicNumbers(_number(entry.e), _number(entry.n))
    _check_rsa(public)
    p, q, d, dp, dq, qi = map(_number, (entry.p, entry.q, entry.d, entry.dp, entry.dq, entry.qi))
    return asymmetric_key(RSAPrivateNumbers(p, q, d, dp, dq, qi, public).private_key())


def _theirs(entry: Mapping[str, object]) -> PublicKey | None:
    """A key of an issuer, None if it is not for us."""
    uses = entry.get("key_ops", ["verify"])
    is_for_signatures = entry.get("use", "sig") == "sig" and isinstance(uses, list) and "verify" in uses
    # Whoever publishes the private half has no secret any more.
    if not is_for_signatures or "d" in entry:
        return None
    kind = entry.get("kty"), entry.get("alg", {"EC": "ES256", "RSA": "RS256"}.get(str(entry.get("kty"))))
    try:
        if kind == ("EC", "ES256") and entry.get("crv") == "P-256":
            return _point(*_texts(entry, "x", "y")).public_key()
        if kind == ("RSA", "RS256"):
            n, e = _texts(entry, "n", "e")
            public = RSAPublicNumbers(_number(e), _number(n))
            _check_rsa(public)
            return public.public_key()
    except ValueError:
        return None
    return None


def _texts(entry: Mapping[str, object], *names: str) -> Sequence[str]:
    found = [entry.get(name) for name in names]
    if not all(isinstance(value, str) for value in found):
        raise ValueError("a part is missing")
    return [str(value) for value in found]


def _check_rsa(public: RSAPublicNumbers) -> None:
    if not RSA_BITS <= public.n.bit_length() <= MOST_RSA_BITS:
        raise ValueError(f"at least {RSA_BITS} bits are needed, and at most {MOST_RSA_BITS}")
    if public.e < LEAST_EXPONENT or public.e.bit_length() > 256:
        raise ValueError(f"at least {LEAST_EXPONENT} is needed as the exponent")


def _number(text: str) -> int:
    return int.from_bytes(base64url.decode(text), "big")


def _point(x: str, y: str) -> EllipticCurvePublicNumbers:
    if len(base64url.decode(x)) != _EC_BYTES or len(base64url.decode(y)) != _EC_BYTES:
        raise ValueError(f"a coordinate has {_EC_BYTES} bytes")
    return EllipticCurvePublicNumbers(_number(x), _number(y), SECP256R1())


def _members(public: PublicKey) -> dict[str, str]:
    """What makes a public key, and nothing else."""
    if isinstance(public, RSAPublicKey):
        numbers = public.public_numbers()
        return {"kty": "RSA", "n": _text(numbers.n), "e": _text(numbers.e)}
    point = public.public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": _text(point.x, _EC_BYTES), "y": _text(point.y, _EC_BYTES)}


def _secret_members(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, bytes):
        return {"kty": "oct", "k": base64url.encode(private)}
    members = _members(private.public_key())
    if not isinstance(private, RSAPrivateKey):
        return {**members, "d": _text(private.private_numbers().private_value, _EC_BYTES)}
    numbers = private.private_numbers()
    parts = {"d": numbers.d, "p": numbers.p, "q": numbers.q}
    parts |= {"dp": numbers.dmp1, "dq": numbers.dmq1, "qi": numbers.iqmp}
    return {**members, **{name: _text(part) for name, part in parts.items()}}


def _text(number: int, size: int = 0) -> str:
    return base64url.encode(number.to_bytes(size or (number.bit_length() + 7) // 8, "big"))
