"""The Makefile: the environment that it creates and updates, and machines without a requirement."""

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
    """Run make in a copy of the project, and return the ended process."""
    return subprocess.run(
        ["make", *targets],
        check=False, cwd=here, env={**environment(), **env}, capture_output=True, text=True, timeout=100,
    )  # fmt: skip


def program(here: Path, text: str) -> Path:
    """Write a shell script, and return its path."""
    here.write_text(f"#!/bin/sh\n{text}\n")
    here.chmod(0o755)
    return here


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A copy of the Makefile and of the files that it reads, without an environment."""
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
def test_a_missing_requirement_is_explained(here: Path, python: str, advice: str) -> None:
    """Without python3-venv, or with an old Python, make prints advice and no traceback."""
    ended = make(here, "serve", f"PYTHON={program(here / 'python', python)}")

    assert ended.returncode != 0
    assert advice in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (here / ".venv").exists()


def test_help_has_one_line_per_target(here: Path) -> None:
    """`make help` and `make` list every target with its purpose, and create no environment."""
    lines = make(here, "help", "PYTHON=false").stdout.splitlines()

    targets = ["help", "setup", "train", "serve", "token", "test", "coverage", "check"]
    assert [line.split()[0] for line in lines][:8] == targets
    assert all(len(line.split()) > 2 for line in lines)
    assert make(here, "PYTHON=false").stdout.splitlines() == lines


def test_make_ignores_exported_hosts_and_ports(here: Path) -> None:
    """HOST and PORT count on the command line of make, and are ignored if the shell exports them."""
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
    """Serving and training install no test tools and no linters."""
    for target in targets:
        lines = make(here, "-n", target).stdout.splitlines()

        installed = {line.split()[-1] for line in lines if " -r " in line}
        assert installed == locks, target


@pytest.fixture(params=["pip", "uv"])
def index(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """
    The only package index: a folder of wheels, with and without uv on the PATH.

    A uv that does not run, such as the stub of a version manager, is the same as no uv.
    """
    folder, programs = tmp_path / "index", tmp_path / "programs"
    folder.mkdir()
    programs.mkdir()
    uv = shutil.which("uv", path=f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    if request.param == "uv" and uv is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "uv is not installed"
        pytest.skip("uv is not installed")
    program(programs / "uv", f'exec {uv} "$@"' if request.param == "uv" else "exit 127")
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
    """A project with the real Makefile, and with lock files that pin an older release than the newest."""
    write_project(here)
    asking = wheel(index, "asking", "1.0", requires=["asked[extra]>=1"])
    asked = wheel(index, "asked", "1.0", extras=["extra"])
    wheel(index, "asked", "2.0", extras=["extra"])
    lock(here / "requirements.lock", asking, asked)
    lock(here / "requirements-dev.lock", asking, asked, wheel(index, "linter", "1.0"))
    return here


def install(here: Path, target: str) -> None:
    """Run a target that installs packages."""
    ended = make(here, target, f"PYTHON={sys.executable}")
    assert ended.returncode == 0, ended.stderr


def installed(here: Path) -> dict[str, str]:
    """Return every distribution in the environment with its version, except those of venv."""
    code = "from importlib.metadata import distributions as d; print(*(f'{x.name}={x.version}' for x in d()))"
    python = here / ".venv" / "bin" / "python"
    printed = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout
    versions = dict(word.split("=") for word in printed.split())
    return {name: version for name, version in versions.items() if name not in {"pip", "setuptools"}}


def test_a_newer_release_of_a_pinned_package_changes_nothing(small: Path) -> None:
    """
    The lock file and the project are installed unchanged, even if a newer release of a package exists.

    If a package requires another one with an extra, pip looks for its newest release even if it is pinned, and refuses
    it in hash-checking mode: `make serve` failed a week after the lock file had been written.
    """
    install(small, STAMP)

    assert installed(small) == {"asking": "1.0", "asked": "1.0", "project": "1.0"}


def test_the_environment_grows_and_keeps_what_a_user_installed(small: Path, index: Path) -> None:
    """Test tools are added to the environment, a changed lock is installed over it, and other packages stay."""
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
def test_a_broken_environment_is_created_again(small: Path, damage: str) -> None:
    """An incomplete environment, or one whose Python was removed from the machine, is replaced."""
    programs = small / ".venv" / "bin"
    programs.mkdir(parents=True)
    (programs / "python").symlink_to("/bin/false" if damage == "no pip" else "/nowhere/python")

    install(small, STAMP)

    assert installed(small)["asked"] == "1.0"
