"""Keys as JSON writes them (RFC 7517), and what any key must be."""

import hashlib
import hmac
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from cryptography.hazmat.primitives.asymmetric.ec import (
    SECP256R1,
    EllipticCurvePrivateKey,
    EllipticCurvePublicKey,
    EllipticCurvePublicNumbers,
)
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey, RSAPublicNumbers

from serve.auth import base64url
from serve.errors import InvalidInput
from serve.http import json_body

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


def parsed(content: bytes) -> object:
    """
    A document with keys in it.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=MOST_KEYS)
    except InvalidInput:
        raise ValueError("it is not JSON, or has a key twice") from None


def check_rsa(public: RSAPublicNumbers) -> None:
    """
    Hold an RSA key against what is asked of one.

    Raises:
        ValueError: It is too short, too long, or has a small exponent.
    """
    if not RSA_BITS <= public.n.bit_length() <= MOST_RSA_BITS:
        raise ValueError(f"at least {RSA_BITS} bits are needed, and at most {MOST_RSA_BITS}")
    if public.e < LEAST_EXPONENT or public.e.bit_length() > 256:
        raise ValueError(f"at least {LEAST_EXPONENT} is needed as the exponent")


def number(text: str) -> int:
    """An integer, as keys have them."""
    return int.from_bytes(base64url.decode(text), "big")


def point(x: str, y: str) -> EllipticCurvePublicNumbers:
    """
    A point of P-256.

    Raises:
        ValueError: A coordinate is too short or too long.
    """
    if len(base64url.decode(x)) != _EC_BYTES or len(base64url.decode(y)) != _EC_BYTES:
        raise ValueError(f"a coordinate has {_EC_BYTES} bytes")
    return EllipticCurvePublicNumbers(number(x), number(y), SECP256R1())


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
