"""The Makefile on machines that lack something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT, environment
from tests.wheels import lock, wheel


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


def test_a_newer_release_of_a_pinned_package_changes_nothing(tmp_path: Path) -> None:
    """
    The lock is installed as it is, whatever has been released since.

    A package that requires another with an extra makes pip look for the newest release of it, pinned or not, and in
    hash-checking mode it then refuses that one: `make serve` failed a week after the lock had been made.
    """
    index = tmp_path / "index"
    index.mkdir()
    pinned = [
        wheel(index, "asking", "1.0", requires=["asked[extra]>=1"]),
        wheel(index, "asked", "1.0", extras=["extra"]),
    ]
    wheel(index, "asked", "2.0", extras=["extra"])
    shutil.copy2(ROOT / "Makefile", tmp_path / "Makefile")
    lock(tmp_path / "requirements.lock", pinned)

    ended = subprocess.run(
        ["make", "setup", f"PYTHON={sys.executable}"],
        check=False, cwd=tmp_path, env={**environment(), **offline(index)}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip

    assert ended.returncode == 0, ended.stderr
    assert importing(tmp_path, "asked.VERSION") == "1.0"


def offline(index: Path) -> dict[str, str]:
    """Variables that make a folder of wheels the only index."""
    return {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(index)}


def importing(here: Path, what: str) -> str:
    """The value of `module.NAME` in the environment of a copy of the project."""
    code = f"import {what.partition('.')[0]}; print({what})"
    python = here / ".venv" / "bin" / "python"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout.strip()
