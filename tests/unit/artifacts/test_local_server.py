"""Printed commands work in the current folder."""

import shlex
import sys
from pathlib import Path

import pytest

from artifacts.local_server import api, serve_command, token_command
from tests.support.server import ROOT


@pytest.mark.parametrize(
    ("said", "port"), [("8123", "8123"), ("", "8000"), ("tcp://10.0.0.1:80", "8000"), ("0", "8000")]
)
def test_the_address_has_the_port_of_the_settings(monkeypatch: pytest.MonkeyPatch, said: str, port: str) -> None:
    """An invalid port, as in a pod of Kubernetes, is replaced by the default."""
    monkeypatch.setenv("SEPAL_PORT", said)

    assert api() == f"http://127.0.0.1:{port}/api/v1"


def test_the_clone_uses_make(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a clone, make also installs the environment."""
    monkeypatch.chdir(ROOT)

    assert (serve_command(), token_command()) == ("make serve", "make -s token")


def test_other_folders_use_sepal_or_python(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A Makefile of another project is ignored; without `sepal` on the path, this Python is used."""
    (tmp_path / "Makefile").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    python = f"{shlex.quote(sys.executable)} -m serve"
    assert (serve_command(), token_command()) == (f"{python} run", f"{python} token")

    (tmp_path / "sepal").touch(mode=0o755)

    assert (serve_command(), token_command()) == ("sepal serve run", "sepal serve token")
