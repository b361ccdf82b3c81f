"""Development generates a secret and a first user, once."""

import stat
from pathlib import Path

import pytest
from pydantic import SecretStr

from serve.app.development import USER, ensure_developer, ensure_secrets, with_secrets
from serve.auth.passwords import Passwords
from serve.auth.principals import ALL_PERMISSIONS, Permission, scope_of
from serve.cli import context
from serve.settings import Settings


def test_only_the_owner_can_read_the_secrets(tmp_path: Path) -> None:
    """They are generated once, in a file of mode 600."""
    first = ensure_secrets(tmp_path)
    second = ensure_secrets(tmp_path)

    assert first == second
    assert stat.S_IMODE(first.file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == [first.file.name]


def test_a_secret_is_generated_only_if_there_is_none(settings: Settings) -> None:
    """A secret or a file of keys in the settings is used unchanged."""
    without = settings.model_copy(update={"secret_key": SecretStr("")})
    with_keys = without.model_copy(update={"token_keys": "keys.json"})

    assert with_secrets(settings) is settings
    assert with_secrets(with_keys) is with_keys
    assert len(with_secrets(without).secret_key.get_secret_value()) >= 32


@pytest.mark.parametrize("change", ["none", "password", "disabled", "scopes"])
def test_the_development_user_can_always_log_in(settings: Settings, change: str) -> None:
    """The user has the generated password and every permission again, whatever the database has."""
    settings.state.mkdir()
    passwords, password = Passwords(), ensure_secrets(settings.state).password
    with context.open_context(settings) as opened:
        ensure_developer(settings.state, opened.admin)
        if change == "password":
            opened.admin.set_password(USER, passwords.hash("another horse"))
        if change == "disabled":
            opened.admin.disable(USER)
        if change == "scopes":
            opened.admin.set(USER, permissions=[Permission.PREDICT])

        ensure_developer(settings.state, opened.admin)

        user = opened.admin.find(USER)
    assert user is not None
    assert not user.disabled
    assert user.scope == scope_of(ALL_PERMISSIONS)
    assert passwords.verify(password, user.password_hash)
