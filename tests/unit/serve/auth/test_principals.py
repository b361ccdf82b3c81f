"""Principals and their permissions, as OAuth and as administrators write them."""

import pytest

from serve.auth.principals import (
    ALL_PERMISSIONS,
    Permission,
    Principal,
    known_permissions,
    parse_permissions,
    scope_of,
)


@pytest.mark.parametrize(
    ("principal", "owns"),
    [
        (Principal("ada", ALL_PERMISSIONS, "s1"), True),
        (Principal("bob", ALL_PERMISSIONS, "s1"), False),
        (Principal("ada", ALL_PERMISSIONS), False),
    ],
    ids=["the user", "another user", "a key of that name"],
)
def test_only_a_login_of_a_user_is_that_user(principal: Principal, owns: bool) -> None:
    """An API key or an external token of the same name has no session, and is another principal."""
    assert principal.owns("ada") is owns


@pytest.mark.parametrize(
    ("scope", "permissions"),
    [
        ("", set()),
        ("predict", {Permission.PREDICT}),
        ("models:read fly  predict", {Permission.MODELS_READ, Permission.PREDICT}),
        ("PREDICT", set()),
    ],
)
def test_unknown_permissions_of_a_scope_are_ignored(scope: str, permissions: set[Permission]) -> None:
    """A later version may have stored permissions that this one does not know."""
    assert known_permissions(scope) == permissions


def test_a_typed_permission_must_exist() -> None:
    """The error names all unknown permissions and lists those that exist."""
    assert parse_permissions("predict batch") == {Permission.PREDICT, Permission.BATCH}
    with pytest.raises(ValueError, match=r"no such scope: fly swim; the scopes are batch metrics:read") as error:
        parse_permissions("swim predict fly")

    assert str(error.value).endswith("batch metrics:read models:read predict")


def test_a_scope_lists_permissions_in_order() -> None:
    """The same permissions are always the same text, which is read back as them."""
    scope = scope_of([Permission.PREDICT, Permission.BATCH, Permission.METRICS_READ])

    assert scope == "batch metrics:read predict"
    assert scope_of(known_permissions(scope)) == scope
    assert scope_of([]) == ""
