"""Settings of a deployment in a folder of its own."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from serve.settings import Settings

SECRET = "gUj2wQ0rLx9vTn5bYc8eKd3hZm6pAf1s"


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings of development with a secret; state and an empty store are in the folder of the test."""
    monkeypatch.setenv("SEPAL_HOME", str(tmp_path))
    return Settings(state=tmp_path / "state", artifacts=tmp_path / "store", secret_key=SecretStr(SECRET))
