"""The keys of an issuer: whatever could be mistaken is passed over."""

from collections.abc import Iterable, Mapping, Sequence

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey, RSAPublicNumbers
from pydantic import BaseModel, Field, ValidationError

from serve.auth.jwks import MOST_KEYS, PublicKey, check_rsa, number, parsed, point

# The algorithms that an issuer's tokens may be signed with.
ALGORITHMS = ("ES256", "RS256")


class _Public(BaseModel):
    """A set of somebody else's: what is not understood in it is passed over, as RFC 7517 wants."""

    keys: list[dict[str, object]] = Field(max_length=MOST_KEYS)


def read_public(content: bytes, algorithms: Iterable[str]) -> Mapping[tuple[str, str], PublicKey]:
    """
    The keys of an issuer that can verify a signature of these algorithms, by algorithm and id ("" where it has none).

    Whatever else is there is passed over: keys to encrypt with, other curves, short ones, and every secret, since a
    secret that can be looked up is none. Two of one name are passed over both: which of them is meant nobody knows.

    Raises:
        ValueError: It is not a set of keys, or none of them can be used.
    """
    try:
        entries = _Public.model_validate(parsed(content)).keys
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
            return point(*_texts(entry, "x", "y")).public_key()
        if kind == ("RSA", "RS256"):
            n, e = _texts(entry, "n", "e")
            public = RSAPublicNumbers(number(e), number(n))
            check_rsa(public)
            return public.public_key()
    except ValueError:
        return None
    return None


def _texts(entry: Mapping[str, object], *names: str) -> Sequence[str]:
    found = [entry.get(name) for name in names]
    if not all(isinstance(value, str) for value in found):
        raise ValueError("a part is missing")
    return [str(value) for value in found]
