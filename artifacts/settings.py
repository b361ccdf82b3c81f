"""Where the store is, whom to trust and what executes its models: the settings that train and serve share."""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from artifacts.errors import KeyInvalid
from artifacts.signing import parse_keys

Engine: TypeAlias = Literal["auto", "sklearn"]
Policy: TypeAlias = Literal["refuse", "warn"]


class ArtifactSettings(BaseSettings):
    """Settings of the store, read from the environment and from `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="SEPAL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    environment: Literal["development", "production"] = Field(
        "development", description="`production` refuses to start without a real secret, and closes what is open."
    )
    artifacts: Path = Field(
        default=Path("artifacts/models"),
        description="Folder of the model store, relative to the working directory.",
    )
    runtime: Engine = Field(
        "auto",
        description="`auto`: the quickest that was proved to give the same answers; `sklearn`: the estimator itself.",
    )
    trusted_keys: str = Field(
        "",
        description="Public keys, separated by blanks or commas: only versions that one of them signed are loaded. "
        "Development trusts its own besides.",
    )
    signing_key: Path = Field(
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

    @field_validator("trusted_keys")
    @classmethod
    def _trusted_keys_are_keys(cls, text: str) -> str:
        try:
            parse_keys(text)
        except KeyInvalid as error:
            raise ValueError(str(error)) from error
        return text


def complaints(error: ValidationError) -> Iterator[str]:
    """One line a setting that cannot be; the value, which may be a secret, is not in it."""
    for entry in error.errors(include_url=False, include_input=False):
        setting = "".join(f"SEPAL_{str(part).upper()}: " for part in entry["loc"][:1])
        yield f"{setting}{entry['msg'].removeprefix('Value error, ')}"
