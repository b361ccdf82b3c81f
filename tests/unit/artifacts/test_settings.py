"""What the environment and `.env` say, and what they seem to say."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from artifacts import ArtifactSettings
from artifacts.settings import complaints, misspelt


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, for its `.env`."""
    monkeypatch.setenv("SEPAL_HOME", str(tmp_path))
    monkeypatch.delenv("SEPAL_ENVIRONMENT", raising=False)
    return tmp_path


def test_a_misspelt_name_is_told_with_what_was_meant(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In the environment and in `.env`, in capitals or not; what nobody can have meant is told without a guess."""
    monkeypatch.setenv("SEPAL_ENVIROMENT", "production")
    monkeypatch.setenv("SEPAL_X\x1b[2J", "")
    (here / ".env").write_text("sepal_trusted_key=x\nSEPAL_VERSION=\n# SEPAL_RUNTIM=sklearn\nOTHER=1\n")

    told = list(misspelt(ArtifactSettings.model_fields))

    assert told == [
        "SEPAL_ENVIROMENT is no setting; did you mean SEPAL_ENVIRONMENT?",
        "SEPAL_TRUSTED_KEY is no setting; did you mean SEPAL_TRUSTED_KEYS?",
        "SEPAL_VERSION is no setting; did you mean SEPAL_VERSIONS?",
        "SEPAL_X\\u001b[2J is no setting",
    ]


@pytest.mark.parametrize("name", ["VERSIONS", "SERVICE_HOST", "PORT_8000_TCP_ADDR", "TEST_EVERYTHING"])
def test_names_that_somebody_else_gives_are_passed_over(here: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Settings, what Kubernetes tells of a service called sepal, and the switches of the tests are no mistakes."""
    monkeypatch.setenv(f"SEPAL_{name}", "refuse")

    assert list(misspelt(ArtifactSettings.model_fields)) == []


@pytest.mark.parametrize("line", ["SEPAL_ENVIRONMENT=", "SEPAL_ENVIRONMENT", "sepal_environment="])
def test_an_environment_that_is_empty_is_a_mistake(here: Path, line: str) -> None:
    """A gap in a template does not make a development server."""
    (here / ".env").write_text(f"{line}\n")

    with pytest.raises(ValidationError) as refused:
        ArtifactSettings()

    assert list(complaints(refused.value)) == ["SEPAL_ENVIRONMENT is empty: development or production"]


def test_the_environment_wins_over_an_empty_line(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said where it counts may be left open elsewhere, and what is said nowhere is development."""
    assert not ArtifactSettings().is_production
    (here / ".env").write_text("SEPAL_ENVIRONMENT=\n")
    monkeypatch.setenv("SEPAL_ENVIRONMENT", "production")

    assert ArtifactSettings().is_production
