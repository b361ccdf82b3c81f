"""Where the store is, whom to trust and what executes its models: the settings that train and serve share."""

import os
from collections.abc import Iterable, Iterator, Mapping
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
# Kubernetes tells every pod of a service of that name, and the tests have switches of their own.
_OTHERS = ("sepal_service_", "sepal_port_", "sepal_test_")
_KINDS = {int: "a whole number", float: "a number", bool: "true or false"}
_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


def home() -> Path | None:
    """
    Return the folder of `.env`, to which relative paths in settings are relative; the working directory never counts.

    It is SEPAL_HOME, else the project that these packages are imported from: a clone, or an editable install of one.
    None where they are installed without it.
    """
    named = os.environ.get("SEPAL_HOME")
    if named:
        return Path(named)
    project = Path(__file__).resolve().parents[1]
    return project if (project / "pyproject.toml").is_file() else None


def env_file() -> Path | None:
    """Return the file that settings are read from besides the environment; it need not exist."""
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
    """Return the same, and a relative path unchanged where there is no home folder: not everyone needs the file."""
    return path if home() is None else in_home(path)


HomePath: TypeAlias = Annotated[Path, AfterValidator(in_home)]


class ArtifactSettings(BaseSettings):
    """Settings of the store, read from the environment and from `.env`."""

    model_config = SettingsConfigDict(env_prefix="SEPAL_", env_ignore_empty=True, extra="ignore", frozen=True)

    def __init__(self, **values: Any) -> None:
        # Looked up now, and not when the class was made: `.env` is where SEPAL_HOME says at this moment.
        super().__init__(**{"_env_file": env_file(), **values})

    home: Path | None = Field(
        None,
        description="Folder of `.env`, to which relative paths in settings are relative; unset: the project's folder. "
        "Only in the environment.",
    )
    environment: Literal["development", "production"] = Field(
        "development", description="`production` refuses to start without a real secret, and closes what is open."
    )
    artifacts: HomePath = Field(Path("artifacts/models"), description="Folder of the model store.")
    runtime: Engine = Field(
        "auto",
        description="`auto`: the quickest that was proved to give the same answers; `sklearn`: the estimator itself.",
    )
    trusted_keys: str = Field(
        "",
        description="Public keys, separated by blanks or commas: only versions that one of them signed are loaded. "
        "Development trusts its own besides.",
    )
    signing_key: Annotated[Path, AfterValidator(in_home_if_known)] = Field(
        Path(".sepal/signing.key"),
        description="File of the private key that signs what is published. Development makes one.",
    )
    versions: Policy = Field(
        "refuse",
        description="What becomes of a version that other libraries fitted: `refuse` it, or `warn` and load it.",
    )

    @property
    def is_production(self) -> bool:
        """Whether this is a deployment that others rely on."""
        return self.environment == "production"

    @model_validator(mode="before")
    @classmethod
    def _environment_is_said(cls, values: Any) -> Any:
        # Elsewhere nothing is the default; here a gap in a template would open what production closes.
        if not given(cls).get(f"{_PREFIX}environment", "unsaid"):
            raise ValueError("SEPAL_ENVIRONMENT is empty: development or production")
        return values

    @field_validator("home")
    @classmethod
    def _home_is_a_folder(cls, given: Path | None) -> Path | None:
        if given is None:
            return home()
        if given != home():
            raise ValueError("it counts only in the environment: `.env` is looked for in this folder")
        if not given.is_absolute() or not given.is_dir():
            raise ValueError(f"{given} is not a folder with an absolute path")
        return given

    @field_validator("trusted_keys")
    @classmethod
    def _trusted_keys_are_keys(cls, text: str) -> str:
        try:
            parse_keys(text)
        except KeyInvalid as error:
            raise ValueError(str(error)) from error
        return text


def misspelt(known: Iterable[str]) -> Iterator[str]:
    """
    One line a name in the environment, or in `.env`, that looks like a setting and is none.

    Args:
        known: The names of all settings, without the prefix.
    """
    names = {f"{_PREFIX}{name}".upper() for name in known}
    for name in sorted(name.upper() for name in given() if not name.startswith(_OTHERS)):
        if name.startswith(_PREFIX.upper()) and name not in names:
            yield f"{shorten(name)} is no setting{did_you_mean(name, names)}"


def given(settings: type[BaseSettings] = ArtifactSettings) -> Mapping[str, str | None]:
    """All that the environment and `.env` say, in small letters; the environment wins."""
    dotenv = DotEnvSettingsSource(settings, env_file=env_file(), env_ignore_empty=False)
    return {**dotenv.env_vars, **EnvSettingsSource(settings, env_ignore_empty=False).env_vars}


def complaints(error: ValidationError, settings: type[BaseSettings] = ArtifactSettings) -> Iterator[str]:
    """One line for each invalid setting; numbers and choices show the value, which elsewhere may be a secret."""
    for entry in error.errors(include_url=False):
        field = settings.model_fields.get(str(entry["loc"][0])) if entry["loc"] else None
        name = "".join(f"SEPAL_{str(part).upper()}" for part in entry["loc"][:1])
        expected = _expected(field) if field else ""
        if field and expected:
            example = "true" if field.default is None else str(field.default).lower()
            yield f"{name}: expected {expected}, got '{shorten(str(entry['input']))}'; for example {name}={example}"
            continue
        yield f"{name}: ".removeprefix(": ") + entry["msg"].removeprefix("Value error, ")


def _expected(field: FieldInfo) -> str:
    """What a number, a switch or a choice must be; empty for other settings."""
    if get_origin(field.annotation) is Literal:
        return f"one of {', '.join(get_args(field.annotation))}"
    kinds = (field.annotation, *get_args(field.annotation))
    kind = next((words for kind, words in _KINDS.items() if kind in kinds), "")
    bounds = [
        f"{words} {getattr(limit, name)}"
        for name, words in _BOUNDS.items()
        for limit in field.metadata
        if hasattr(limit, name)
    ]
    return f"{kind}, {' and '.join(bounds)}" if kind and bounds else kind
