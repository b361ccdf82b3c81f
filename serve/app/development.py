"""What development generates once: a secret, and a first user with a password, in a file of mode 600."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import SecretStr

from artifacts.files import write_file
from serve.settings import Settings

if TYPE_CHECKING:
    from serve.auth.user_admin import UserAdmin

USER = "developer"
FILE = "development.env"


@dataclass(frozen=True, slots=True)
class Secrets:
    """The generated secrets, and the file that has them."""

    file: Path
    secret_key: str
    password: str


def ensure_secrets(state: Path) -> Secrets:
    """Read the generated secrets, or generate them first; several processes may do so at once."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = state / FILE
    if not file.exists():
        _generate(file)
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return Secrets(file, lines["SECRET_KEY"], lines["PASSWORD"])


def with_secrets(settings: Settings) -> Settings:
    """Return the settings with the generated secret if they have neither a secret nor keys."""
    if settings.secret_key.get_secret_value() or settings.token_keys:
        return settings
    generated = ensure_secrets(settings.state).secret_key
    return settings.model_copy(update={"secret_key": SecretStr(generated)})


def ensure_developer(state: Path, admin: "UserAdmin") -> None:
    """Give the development user every permission and the generated password, whatever the database has."""
    from serve.auth.passwords import Passwords
    from serve.auth.principals import ALL_PERMISSIONS, scope_of

    passwords, password = Passwords(), ensure_secrets(state).password
    known = admin.find(USER)
    if known is None:
        admin.add(USER, password_hash=passwords.hash(password), permissions=ALL_PERMISSIONS)
        return
    if not passwords.verify(password, known.password_hash):
        admin.set_password(USER, passwords.hash(password))
    if known.disabled:
        admin.enable(USER)
    if known.scope != scope_of(ALL_PERMISSIONS):
        admin.set(USER, permissions=ALL_PERMISSIONS)


def _generate(file: Path) -> None:
    lines = f"SECRET_KEY={secrets.token_urlsafe(48)}\nPASSWORD={secrets.token_urlsafe(18)}\n"
    with suppress(FileExistsError):
        write_file(file, lines.encode(), mode=0o600, replace=False)
