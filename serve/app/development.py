"""What development makes for itself, once: a secret and the password of a first user, in a file of mode 600."""

import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from artifacts.files import write_file
from serve.settings import Settings

USER = "developer"
FILE = "development.env"


@dataclass(frozen=True, slots=True)
class Secrets:
    """What was generated, and where it is kept."""

    file: Path
    secret_key: str
    password: str


def ensure_secrets(state: Path) -> Secrets:
    """Read the generated secrets, made first where there are none; several processes may do so at once."""
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = state / FILE
    if not file.exists():
        _generate(file)
    lines = dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)
    return Secrets(file, lines["SECRET_KEY"], lines["PASSWORD"])


def with_secrets(settings: Settings) -> Settings:
    """The settings of development, with the generated secret where none was given."""
    if settings.secret_key.get_secret_value() or settings.token_keys:
        return settings
    generated = ensure_secrets(settings.state).secret_key
    return settings.model_copy(update={"secret_key": SecretStr(generated)})


def _generate(file: Path) -> None:
    lines = f"SECRET_KEY={secrets.token_urlsafe(48)}\nPASSWORD={secrets.token_urlsafe(18)}\n"
    with suppress(FileExistsError):
        write_file(file, lines.encode(), mode=0o600, replace=False)
