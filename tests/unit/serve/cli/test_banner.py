"""The start-up message of development, printed in this process."""

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from artifacts import Store
from serve.app.development import USER, ensure_secrets
from serve.cli.banner import print_banner
from serve.settings import Settings
from tests.support import tiny_models


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with the models tiny and other, which tests must not change."""
    folder = tmp_path_factory.mktemp("store")
    tiny = tiny_models.make()
    for model in ("tiny", "other"):
        tiny.publish(Store(folder), model=model)
    return folder


@pytest.fixture
def settings(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a server with that store, which trusts the key of the test run."""
    monkeypatch.chdir(tmp_path)
    return Settings(artifacts=folder, state=tmp_path / "state", port=8123)


def banner(
    capsys: pytest.CaptureFixture[str],
    settings: Settings,
    models: Sequence[str] = ("tiny",),
    problems: Sequence[str] = (),
    **other: Any,
) -> str:
    """Return what is printed with these settings."""
    print_banner(settings.model_copy(update=other), models=models, problems=problems)
    return capsys.readouterr().out


@pytest.mark.parametrize(
    ("host", "base"),
    [
        ("127.0.0.1", "http://127.0.0.1:8123"),
        ("0.0.0.0", "http://127.0.0.1:8123"),
        ("::", "http://127.0.0.1:8123"),
        ("::1", "http://[::1]:8123"),
        ("example.com", "http://example.com:8123"),
    ],
)
def test_the_address_can_be_opened(
    capsys: pytest.CaptureFixture[str], settings: Settings, host: str, base: str
) -> None:
    """A server that listens on all addresses is reachable at the local one."""
    printed = banner(capsys, settings, host=host)

    assert f"sepal listens on {base} (development)" in printed
    assert f"{base}/docs" in printed
    assert f"curl -s {base}/api/v1/models/tiny/predict" in printed


def test_the_password_is_not_printed(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    """The message names the user and the file that has the password."""
    printed = banner(capsys, settings)

    secrets = ensure_secrets(settings.state)
    assert f"{USER}, password in {secrets.file}" in printed
    assert secrets.password not in printed


def test_the_curl_sends_a_valid_row(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    """Its body is the first example of the model."""
    command = banner(capsys, settings).partition("curl ")[2]

    body = json.loads(shlex.split(command)[-1])
    assert body == {"instances": [[0.5, 1]]}


@pytest.mark.parametrize(("default", "model"), [("tiny", "tiny"), ("unknown", "other"), ("", "other")])
def test_the_curl_calls_the_default_model_or_the_first_loaded_one(
    capsys: pytest.CaptureFixture[str], settings: Settings, default: str, model: str
) -> None:
    """A default model that is not loaded is not called."""
    printed = banner(capsys, settings, ["other", "tiny"], default_model=default)

    assert f"/models/{model}/predict" in printed


def test_each_problem_has_a_line(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    """They follow the login."""
    lines = banner(capsys, settings, problems=["one", "two"]).splitlines()

    assert [line for line in lines if line.startswith("  problem")] == ["  problem   one", "  problem   two"]


def test_without_models_the_message_says_how_to_make_one(
    capsys: pytest.CaptureFixture[str], settings: Settings
) -> None:
    """There is nothing that a curl could call."""
    printed = banner(capsys, settings, models=[])

    assert "no model is loaded: make train" in printed
    assert "curl" not in printed


def test_a_model_that_has_changed_meanwhile_is_reported(capsys: pytest.CaptureFixture[str], settings: Settings) -> None:
    """The message has the reason instead of a curl that would fail."""
    printed = banner(capsys, settings, models=["removed"])

    assert "no curl   removed has changed meanwhile: " in printed
    assert "curl -s" not in printed
