"""API keys: created, verified, revoked, expired."""

import re

import pytest

from serve.auth.api_keys import ApiKeys, parse
from serve.auth.principals import Permission
from serve.auth.security_store import SecurityStore
from serve.errors import KeyNotFound, Unauthenticated

NOW = 1_800_000_000.0


@pytest.fixture
def keys(records: SecurityStore) -> ApiKeys:
    """The API keys of an empty database, at a fixed time."""
    return ApiKeys(records.engine, revocations=records.revocations, audit=records.audit, clock=lambda: NOW)


def test_a_created_key_is_valid_until_it_expires(keys: ApiKeys) -> None:
    """A created key authenticates under its name until it expires, and its secret is not stored."""
    bearer = keys.create("robot", [Permission.PREDICT], life_s=60, who="test")

    verified = keys.verify(bearer)

    assert re.fullmatch(r"sepal_[0-9a-f]{16}_[0-9a-f]{64}", bearer)
    assert (verified.principal.name, verified.principal.permissions) == ("key:robot", frozenset({Permission.PREDICT}))
    assert verified.until == NOW + 60
    assert verified.ids == {parse(bearer)[0]}
    assert parse(bearer)[1] != keys.all()[0].digest


def test_invalid_keys_are_refused(keys: ApiKeys, records: SecurityStore) -> None:
    """Malformed, unknown, expired and revoked keys, and those with another secret, are all unauthenticated."""
    good = keys.create("robot", [Permission.PREDICT], life_s=60, who="test")
    revoked = keys.create("old", [Permission.PREDICT], life_s=60, who="test")
    keys.revoke(parse(revoked)[0], who="test")
    later = ApiKeys(records.engine, revocations=records.revocations, audit=records.audit, clock=lambda: NOW + 60)

    for bearer in ("sepal_", good[:-1], good[:-1] + "g", f"sepal_{'0' * 16}_{'0' * 64}", good[:23] + "0" * 64, revoked):
        with pytest.raises(Unauthenticated):
            keys.verify(bearer)
    with pytest.raises(Unauthenticated, match="valid token"):
        later.verify(good)


def test_a_key_can_revoke_itself(keys: ApiKeys) -> None:
    """A key revokes itself; an invalid one changes nothing, and no key is revoked twice."""
    bearer = keys.create("leaked", [Permission.PREDICT], life_s=60, who="test")

    keys.revoke_own(bearer[:-1] + "g")
    assert keys.verify(bearer)
    keys.revoke_own(bearer)
    keys.revoke_own(bearer)

    with pytest.raises(Unauthenticated):
        keys.verify(bearer)
    with pytest.raises(KeyNotFound):
        keys.revoke(parse(bearer)[0], who="test")


@pytest.mark.parametrize(
    ("name", "life_s", "scopes"), [("a b", 60, 1), ("a", 0, 1), ("a", 367 * 86_400, 1), ("a", 9, 0)]
)
def test_a_key_needs_a_name_a_lifetime_and_a_scope(keys: ApiKeys, name: str, life_s: float, scopes: int) -> None:
    """Without one of them no key is created."""
    with pytest.raises(ValueError, match="key"):
        keys.create(name, list(Permission)[:scopes], life_s=life_s, who="test")
    assert keys.all() == []
