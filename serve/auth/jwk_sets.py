"""Sets of keys as JSON (RFC 7517): the signing keys in a file, and the public keys of an OpenID Connect provider."""

import hashlib
import hmac
import json
from collections.abc import Iterable, Mapping

from artifacts import base64url
from serve.auth.tokens import Key, SigningKey, construct_key
from serve.errors import InvalidInput
from serve.http import json_body

SECRET_BYTES = 32
RSA_BITS = 2048
# To verify a signature by a larger key takes too long.
MOST_RSA_BITS = 8192
# NIST SP 800-56B, 6.2: public exponents are odd, and larger than 2^16.
LEAST_EXPONENT = 65_537
MOST_EXPONENT_BITS = 256
MOST_KEYS = 64
_EC_BYTES = 32
_MAX_DEPTH = 6

# The algorithms of tokens of an OpenID Connect provider: a published secret (HS256) protects nothing.
OIDC_ALGORITHMS = ("ES256", "RS256")
_ALGORITHMS = {"EC": "ES256", "RSA": "RS256", "oct": "HS256"}
_PUBLIC = {"EC": ("crv", "x", "y"), "RSA": ("e", "n")}
_PRIVATE = {"EC": (*_PUBLIC["EC"], "d"), "RSA": (*_PUBLIC["RSA"], "d", "p", "q", "dp", "dq", "qi"), "oct": ("k",)}


def secret_key(secret: bytes) -> SigningKey:
    """
    Make a signing key of a secret; its id is derived from the secret and reveals nothing of it.

    Raises:
        ValueError: The secret is empty, or looks like a public key.
    """
    if not secret:
        raise ValueError("a token cannot be signed with an empty secret")
    digest = hmac.digest(secret, b"sepal: the id of a key that signs tokens", "sha256")
    return SigningKey(base64url.encode(digest), construct_key(secret, "HS256"))


def key_pair(private: Key) -> SigningKey:
    """Make a signing key of a private key; its id is its thumbprint (RFC 7638)."""
    return SigningKey(thumbprint(private), private)


def thumbprint(key: Key) -> str:
    """Return the thumbprint of a public key, or of the public half of a private one (RFC 7638)."""
    members = key.to_dict()
    public = {name: members[name] for name in sorted(("kty", *_PUBLIC[members["kty"]]))}
    return base64url.encode(hashlib.sha256(json.dumps(public, separators=(",", ":")).encode()).digest())


def private_set(keys: Iterable[SigningKey]) -> dict[str, object]:
    """Return signing keys as their file stores them."""
    return {"keys": [{**key.private.to_dict(), "kid": key.kid} for key in keys]}


def read_private_set(content: bytes) -> tuple[SigningKey, ...]:
    """
    Read the signing keys of a file, strictly; the first one signs.

    Raises:
        ValueError: A key is invalid; the message contains no part of any key.
    """
    keys: tuple[SigningKey, ...] = ()
    for place, entry in enumerate(_entries(content)):
        try:
            keys = (*keys, _signing_key(entry))
        except ValueError as error:
            raise ValueError(f"keys.{place}: {error}") from None
    if not keys:
        raise ValueError("the set has no keys")
    if len({key.kid for key in keys}) < len(keys):
        raise ValueError("the set has the same key twice")
    return keys


def read_public_set(content: bytes, algorithms: Iterable[str]) -> Mapping[tuple[str, str], Key]:
    """
    Read the keys of an issuer that can verify signatures with these algorithms, by algorithm and id ("" without one).

    All others are skipped, as RFC 7517 demands: encryption keys, other curves, short keys, and every secret, since a
    published secret protects nothing. Two keys with the same id are both skipped: a token cannot say which it means.

    Raises:
        ValueError: The content is not a set of keys, or no key is usable.
    """
    found: dict[tuple[str, str], list[Key]] = {}
    for entry in _entries(content):
        kid, key = entry.get("kid", ""), _public_key(entry)
        if key is not None and isinstance(kid, str):
            found.setdefault((key.to_dict()["alg"], kid), []).append(key)
    usable = {name: keys[0] for name, keys in found.items() if name[0] in algorithms and len(keys) == 1}
    if not usable:
        raise ValueError("the set has no key that can be used")
    return usable


def _entries(content: bytes) -> list[dict[str, object]]:
    try:
        parsed = json_body.parse(content, max_depth=_MAX_DEPTH, max_rows=MOST_KEYS)
    except InvalidInput:
        raise ValueError("the set is not JSON, or has a member twice") from None
    entries = parsed.get("keys") if isinstance(parsed, dict) else None
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise ValueError("not a set of keys (RFC 7517)")
    if len(entries) > MOST_KEYS:
        raise ValueError(f"the set has more than {MOST_KEYS} keys")
    return entries


def _signing_key(entry: Mapping[str, object]) -> SigningKey:
    kty = str(entry.get("kty"))
    names = _PRIVATE.get(kty, ())
    if entry.keys() - {"use"} != {"kty", "alg", "kid", *names}:
        raise ValueError("expected a key with exactly the members of RFC 7518 and a kid")
    if entry["alg"] != _ALGORITHMS.get(kty) or entry.get("use", "sig") != "sig":
        raise ValueError("expected a signing key for ES256, RS256 or HS256")
    key = _secret(entry) if kty == "oct" else key_pair(_asymmetric_key(entry, kty, names))
    if key.kid != entry["kid"]:
        raise ValueError("kid is not the id that is derived from the key")
    return key


def _secret(entry: Mapping[str, object]) -> SigningKey:
    secret = _decoded(entry, "k")
    if len(secret) < SECRET_BYTES:
        raise ValueError(f"a secret needs at least {SECRET_BYTES} bytes")
    return secret_key(secret)


def _public_key(entry: Mapping[str, object]) -> Key | None:
    """Return the key of an issuer's entry; None if it cannot verify tokens."""
    kty, operations = str(entry.get("kty")), entry.get("key_ops", ["verify"])
    is_for_signatures = entry.get("use", "sig") == "sig" and isinstance(operations, list) and "verify" in operations
    # A private key that was published is no longer a secret.
    if (
        not is_for_signatures
        or "d" in entry
        or kty not in _PUBLIC
        or entry.get("alg", _ALGORITHMS[kty]) != _ALGORITHMS[kty]
    ):
        return None
    try:
        return _asymmetric_key(entry, kty, _PUBLIC[kty])
    except ValueError:
        return None


def _asymmetric_key(entry: Mapping[str, object], kty: str, names: Iterable[str]) -> Key:
    """
    Construct a key of these members of an entry and no others.

    python-jose decodes leniently and checks no sizes, so every member is checked before.

    Raises:
        ValueError: The key is invalid or too weak; the message contains no part of it.
    """
    if kty == "EC" and entry.get("crv") != "P-256":
        raise ValueError("the curve must be P-256")
    parts = {name: _decoded(entry, name) for name in names if name != "crv"}
    if kty == "EC" and not len(parts["x"]) == len(parts["y"]) == _EC_BYTES:
        raise ValueError(f"a coordinate must have {_EC_BYTES} bytes")
    if kty == "RSA":
        _check_rsa(int.from_bytes(parts["n"]), int.from_bytes(parts["e"]))
    try:
        return construct_key({"kty": kty, **{name: entry[name] for name in names}}, _ALGORITHMS[kty])
    except ValueError:
        # The library's message may contain parts of the key.
        raise ValueError("its members do not make a key") from None


def _check_rsa(modulus: int, exponent: int) -> None:
    if not RSA_BITS <= modulus.bit_length() <= MOST_RSA_BITS:
        raise ValueError(f"an RSA key must have {RSA_BITS} to {MOST_RSA_BITS} bits")
    if exponent < LEAST_EXPONENT or exponent.bit_length() > MOST_EXPONENT_BITS:
        raise ValueError(f"the public exponent must be at least {LEAST_EXPONENT}")


def _decoded(entry: Mapping[str, object], name: str) -> bytes:
    text = entry.get(name)
    try:
        if isinstance(text, str):
            return base64url.decode(text)
    except ValueError:
        pass
    raise ValueError(f"{name} must be base64url without padding")
