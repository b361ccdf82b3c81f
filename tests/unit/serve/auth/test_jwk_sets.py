"""Sets of keys as JSON: what is read, skipped and refused."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from serve.auth.jwk_sets import private_set, read_private_set, read_public_set, secret_key
from serve.auth.tokens import KeySet
from tests.support.keys import SECRET, ec_key, own_keys, public_jwk, rsa_key, spelled, thumbprint

BOTH = ("RS256", "ES256")


def text(value: object) -> bytes:
    """Return a value as the content of a file."""
    return json.dumps(value).encode()


def private_file(place: int, **changes: object) -> bytes:
    """Return a file with one signing key, with some members changed, or removed if None."""
    entries: Any = private_set(own_keys())["keys"]
    entry = {**entries[place], **changes}
    return text({"keys": [{name: value for name, value in entry.items() if value is not None}]})


def test_written_keys_are_read() -> None:
    """Keys of every kind are equal after writing and reading, and in the same order."""
    keys = own_keys()

    found = read_private_set(text(private_set(keys)))

    assert [(key.kid, key.alg) for key in found] == [(key.kid, key.alg) for key in keys]
    assert private_set(found) == private_set(keys)


def test_an_id_is_derived_from_its_key() -> None:
    """The id of a pair is its thumbprint (RFC 7638); the id of a secret reveals nothing of it."""
    assert [key.kid for key in own_keys()[:2]] == [thumbprint(public_jwk(key)) for key in (ec_key(), rsa_key())]
    assert secret_key(b"a" * 32).kid != secret_key(b"b" * 32).kid
    assert spelled(b"a" * 32)[:8] not in secret_key(b"a" * 32).kid


def test_the_public_set_has_public_members_only() -> None:
    """The set has the public keys of pairs, and nothing of a secret, not even its id."""
    shown: Any = KeySet(own_keys()).public["keys"]

    assert [sorted(entry) for entry in shown] == [
        ["alg", "crv", "kid", "kty", "use", "x", "y"],
        ["alg", "e", "kid", "kty", "n", "use"],
    ]
    assert read_public_set(text({"keys": shown}), BOTH).keys() == {(key.alg, key.kid) for key in own_keys()[:2]}


def test_a_key_does_not_show_itself() -> None:
    """The text of a key, in a log or a traceback, is its id."""
    assert SECRET not in repr(own_keys())
    assert str(own_keys()[2]) == f"SigningKey(kid={own_keys()[2].kid!r})"


@pytest.mark.parametrize(
    ("place", "changes"),
    [
        *(
            (place, {name: value})
            for place in range(3)
            for name, value in [("kty", "OKP"), ("alg", "none"), ("kid", "x")]
        ),
        *((place, {name: None}) for place in range(3) for name in ("kty", "alg", "kid")),
        *((place, {"use": "enc"}) for place in range(3)),
        *((place, {"x5u": "https://x"}) for place in range(3)),
        (0, {"alg": "RS256"}),
        (1, {"alg": "HS256"}),
        (2, {"alg": "ES256"}),
        (0, {"crv": "P-384"}),
        (0, {"d": None}),
        (0, {"d": spelled(b"\1" * 32)}),
        (0, {"d": spelled(bytes(32))}),
        (0, {"x": spelled(b"\1" * 32)}),
        (0, {"x": spelled(b"\1" * 31)}),
        (0, {"d": 7}),
        (1, {"e": spelled(b"\3")}),
        (1, {"e": "AQAB="}),
        (1, {"n": spelled(b"\xff" * 128)}),
        (1, {"p": spelled(b"\3")}),
        (1, {"oth": []}),
        (2, {"k": spelled(b"k" * 31)}),
        (2, {"k": ""}),
        (2, {"k": SECRET + "="}),
    ],
    ids=str,
)
def test_an_invalid_signing_key_is_refused(place: int, changes: dict[str, object]) -> None:
    """A missing, wrong or unknown member is refused, and the message contains no part of the key."""
    with pytest.raises(ValueError, match=r"^(keys\.0|the set)") as refused:
        read_private_set(private_file(place, **changes))

    entry = json.loads(private_file(place))["keys"][0]
    assert not any(entry.get(name, "none") in str(refused.value) for name in ("k", "d", "p", "q"))


@pytest.mark.parametrize(
    "odd", [b"", b"[]", b"{}", b'{"keys":[]}', b"{", b"\xff", b"[" * 9000, b'{"keys":[],"keys":[]}']
)
def test_an_invalid_set_is_refused(odd: bytes) -> None:
    """An empty set, content that is not JSON, and repeated members are refused."""
    for read in (read_private_set, lambda content: read_public_set(content, BOTH)):
        with pytest.raises(ValueError, match=r"set|JSON|List|Field|Input"):
            read(odd)


def test_a_repeated_key_is_refused() -> None:
    """A file with the same key twice is refused."""
    twice: Any = private_set(own_keys())["keys"]

    with pytest.raises(ValueError, match="twice"):
        read_private_set(text({"keys": [twice[0], twice[0]]}))


def test_only_keys_that_can_verify_are_read_from_an_issuer() -> None:
    """Secrets, weak keys, private keys, encryption keys and keys with the same id are skipped."""
    pair = public_jwk(rsa_key(), kid="good")
    passed_over: list[dict[str, object]] = [
        {"kty": "oct", "kid": "o", "k": spelled(b"k" * 32), "alg": "HS256"},
        {"kty": "oct", "kid": "o", "k": spelled(b"k" * 32), "alg": "RS256"},
        {**public_jwk(rsa_key("short", 1024)), "kid": "short"},
        {**pair, "kid": "three", "e": "Aw"},
        {**pair, "kid": "one", "e": "AQ"},
        {**pair, "kid": "enc", "use": "enc"},
        {**pair, "kid": "ops", "key_ops": ["encrypt"]},
        {**pair, "kid": "ops", "key_ops": "verify"},
        {**pair, "kid": "sha512", "alg": "RS512"},
        {**pair, "kid": "hmac", "alg": "HS256"},
        {**pair, "kid": "none", "alg": "none"},
        {**pair, "kid": "mixed", "kty": "EC"},
        {**pair, "kid": "private", "d": "AQAB"},
        {**pair, "kid": 7},
        {**pair, "kid": "bare", "n": 7},
        {**public_jwk(ec_key("k", ec.SECP256K1)), "kid": "k", "crv": "secp256k1"},
        {**public_jwk(ec_key("k", ec.SECP256K1)), "kid": "as if"},
        {**public_jwk(ec_key("large", ec.SECP384R1)), "kid": "large", "crv": "P-384"},
        {**public_jwk(ec_key()), "kid": "zero", "x": spelled(bytes(32)), "y": spelled(bytes(32))},
        {**public_jwk(ec_key()), "kid": "512", "alg": "ES512"},
        {**pair, "kid": "two"},
        {**public_jwk(rsa_key("theirs")), "kid": "two"},
        {"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": spelled(bytes(32))},
        {},
    ]

    found = read_public_set(text({"keys": [*passed_over, pair], "more": 1}), BOTH)

    assert list(found) == [("RS256", "good")]
    with pytest.raises(ValueError, match="no key"):
        read_public_set(text({"keys": passed_over}), BOTH)
    with pytest.raises(ValueError, match="no key"):
        read_public_set(text({"keys": [pair]}), ("ES256",))
