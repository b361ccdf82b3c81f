"""The settings that train and serve share: where the store is, which keys are trusted, which libraries may differ."""

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias, get_args, get_origin

from pydantic import AfterValidator, Field, ValidationError, field_validator, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, DotEnvSettingsSource, EnvSettingsSource, SettingsConfigDict

from artifacts.errors import KeyInvalid
from artifacts.hints import did_you_mean
from artifacts.signing import parse_keys
from artifacts.text import shorten

Engine: TypeAlias = Literal["auto", "sklearn"]
Policy: TypeAlias = Literal["refuse", "warn"]

_PREFIX = "sepal_"
# Kubernetes sets the first two in every pod next to a service called sepal; the tests have switches of their own.
_FOREIGN = ("sepal_service_", "sepal_port_", "sepal_test_")
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


@dataclass(frozen=True, slots=True)
class Expected:
    """What the text of a setting must be, with an example, for error messages; never part of a secret's type."""

    what: str
    example: str


def home() -> Path | None:
    """
    Return the folder of `.env`, to which relative paths in settings are relative; the working directory never is.

    It is SEPAL_HOME, else the project that these packages are imported from: a clone, or an editable install of one.
    None if they are installed without it.
    """
    named = os.environ.get("SEPAL_HOME")
    if named:
        return Path(named)
    project = Path(__file__).resolve().parents[1]
    return project if (project / "pyproject.toml").is_file() else None


def env_file() -> Path | None:
    """Return the file that settings are read from next to the environment; it need not exist."""
    folder = home()
    return None if folder is None else folder / ".env"


def in_home(path: Path) -> Path:
    """
    Return the path, relative to the home folder.

    Raises:
        ValueError: It is relative, and there is no home folder.
    """
    folder = home()
    if folder is None and not path.is_absolute():
        raise ValueError(f"{path} is relative, and no project folder is known: set SEPAL_HOME to yours")
    return path if folder is None else folder / path


def in_home_if_known(path: Path) -> Path:
    """Return the same, or a relative path unchanged if there is no home folder: not every command needs the file."""
    return path if home() is None else in_home(path)


HomePath: TypeAlias = Annotated[Path, AfterValidator(in_home)]


class ArtifactSettings(BaseSettings):
    """Settings of the store, read from the environment and from `.env`."""

    model_config = SettingsConfigDict(env_prefix="SEPAL_", env_ignore_empty=True, extra="ignore", frozen=True)

    def __init__(self, **values: Any) -> None:
        # Not a constant of the class: SEPAL_HOME may have changed since the class was defined.
        super().__init__(**{"_env_file": env_file(), **values})

    home: Path | None = Field(
        None,
        description="Folder of `.env`; relative paths in settings are relative to it. Unset: the project's folder. "
        "Only in the environment.",
    )
    environment: Literal["development", "production"] = Field(
        "development",
        description="`production` refuses to start without a secret and a trusted key, and exposes nothing by default.",
    )
    artifacts: HomePath = Field(Path("artifacts/models"), description="Folder of the model store.")
    trusted_keys: str = Field(
        "",
        description="Load only versions that one of these public keys signed; separate keys by blanks or commas. "
        "Development also trusts its own key.",
    )
    signing_key: Annotated[Path, AfterValidator(in_home_if_known)] = Field(
        Path(".sepal/signing.key"),
        description="File of the private key that signs published versions. Development creates one.",
    )
    versions: Policy = Field(
        "refuse",
        description="`refuse` versions that were fitted with incompatible libraries, or `warn` and load them.",
    )

    @property
    def is_production(self) -> bool:
        """Whether the server is a production deployment."""
        return self.environment == "production"

    @model_validator(mode="before")
    @classmethod
    def _environment_is_not_empty(cls, values: Any) -> Any:
        # Empty means the default for all other settings; here a gap in a template would open a production server.
        if not environment_variables(cls).get(f"{_PREFIX}environment", "unset"):
            raise ValueError("SEPAL_ENVIRONMENT is empty: set it to development or production")
        return values

    @field_validator("home")
    @classmethod
    def _home_is_a_folder(cls, folder: Path | None) -> Path | None:
        if folder is None:
            return home()
        if folder != home():
            raise ValueError("set it in the environment: `.env` is looked for in this folder")
        if not folder.is_absolute() or not folder.is_dir():
            raise ValueError(f"{folder} is not a folder with an absolute path")
        return folder

    @field_validator("trusted_keys")
    @classmethod
    def _trusted_keys_are_keys(cls, text: str) -> str:
        try:
            parse_keys(text)
        except KeyInvalid as error:
            raise ValueError(str(error)) from error
        return text


def unknown_variables(known: Iterable[str]) -> Iterator[str]:
    """
    Yield one line for each variable with our prefix, in the environment or `.env`, that is not a setting.

    Args:
        known: The names of all settings, without the prefix.
    """
    names = {f"{_PREFIX}{name}".upper() for name in known}
    for name in sorted(name.upper() for name in environment_variables() if not name.startswith(_FOREIGN)):
        if name.startswith(_PREFIX.upper()) and name not in names:
            yield f"{shorten(name)} is not a setting{did_you_mean(name, names)}"


def environment_variables(settings: type[BaseSettings] = ArtifactSettings) -> Mapping[str, str | None]:
    """Return all variables of the environment and of `.env`, their names in lower case; the environment wins."""
    dotenv = DotEnvSettingsSource(settings, env_file=env_file(), env_ignore_empty=False)
    return {**dotenv.env_vars, **EnvSettingsSource(settings, env_ignore_empty=False).env_vars}


def complaints(error: ValidationError, settings: type[BaseSettings] = ArtifactSettings) -> Iterator[str]:
    """Yield one line for each invalid setting; it shows the value only if that cannot be a secret."""
    for location, entries in groupby(error.errors(include_url=False), lambda entry: entry["loc"][:1]):
        entry = next(entries)
        field = settings.model_fields.get(str(location[0])) if location else None
        expected = _expected(field) if field else None
        name = "".join(f"SEPAL_{str(part).upper()}" for part in location)
        if expected:
            got = shorten(str(entry["input"]))
            yield f"{name}: expected {expected.what}, got '{got}'; for example {name}={expected.example}"
        else:
            yield f"{name}: ".removeprefix(": ") + entry["msg"].removeprefix("Value error, ")


def _expected(field: FieldInfo) -> Expected | None:
    """Return what a setting must be if its type says so; None for texts, which may be secrets."""
    for marker in field.metadata:
        if isinstance(marker, Expected):
            return marker
    example = "true" if field.default is None else str(field.default).lower()
    if get_origin(field.annotation) is Literal:
        return Expected(f"one of {', '.join(get_args(field.annotation))}", example)
    kinds = (field.annotation, *get_args(field.annotation))
    bounds = [
        f"{words} {getattr(limit, name)}"
        for name, words in _BOUNDS.items()
        for limit in field.metadata
        if hasattr(limit, name)
    ]
    whats = [", ".join(filter(None, (what, " and ".join(bounds)))) for kind, what in _KINDS.items() if kind in kinds]
    return Expected(whats[0], example) if whats else None
