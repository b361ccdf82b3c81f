"""The project as a package: together with packages that people train with, and in an environment without make."""

import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.server import ROOT, Server, environment

pytestmark = [pytest.mark.install, pytest.mark.timeout(900)]

PYTHONS = ("3.11", "3.12", "3.13")


def call(*command: str | Path, cwd: Path = ROOT, stdin: str = "") -> str:
    """Run a command that must succeed, and return its output."""
    ended = subprocess.run(
        command, check=False, cwd=cwd, env=environment(), input=stdin, capture_output=True, text=True, timeout=800
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


@pytest.mark.parametrize("python", PYTHONS)
@pytest.mark.parametrize("lock", [None, "requirements.lock"], ids=["bounds", "lock"])
def test_the_project_can_be_installed_with_training_packages(tmp_path: Path, python: str, lock: str | None) -> None:
    """MLflow, boto3, s3fs, JupyterLab and polars resolve with the bounds of the project and with its lock file."""
    neighbours = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["neighbours"]
    constraints = tmp_path / "constraints.txt"
    constraints.write_text("\n".join(_pins((ROOT / lock).read_text())) if lock else "")
    uv: list[str | Path] = [
        Path(sys.executable).with_name("uv"),
        "pip",
        "compile",
        "--quiet",
        f"--python-version={python}",
    ]
    project = ["--extra=train", "pyproject.toml", "-", f"--constraints={constraints}"]

    resolved = call(*uv, *project, stdin="\n".join(neighbours))

    names = {pin.partition("==")[0] for pin in _pins(resolved)}
    assert {"mlflow", "boto3", "s3fs", "jupyterlab", "polars"} <= names


def _pins(text: str) -> list[str]:
    return re.findall(r"^[\w-]+==[^\\\n]+", text, re.MULTILINE)


def test_a_wheel_has_the_three_packages_with_their_data(tmp_path: Path) -> None:
    """A wheel has the template of the model card and the migrations, but no tests, benchmarks or models."""
    call(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", tmp_path, ".")
    [wheel] = tmp_path.iterdir()

    names = set(zipfile.ZipFile(wheel).namelist())

    tracked = call("git", "ls-files", "artifacts", "serve", "train").split()
    assert {name for name in names if ".dist-info/" not in name} == set(tracked)
    assert {"train/card/page.html", "serve/storage/migrations/env.py"} <= names


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The Python of a new environment in which `pip install -e .` was run."""
    folder = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", folder)
    installed = folder / "bin" / "python"
    call(installed, "-m", "pip", "install", "--quiet", "--editable", f"{ROOT}[train]")
    yield installed
    shutil.rmtree(folder)


def test_the_packages_import_from_any_folder(python: Path, tmp_path: Path) -> None:
    """`from train import publish` and the other packages work in a folder outside of the project."""
    code = "from train import publish; import artifacts, serve; print(publish.__module__, artifacts.__file__)"

    assert call(python, "-c", code, cwd=tmp_path).split() == ["train.publishing", str(ROOT / "artifacts/__init__.py")]
    call(python, "-m", "pip", "check")


def test_the_command_trains_and_serves_from_any_folder(python: Path, tmp_path: Path) -> None:
    """`sepal train iris` and `sepal serve run` with two workers work."""
    sepal = str(python.with_name("sepal"))
    env = environment(artifacts=tmp_path / "models", state=tmp_path / "state")
    subprocess.run([sepal, "train", "iris"], check=True, cwd=tmp_path, env=env, timeout=300, capture_output=True)

    with Server(env, ["--workers", "2"], command=(sepal, "serve"), folder=tmp_path) as server:
        assert server.client.get("/health/ready").status_code == 200
        assert server.stop() == 0
