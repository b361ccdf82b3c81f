"""Tokens of this deployment: which are valid, and which are refused."""

import functools
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from jose import jwk, jwt
from jose.utils import base64url_encode

from serve.auth.jwk_sets import secret_key
from serve.auth.principals import Permission
from serve.auth.tokens import LEEWAY_S, SigningKey, Tokens
from serve.errors import Unauthenticated

SECRET = "a secret of at least thirty-two bytes"
KID = secret_key(SECRET.encode()).kid
NOW = 1_800_000_000  # a number, because workers of pytest-xdist must collect the same tests
GOOD = {
    "iss": "sepal",
    "aud": "here",
    "sub": "ada",
    "iat": NOW,
    "nbf": NOW,
    "exp": NOW + 600,
    "jti": "0",
    "scope": "predict batch",
}
CLAIMS = sorted(GOOD)
NESTED: dict[str, object] = {"typ": functools.reduce(lambda inner, _: [inner], range(900), list[object]())}


def tokens(*keys: SigningKey, secret: str = SECRET, **other: Any) -> Tokens:
    """Return what issues and verifies tokens, by default with a secret."""
    given = {"issuer": "sepal", "audience": "here", "ttl_s": 600, "clock": lambda: NOW}
    return Tokens(keys or (secret_key(secret.encode()),), **{**given, **other})


def signed(claims: object, *, secret: str = SECRET, header: Mapping[str, object] | None = None) -> str:
    """Return a token with these claims, signed like our own."""
    head, body = (
        base64url_encode(json.dumps(part, separators=(",", ":")).encode())
        for part in ({"alg": "HS256", "kid": KID, "typ": "at+jwt", **(header or {})}, claims)
    )
    signature = jwk.construct(secret.encode(), "HS256").sign(head + b"." + body)
    return b".".join([head, body, base64url_encode(signature)]).decode()


def test_an_issued_token_is_valid() -> None:
    """An issued token verifies with its name and permissions."""
    issued = tokens().issue("ada", [Permission.PREDICT])

    principal = tokens().verify(issued.token).principal

    assert principal.name == "ada"
    assert principal.permissions == {Permission.PREDICT}
    assert issued.expires_in_s == 600
    assert issued.permissions == {Permission.PREDICT}
    assert jwt.get_unverified_header(issued.token) == {"alg": "HS256", "kid": KID, "typ": "at+jwt"}


def test_a_handmade_token_is_valid() -> None:
    """A token built by hand from valid claims is valid, so each refusal below is due to its change."""
    assert tokens().verify(signed(GOOD)).principal.name == "ada"


@pytest.mark.parametrize("claim", CLAIMS)
def test_every_claim_is_required(claim: str) -> None:
    """A token without any one of the claims is refused."""
    with pytest.raises(Unauthenticated):
        tokens().verify(signed({name: value for name, value in GOOD.items() if name != claim}))


@pytest.mark.parametrize("claim", CLAIMS)
@pytest.mark.parametrize(
    "value", [None, True, [], {}, ["here"], 1.5, float("nan"), 10**400], ids=lambda value: repr(value)[:8]
)
def test_every_claim_has_its_type(claim: str, value: object) -> None:
    """A claim of a wrong type is refused, and never an internal error."""
    with pytest.raises(Unauthenticated):
        tokens().verify(signed({**GOOD, claim: value}))


@pytest.mark.parametrize("claim", ["exp", "iat", "nbf"])
@pytest.mark.parametrize("value", ["1e9", str(NOW), ""])
def test_a_time_is_a_number(claim: str, value: str) -> None:
    """A string is not accepted as a time."""
    with pytest.raises(Unauthenticated):
        tokens().verify(signed({**GOOD, claim: value}))


@pytest.mark.parametrize(
    "change",
    [
        {"exp": NOW - LEEWAY_S - 5},
        {"exp": -1},
        {"iss": ""},
        {"aud": ""},
        {"iat": 2**63},
        {"exp": NOW + 25 * 3600},
        {"nbf": NOW + LEEWAY_S + 60},
        {"iat": NOW + LEEWAY_S + 60},
        {"aud": "elsewhere"},
        {"aud": "here.elsewhere"},
        {"iss": "sepal.example"},
        {"iss": "sep"},
        {"extra": "claim"},
    ],
    ids=str,
)
def test_a_wrong_claim_is_refused(change: dict[str, object]) -> None:
    """Expired tokens, early ones, other audiences and issuers, and unknown claims are refused."""
    with pytest.raises(Unauthenticated):
        tokens().verify(signed({**GOOD, **change}))


@pytest.mark.parametrize(
    "header",
    [
        {"typ": "JWT"},
        {"alg": "none"},
        {"alg": "HS512"},
        {"kid": "0"},
        {"crit": ["exp"]},
        {"jwk": {}},
        {"jku": "http://x"},
        NESTED,
    ],
    ids=lambda header: str(header)[:20],
)
def test_another_header_is_refused(header: dict[str, object]) -> None:
    """Another algorithm, type or parameter in the header is refused."""
    with pytest.raises(Unauthenticated):
        tokens().verify(signed(GOOD, header=header))


@pytest.mark.parametrize(
    "mangle",
    [
        lambda token: token[:-2],
        lambda token: token + "A",
        lambda token: token.rsplit(".", 1)[0] + ".",
        lambda token: token.replace(".", "", 1),
        lambda token: "." + token,
        lambda token: token + "." + token,
        lambda _: "",
        lambda _: "." * 1000,
        lambda _: "a" * 9000,
        lambda _: "\u00e4.b.c",
        lambda _: "e30.e30.e30",
        lambda _: "W10.e30.e30",
        lambda _: base64url_encode(b"[" * 5000).decode() + ".e30.e30",
        lambda _: base64url_encode(b'{"a":' * 1100).decode() + ".e30.e30",
        lambda _: signed(GOOD, secret="another secret of thirty-two bytes"),
        lambda _: signed([1, 2]),
        lambda _: signed("text"),
    ],
)
def test_a_mangled_token_is_refused(mangle: Callable[[str], str]) -> None:
    """Truncated, extended and joined tokens, other signatures and other contents are refused."""
    with pytest.raises(Unauthenticated):
        tokens().verify(mangle(signed(GOOD)))


def test_an_empty_secret_is_no_secret() -> None:
    """A deployment without a secret cannot issue tokens."""
    with pytest.raises(ValueError, match="empty secret"):
        tokens(secret="")


def test_a_public_key_is_no_secret() -> None:
    """PEM of a public key is refused as a secret, because it is public."""
    with pytest.raises(ValueError, match="asymmetric"):
        tokens(secret="-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE")


def test_a_secret_that_looks_like_json_is_a_secret() -> None:
    """A secret is used as bytes and never parsed as a set of keys."""
    odd = '{"keys": [{"kty": "oct", "k": "YQ"}]}'

    assert tokens(secret=odd).verify(tokens(secret=odd).issue("ada", []).token).principal.name == "ada"


def test_an_unknown_scope_is_ignored() -> None:
    """A scope that this version does not know grants nothing."""
    assert tokens().verify(signed({**GOOD, "scope": "predict fly"})).principal.permissions == {Permission.PREDICT}
