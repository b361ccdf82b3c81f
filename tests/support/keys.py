"""Keys and tokens for tests, built without the code under test."""

import base64
import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from serve.auth.jwk_sets import key_pair, secret_key
from serve.auth.tokens import SigningKey, construct_key

Sign = Callable[[bytes], bytes]
SECRET = "kV7dQ2mXr9LzT4wBn8yHc5sJf3gPa6Ue"
ISSUER = "https://issuer.example"


@cache
def rsa_key(name: str = "ours", bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return a key pair, made once per process, which takes some tenths of a second."""
    return rsa.generate_private_key(65_537, bits)


@cache
def ec_key(name: str = "ours", curve: type[ec.EllipticCurve] = ec.SECP256R1) -> ec.EllipticCurvePrivateKey:
    """A key pair on a curve."""
    return ec.generate_private_key(curve())


def spelled(content: bytes) -> str:
    """Base64url without padding."""
    return base64.urlsafe_b64encode(content).rstrip(b"=").decode()


def segment(value: object) -> str:
    """Encode a JSON value as a part of a token; a text is not quoted."""
    return spelled(value.encode() if isinstance(value, str) else json.dumps(value, separators=(",", ":")).encode())


def signed(header: object, claims: object, sign: Sign) -> str:
    """A token."""
    body = f"{segment(header)}.{segment(claims)}"
    return f"{body}.{spelled(sign(body.encode()))}"


def hs256(secret: bytes) -> Sign:
    """HMAC under any bytes."""
    return lambda body: hmac.digest(secret, body, "sha256")


def rs256(key: rsa.RSAPrivateKey) -> Sign:
    """RSASSA-PKCS1-v1_5."""
    return lambda body: key.sign(body, padding.PKCS1v15(), hashes.SHA256())


def es256(key: ec.EllipticCurvePrivateKey) -> Sign:
    """ECDSA, with its two numbers concatenated."""

    def sign(body: bytes) -> bytes:
        r, s = decode_dss_signature(key.sign(body, ec.ECDSA(hashes.SHA256())))
        size = (key.key_size + 7) // 8
        return r.to_bytes(size, "big") + s.to_bytes(size, "big")

    return sign


def public_jwk(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey, **more: object) -> dict[str, object]:
    """The public half as an issuer publishes it."""
    if isinstance(key, rsa.RSAPrivateKey):
        numbers = key.public_key().public_numbers()
        return {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e), **more}
    point, size = key.public_key().public_numbers(), (key.key_size + 7) // 8
    return {"kty": "EC", "crv": "P-256", "x": _number(point.x, size), "y": _number(point.y, size), **more}


def _number(value: int, size: int = 0) -> str:
    return spelled(value.to_bytes(size or (value.bit_length() + 7) // 8, "big"))


def thumbprint(jwk: Mapping[str, object]) -> str:
    """RFC 7638, for a key with the required members only."""
    return spelled(hashlib.sha256(json.dumps(dict(sorted(jwk.items())), separators=(",", ":")).encode()).digest())


def own_keys() -> tuple[SigningKey, ...]:
    """Return the keys of the deployment under attack: ES256 signs, RS256 and HS256 verify."""
    pairs = (construct_key(ec_key(), "ES256"), construct_key(rsa_key(), "RS256"))
    return (*map(key_pair, pairs), secret_key(SECRET.encode()))


def published() -> dict[str, object]:
    """Return the keys of the issuer under attack: one of each kind, and one that signs no tokens."""
    return {
        "keys": [
            public_jwk(rsa_key("theirs"), kid="theirs-rsa", alg="RS256", use="sig"),
            public_jwk(ec_key("theirs"), kid="theirs-ec", use="sig"),
            public_jwk(rsa_key("sealed"), kid="sealed", alg="RSA-OAEP", use="enc"),
        ]
    }


@dataclass(frozen=True)
class Kind:
    """A kind of valid token: its contents and its signature."""

    name: str
    header: Mapping[str, object]
    claims: Mapping[str, object]
    sign: Sign
    pair: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None

    @property
    def is_outside(self) -> bool:
        """Return whether the OpenID Connect provider issues it."""
        return self.name.startswith("theirs")

    def token(self, header: Mapping[str, object] | None = None, claims: object = None, sign: Sign | None = None) -> str:
        """Return a token of this kind, with these members of the header and these claims changed."""
        content = {**self.claims, **claims} if isinstance(claims, dict) else self.claims if claims is None else claims
        return signed({**self.header, **(header or {})}, content, sign or self.sign)


def kinds(now: float | None = None) -> dict[str, Kind]:
    """Return all kinds of tokens that the deployment under attack accepts."""
    at = int(time.time() if now is None else now)
    times = {"iat": at, "nbf": at, "exp": at + 600}
    ours = {"iss": "sepal", "aud": "sepal", "sub": "ada", **times, "jti": uuid.uuid4().hex, "scope": "predict"}
    theirs = {"iss": ISSUER, "aud": ["sepal-api", "account"], "sub": "4f1c", **times, "scope": "openid predict"}
    curve, pair, secret = own_keys()
    all_kinds = [
        Kind("ours-hs", _own_header(secret), ours, hs256(SECRET.encode())),
        Kind("ours-es", _own_header(curve), ours, es256(ec_key()), ec_key()),
        Kind("ours-rs", _own_header(pair), ours, rs256(rsa_key()), rsa_key()),
        Kind("theirs-rs", {"alg": "RS256", "kid": "theirs-rsa"}, theirs, rs256(rsa_key("theirs")), rsa_key("theirs")),
        Kind(
            "theirs-es",
            {"alg": "ES256", "kid": "theirs-ec", "typ": "at+jwt"},
            theirs,
            es256(ec_key("theirs")),
            ec_key("theirs"),
        ),
    ]
    return {kind.name: kind for kind in all_kinds}


KINDS = ("ours-hs", "ours-es", "ours-rs", "theirs-rs", "theirs-es")


def _own_header(key: SigningKey) -> dict[str, object]:
    return {"alg": key.alg, "kid": key.kid, "typ": "at+jwt"}
