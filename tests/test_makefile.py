"""The Makefile on machines that lack something."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.server import ROOT, environment


def make(here: Path, python: str, *targets: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of the project that has no environment yet, with this for a Python."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy2(ROOT / name, here / name)
    fake = here / "python"
    fake.write_text(f"#!/bin/sh\n{python}\n")
    fake.chmod(0o755)
    return subprocess.run(
        ["make", *targets, f"PYTHON={fake}"],
        check=False, cwd=here, env=environment(), capture_output=True, text=True, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("python", "advice"),
    [
        ('case "$2" in *ensurepip*) exit 1;; esac', "sudo apt install python3-venv"),
        ('case "$2" in *version_info*) exit 1;; esac', "Python 3.11 or newer"),
    ],
    ids=["no venv module", "an old Python"],
)
def test_what_is_missing_is_explained(tmp_path: Path, python: str, advice: str) -> None:
    """Without python3-venv, or with an old Python, make ends with advice, and dumps no traceback."""
    ended = make(tmp_path, python, "serve")

    assert ended.returncode != 0
    assert advice in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / ".venv").exists()


def test_help_is_one_line_a_target(tmp_path: Path) -> None:
    """`make help`, and `make` alone, list every target with its purpose, and make no environment for it."""
    lines = make(tmp_path, "exit 1", "help").stdout.splitlines()

    assert [line.split()[0] for line in lines][:7] == ["help", "setup", "train", "serve", "token", "test", "check"]
    assert all(len(line.split()) > 2 for line in lines)
    assert make(tmp_path, "exit 1").stdout.splitlines() == lines


def test_only_the_command_line_says_where_to_listen(tmp_path: Path) -> None:
    """A HOST that the shell exports is not taken for ours; one that is given to make is."""
    for name in ("Makefile", "requirements.lock"):
        shutil.copy2(ROOT / name, tmp_path / name)
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / ".complete").touch()

    printed = subprocess.run(
        ["make", "-n", "serve", "PORT=8123", "WORKERS=2"],
        check=True, cwd=tmp_path, env={**environment(), "HOST": "x86_64-linux"}, capture_output=True, text=True,
    ).stdout  # fmt: skip

    assert "--port 8123" in printed
    assert "--workers 2" in printed
    assert "--host" not in printed
