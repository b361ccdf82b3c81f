"""Administration of users and roles: what changes, which sessions end, and what is refused."""

from collections.abc import Callable

import pytest

from serve.auth.grants import Grants
from serve.auth.principals import ALL_PERMISSIONS, Permission
from serve.auth.security_store import SecurityStore
from serve.auth.user_admin import UserAdmin
from serve.auth.users import lock_user, permissions_of
from serve.errors import RoleNotFound, UserExists, UserNotFound
from serve.storage.database import writing
from tests.unit.serve.auth.test_tokens import tokens


@pytest.fixture
def admin(records: SecurityStore) -> UserAdmin:
    """The administration of a database with the user ada, who is logged in, and the role tester."""
    admin = records.user_admin("test")
    admin.add_role("tester", [Permission.PREDICT, Permission.BATCH])
    admin.add("ada", password_hash="x", permissions=[Permission.MODELS_READ], roles=["tester"])
    log_in(records)
    return admin


def log_in(records: SecurityStore) -> None:
    """Open a session for ada."""
    grants = Grants(records, tokens(), refresh_ttl_s=60)
    grants.issue_for_admin("ada", ttl_s=60)


def permissions(records: SecurityStore) -> set[str]:
    """Return what ada may do."""
    with writing(records.engine) as session:
        user = lock_user(session, "ada", "to read")
        assert user is not None
        return {permission.value for permission in permissions_of(session, user)}


@pytest.mark.parametrize(
    ("change", "ended"),
    [
        (lambda admin: admin.disable("ada"), 1),
        (lambda admin: admin.remove("ada"), 1),
        (lambda admin: admin.log_out("ada"), 1),
        (lambda admin: admin.set_password("ada", "y"), 1),
        (lambda admin: admin.set("ada", permissions=[]), 1),
        (lambda admin: admin.set("ada", roles=[]), 1),
        (lambda admin: admin.set("ada", permissions=list(Permission), roles=["tester", "admin"]), 0),
        (lambda admin: admin.set_role("tester", [Permission.PREDICT]), 1),
        (lambda admin: admin.set_role("tester", list(Permission)), 0),
        (lambda admin: admin.remove_role("tester"), 1),
    ],
)
def test_only_a_loss_ends_sessions(
    admin: UserAdmin, records: SecurityStore, change: Callable[[UserAdmin], int], ended: int
) -> None:
    """A change that takes something away ends all sessions of the user; one that only adds something ends none."""
    assert change(admin) == ended
    assert len(records.sessions.all("ada")) == 1 - ended


def test_permissions_are_those_of_the_user_and_their_roles(admin: UserAdmin, records: SecurityStore) -> None:
    """A user has their own permissions and those of all of their roles, at every moment."""
    before = permissions(records)
    admin.set("ada", roles=["admin"])
    as_admin = permissions(records)
    admin.set("ada", permissions=[Permission.BATCH], roles=["tester"])
    admin.remove_role("tester")

    assert before == {"models:read", "predict", "batch"}
    assert as_admin == ALL_PERMISSIONS
    assert permissions(records) == {"batch"}


def test_a_disabled_user_can_be_enabled(admin: UserAdmin) -> None:
    """The state is stored, and the user is listed in both states."""
    admin.disable("ada")
    disabled = admin.find("ada")
    admin.enable("ada")

    assert disabled is not None
    assert disabled.disabled
    assert [(user.name, user.disabled) for user in admin.users()] == [("ada", False)]
    assert [role.name for role in admin.roles()] == ["tester"]


@pytest.mark.parametrize(
    ("call", "error"),
    [
        (lambda admin: admin.add("ada", password_hash="x"), UserExists),
        (lambda admin: admin.add("a b", password_hash="x"), ValueError),
        (lambda admin: admin.add("eve", password_hash="x", roles=["unknown"]), RoleNotFound),
        (lambda admin: admin.remove("eve"), UserNotFound),
        (lambda admin: admin.set("ada", roles=["unknown"]), RoleNotFound),
        (lambda admin: admin.add_role("tester", []), ValueError),
        (lambda admin: admin.add_role("Tester", []), ValueError),
        (lambda admin: admin.set_role("admin", []), ValueError),
        (lambda admin: admin.remove_role("unknown"), RoleNotFound),
    ],
)
def test_invalid_changes_are_refused(
    admin: UserAdmin, records: SecurityStore, call: Callable[[UserAdmin], object], error: type[Exception]
) -> None:
    """An invalid or unknown name raises an error and changes nothing."""
    before = permissions(records)

    with pytest.raises(error):
        call(admin)

    assert permissions(records) == before
    assert [user.name for user in admin.users()] == ["ada"]
