"""The tables of users and roles: which names are valid, and what a user may do."""

import re
from datetime import UTC, datetime

import pytest
from sqlalchemy import Engine, update

from serve.auth.principals import ALL_PERMISSIONS, Permission
from serve.auth.users import BUILT_IN, NAME, ROLE_NAME, Role, User, lock_user, permissions_of
from serve.storage.database import writing


def add(engine: Engine, *, scope: str = "", roles: str = "", **own: str) -> None:
    """Add the user ada, and roles of this deployment by their scopes."""
    with writing(engine) as session:
        session.add(User(name="ada", password_hash="x", scope=scope, roles=roles, created_at=datetime.now(UTC)))
        session.add_all(Role(name=name, scope=text) for name, text in own.items())


def permissions(engine: Engine) -> set[str]:
    """Return what ada may do."""
    with writing(engine) as session:
        user = lock_user(session, "ada", "to read")
        assert user is not None
        return {permission.value for permission in permissions_of(session, user)}


@pytest.mark.parametrize(
    ("scope", "roles", "expected"),
    [
        ("", "", set()),
        ("predict", "", {"predict"}),
        ("", "operator", {"predict", "batch", "models:read", "metrics:read"}),
        ("metrics:read", "tester", {"metrics:read", "batch"}),
        ("", "tester caller", {"predict", "batch", "models:read"}),
        ("predict fly", "removed", {"predict"}),
    ],
)
def test_a_user_has_their_own_permissions_and_those_of_their_roles(
    engine: Engine, scope: str, roles: str, expected: set[str]
) -> None:
    """Built-in roles are in the code, others in the table; unknown permissions and roles give nothing."""
    add(engine, scope=scope, roles=roles, tester="batch fly")

    assert permissions(engine) == expected


def test_the_role_of_administrators_has_every_permission() -> None:
    """Each built-in role has all permissions of the one before it."""
    assert BUILT_IN["admin"] == ALL_PERMISSIONS
    assert BUILT_IN["caller"] < BUILT_IN["operator"] <= BUILT_IN["admin"]
    assert Permission.METRICS_READ not in BUILT_IN["caller"]


def test_an_unknown_user_is_none(engine: Engine) -> None:
    """There is no row to lock."""
    with writing(engine) as session:
        assert lock_user(session, "ada", "to write") is None


def test_a_locked_user_has_the_current_values(engine: Engine) -> None:
    """What the session has read before is read again."""
    add(engine)
    with writing(engine) as session:
        known = lock_user(session, "ada", "to read")
        change = update(User).values(disabled=True).execution_options(synchronize_session=False)
        session.execute(change)
        assert known is not None
        assert not known.disabled

        locked = lock_user(session, "ada", "to write")

        assert locked is known
        assert known.disabled


@pytest.mark.parametrize(
    ("pattern", "name", "is_valid"),
    [
        (NAME, "Ada.Lovelace+x@example.com", True),
        (NAME, "a b", False),
        (NAME, "", False),
        (NAME, "a" * 64, True),
        (NAME, "a" * 65, False),
        (ROLE_NAME, "tester-2", True),
        (ROLE_NAME, "Tester", False),
        (ROLE_NAME, "-tester", False),
        (ROLE_NAME, "a" * 64, True),
        (ROLE_NAME, "a" * 65, False),
    ],
)
def test_names_have_few_characters_and_fit_their_columns(pattern: str, name: str, is_valid: bool) -> None:
    """A name is an argument of commands and a part of log lines."""
    assert (re.fullmatch(pattern, name) is not None) is is_valid
