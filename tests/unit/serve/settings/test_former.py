"""The name of a former setting ends the start, and the line says what replaces it."""

import re
from pathlib import Path

import pytest

from serve.__main__ import main
from serve.settings import Settings
from serve.settings.former import FORMER, former_names


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder with no `.env` yet."""
    monkeypatch.setenv("SEPAL_HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", FORMER)
def test_each_former_name_is_reported(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """The line names the former setting, and what to do."""
    monkeypatch.setenv(name, "1")

    assert list(former_names()) == [f"{name} is no longer a setting: {FORMER[name]}"]


def test_what_replaces_a_former_name_exists() -> None:
    """No former name is a setting, and each setting that a line names is one."""
    known = {f"SEPAL_{name.upper()}" for name in Settings.model_fields}

    assert not FORMER.keys() & known
    assert {name for instead in FORMER.values() for name in re.findall(r"SEPAL_[A-Z_]*[A-Z]", instead)} <= known


def test_a_former_name_in_a_file_is_reported_too(here: Path) -> None:
    """A former name in `.env` is reported in small letters and without a value, too."""
    (here / ".env").write_text("sepal_max_depth=\n# SEPAL_READER_S=3\n")

    assert len(list(former_names())) == 1


def test_a_former_name_ends_the_start(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """Every command of the server ends with exit code 2, and prints a line for each former name and nothing else."""
    monkeypatch.setenv("SEPAL_RATE_LOGIN", "5/minute")
    monkeypatch.setenv("SEPAL_MAX_DEPTH", "9")

    assert main(["users", "list"]) == 2
    assert capsys.readouterr().err.splitlines() == [
        "SEPAL_MAX_DEPTH is no longer a setting: it is a constant now: remove the variable",
        "SEPAL_RATE_LOGIN is no longer a setting: use SEPAL_RATES=login=60/minute",
    ]
