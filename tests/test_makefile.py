"""The Makefile: the environment that it makes and updates, and machines that lack something."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.server import ROOT, environment
from tests.support.wheels import lock, wheel, write_project

STAMP = ".venv/.complete"
LOCKS = ("requirements.lock", "requirements-dev.lock")


def make(here: Path, *targets: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy of the project; how it ends is the caller's affair."""
    return subprocess.run(
        ["make", *targets],
        check=False, cwd=here, env={**environment(), **env}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def program(here: Path, text: str) -> Path:
    """A shell script."""
    here.write_text(f"#!/bin/sh\n{text}\n")
    here.chmod(0o755)
    return here


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A copy of the project's Makefile and of what it reads, without an environment."""
    for name in ("Makefile", "pyproject.toml", *LOCKS):
        shutil.copy2(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.mark.parametrize(
    ("python", "advice"),
    [
        ('case "$2" in *ensurepip*) exit 1;; esac', "sudo apt install python3-venv"),
        ('case "$2" in *version_info*) exit 1;; esac', "Python 3.11 or newer"),
    ],
    ids=["no venv module", "an old Python"],
)
def test_what_is_missing_is_explained(here: Path, python: str, advice: str) -> None:
    """Without python3-venv, or with an old Python, make ends with advice, and prints no traceback."""
    ended = make(here, "serve", f"PYTHON={program(here / 'python', python)}")

    assert ended.returncode != 0
    assert advice in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (here / ".venv").exists()


def test_help_is_one_line_a_target(here: Path) -> None:
    """`make help`, and `make` alone, list every target with its purpose, and make no environment for it."""
    lines = make(here, "help", "PYTHON=false").stdout.splitlines()

    targets = ["help", "setup", "train", "serve", "token", "test", "coverage", "check"]
    assert [line.split()[0] for line in lines][:8] == targets
    assert all(len(line.split()) > 2 for line in lines)
    assert make(here, "PYTHON=false").stdout.splitlines() == lines


def test_only_the_command_line_says_where_to_listen(here: Path) -> None:
    """A HOST that the shell exports is not taken for ours; one that is given to make is."""
    printed = make(here, "-n", "serve", "PORT=8123", "WORKERS=2", HOST="x86_64-linux").stdout

    assert "--port 8123" in printed
    assert "--workers 2" in printed
    assert "--host" not in printed


@pytest.mark.parametrize(
    ("targets", "locks"),
    [
        (("serve", "train", "token"), {"requirements.lock"}),
        (("setup", "test", "check", "bench", "format", "lock"), set(LOCKS)),
    ],
    ids=["a user", "a contributor"],
)
def test_each_target_installs_what_it_needs(here: Path, targets: tuple[str, ...], locks: set[str]) -> None:
    """Serving and training install neither test tools nor linters."""
    for target in targets:
        lines = make(here, "-n", target).stdout.splitlines()

        installed = {line.split()[-1] for line in lines if " -r " in line}
        assert installed == locks, target


@pytest.fixture(params=["pip", "uv"])
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    The only index there is: a folder of wheels, for an installer that make finds on the PATH or not.

    A uv that is found and does not run, as a version manager's is, is none.
    """
    folder, programs = tmp_path / "index", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    found = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if request.param == "uv" and found is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "uv is not installed"
        pytest.skip("uv is not installed")
    program(programs / "uv", f'exec {found} "$@"' if request.param == "uv" else "exit 127")
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
    for prefix in ("PIP", "UV"):
        monkeypatch.setenv(f"{prefix}_NO_INDEX", "1")
        monkeypatch.setenv(f"{prefix}_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    return folder


@pytest.fixture
def small(here: Path, index: Path) -> Path:
    """A project with the real Makefile, and lock files that pin an older release than the newest."""
    write_project(here)
    asking = wheel(index, "asking", "1.0", requires=["asked[extra]>=1"])
    asked = wheel(index, "asked", "1.0", extras=["extra"])
    wheel(index, "asked", "2.0", extras=["extra"])
    lock(here / "requirements.lock", asking, asked)
    lock(here / "requirements-dev.lock", asking, asked, wheel(index, "linter", "1.0"))
    return here


def install(here: Path, target: str) -> None:
    """Make a target that installs."""
    ended = make(here, target, f"PYTHON={sys.executable}")
    assert ended.returncode == 0, ended.stderr


def installed(here: Path) -> dict[str, str]:
    """Every distribution in the environment with its version, but for what venv brings."""
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}={x.version}' for x in d()))"
    python = here / ".venv" / "bin" / "python"
    printed = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    found = dict(word.split("=") for word in printed.split())
    return {name: version for name, version in found.items() if name not in {"pip", "setuptools"}}


def test_a_newer_release_of_a_pinned_package_changes_nothing(small: Path) -> None:
    """
    The lock is installed as it is, whatever has been released since, and so is the project.

    A package that requires another with an extra makes pip look for the newest release of it, pinned or not, and in
    hash-checking mode it then refuses that one: `make serve` failed a week after the lock had been made.
    """
    install(small, STAMP)

    assert installed(small) == {"asking": "1.0", "asked": "1.0", "project": "1.0"}


def test_the_environment_grows_and_keeps_what_a_user_installed(small: Path, index: Path) -> None:
    """What tests and checks is added to what serves, a changed lock is installed over it, and nothing else changes."""
    install(small, STAMP)
    own = wheel(index, "own", "3.0")
    pip = [str(small / ".venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", str(own)]
    subprocess.run(pip, check=True, timeout=60)
    install(small, "setup")
    pins = {"asking": "1.0", "project": "1.0", "linter": "1.0", "own": "3.0"}
    assert installed(small) == {**pins, "asked": "1.0"}

    lock(small / "requirements.lock", index / "asking-1.0-py3-none-any.whl", index / "asked-2.0-py3-none-any.whl")
    install(small, STAMP)

    assert installed(small) == {**pins, "asked": "2.0"}


@pytest.mark.parametrize("index", ["pip"], indirect=True)
@pytest.mark.parametrize("damage", ["no pip", "no Python"])
def test_an_environment_that_does_not_run_is_made_anew(small: Path, damage: str) -> None:
    """One that was cut short, or whose Python has been removed from the machine, is replaced."""
    programs = small / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to("/bin/false" if damage == "no pip" else "/nowhere/python")

    install(small, STAMP)

    assert installed(small)["asked"] == "1.0"
