"""The command `sepal`, as the script of an installed package calls it."""

import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from tests.support.server import ROOT, environment

_SCRIPT = "import sys; from {module} import {attr}; sys.argv[0] = 'sepal'; sys.exit({attr}())"


def sepal(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the script that an installer makes of the entry point."""
    [(name, value)] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"].items()
    point = EntryPoint(name=name, value=value, group="console_scripts")
    code = _SCRIPT.format(module=point.module, attr=point.attr)
    return _call("-c", code, *arguments, cwd=cwd)


def _call(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    env = {**environment(), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=False, cwd=cwd, env=env, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("package", ["train", "artifacts", "serve"])
def test_it_stands_for_python_m(tmp_path: Path, package: str) -> None:
    """`sepal train --help` prints what `python -m train --help` prints, under its own name, and so do the others."""
    called = sepal(package, "--help", cwd=tmp_path)

    assert called.returncode == 0, called.stderr
    assert "python -m" not in called.stdout
    known = _call("-m", package, "--help", cwd=tmp_path).stdout.replace(f"python -m {package}", f"sepal {package}")
    # The name's length decides where a usage is wrapped.
    assert called.stdout.split() == known.split()


def test_it_passes_arguments_and_exit_codes_on(tmp_path: Path) -> None:
    """A command's own arguments reach it, and its exit code is the command's."""
    called = sepal("artifacts", "show", "nothing", cwd=tmp_path)

    assert called.returncode == 1
    assert called.stderr.startswith("artifact-missing: ")


def test_help_names_the_commands(tmp_path: Path) -> None:
    """`sepal --help` lists the three packages."""
    called = sepal("--help", cwd=tmp_path)

    assert called.returncode == 0
    assert [line.split()[0] for line in called.stdout.splitlines()[2:]] == ["train", "artifacts", "serve"]


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        ([], "usage: sepal COMMAND"),
        (["nonsense"], "sepal: unknown command 'nonsense'\nusage: sepal COMMAND"),
        (["artifact"], "sepal: unknown command 'artifact'; did you mean artifacts?\nusage: sepal COMMAND"),
    ],
)
def test_another_command_is_a_usage_error(tmp_path: Path, arguments: list[str], first: str) -> None:
    """Without a command, or with an unknown one, which is named, the usage is printed and the exit code is 2."""
    called = sepal(*arguments, cwd=tmp_path)

    assert called.returncode == 2
    assert called.stderr.startswith(first)
