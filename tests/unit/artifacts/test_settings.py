"""Settings are read from the environment and from `.env`; invalid ones are reported."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from artifacts import ArtifactSettings
from artifacts.settings import complaints, unknown_variables


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with no `.env` yet."""
    monkeypatch.setenv("SEPAL_HOME", str(tmp_path))
    monkeypatch.delenv("SEPAL_ENVIRONMENT", raising=False)
    return tmp_path


def test_an_unknown_name_is_reported_with_a_similar_one(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in `.env`, in capitals or not; a name that resembles none gets no suggestion."""
    monkeypatch.setenv("SEPAL_ENVIROMENT", "production")
    monkeypatch.setenv("SEPAL_X\x1b[2J", "")
    (here / ".env").write_text("sepal_trusted_key=x\nSEPAL_VERSION=\n# SEPAL_RUNTIM=sklearn\nOTHER=1\n")

    lines = list(unknown_variables(ArtifactSettings.model_fields))

    assert lines == [
        "SEPAL_ENVIROMENT is not a setting; did you mean SEPAL_ENVIRONMENT?",
        "SEPAL_TRUSTED_KEY is not a setting; did you mean SEPAL_TRUSTED_KEYS?",
        "SEPAL_VERSION is not a setting; did you mean SEPAL_VERSIONS?",
        "SEPAL_X\\u001b[2J is not a setting",
    ]


@pytest.mark.parametrize("name", ["VERSIONS", "SERVICE_HOST", "PORT_8000_TCP_ADDR", "TEST_EVERYTHING"])
def test_variables_of_others_are_not_reported(here: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Settings, variables of Kubernetes for a service called sepal, and the switches of the tests are accepted."""
    monkeypatch.setenv(f"SEPAL_{name}", "refuse")

    assert list(unknown_variables(ArtifactSettings.model_fields)) == []


@pytest.mark.parametrize("line", ["SEPAL_ENVIRONMENT=", "SEPAL_ENVIRONMENT", "sepal_environment="])
def test_an_empty_environment_is_refused(here: Path, line: str) -> None:
    """An empty SEPAL_ENVIRONMENT in `.env`, as from a gap in a template, is an error, not development."""
    (here / ".env").write_text(f"{line}\n")

    with pytest.raises(ValidationError) as refused:
        ArtifactSettings()

    assert list(complaints(refused.value)) == ["SEPAL_ENVIRONMENT is empty: set it to development or production"]


def test_the_environment_wins_over_an_empty_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A variable wins over an empty line of `.env`; with neither it is development."""
    assert not ArtifactSettings().is_production
    (here / ".env").write_text("SEPAL_ENVIRONMENT=\n")
    monkeypatch.setenv("SEPAL_ENVIRONMENT", "production")

    assert ArtifactSettings().is_production
