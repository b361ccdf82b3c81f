"""Where the store is, and what executes its models: the settings that train and serve share."""

from pathlib import Path
from typing import Literal, TypeAlias

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict

Engine: TypeAlias = Literal["auto", "sklearn"]


class ArtifactSettings(BaseSettings):
    """Settings of the store, read from the environment and from `.env`."""

    model_config = SettingsConfigDict(
        env_prefix="SEPAL_", env_file=".env", env_ignore_empty=True, extra="ignore", frozen=True
    )

    artifacts: Path = Field(
        default=Path("artifacts/models"),
        description="Folder of the model store, relative to the working directory.",
    )
    runtime: Engine = Field(
        "auto",
        description="`auto`: the quickest that was proved to give the same answers; `sklearn`: the estimator itself.",
    )
