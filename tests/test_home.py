"""Settings, keys, store and state are in the project folder, no matter in which folder a command runs."""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from artifacts.keys import generate
from tests.support.server import ROOT, Api, Server, environment, unmeasured

_PUBLISH = """
import numpy as np
from sklearn.linear_model import LogisticRegression
from train import publish

X = np.arange(12.0).reshape(6, 2)
y = np.array(["low", "low", "low", "high", "high", "high"])
manifest = publish(LogisticRegression().fit(X, y), X, y, name="levels", compiled=False)
print(manifest.publication.promoted, manifest.publication.key, manifest.publication.store)
"""
ROW = [[0.0, 1.0]]


@dataclass(frozen=True)
class Project:
    """A copy of the project, and a folder of notebooks outside of it."""

    root: Path
    notebooks: Path

    def env(self, **settings: object) -> dict[str, str]:
        """Return the environment after `pip install -e` of the copy, with only these settings."""
        given = {"signing_key": "", "trusted_keys": "", **settings}
        return {**environment(**given), "PYTHONPATH": str(self.root)}

    @unmeasured()
    def run(self, *command: str, **settings: object) -> subprocess.CompletedProcess[str]:
        """Run Python in the folder of notebooks."""
        return subprocess.run(
            [sys.executable, *command],
            check=False, cwd=self.notebooks, env=self.env(**settings), capture_output=True, text=True, timeout=100,
        )  # fmt: skip

    def publish(self, **settings: object) -> list[str]:
        """Publish a version from the folder of notebooks, and return the printed lines."""
        (self.notebooks / "pub.py").write_text(_PUBLISH)
        ended = self.run("pub.py", **settings)
        assert (ended.returncode, ended.stderr) == (0, "")
        return ended.stdout.splitlines()

    def served_version(self, store: Path) -> object:
        """Return the version that a server of the project serves."""
        env = self.env(artifacts=store, state=self.root / ".sepal")
        with unmeasured(), Server(env, folder=self.root) as server:
            answer = Api(server, server.bearer()).predict(ROW)
        assert answer.status_code == 200, answer.text
        return answer.json()["version"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project without models, keys and state."""
    here = tmp_path_factory.mktemp("home")
    created = Project(here / "project", here / "notebooks")
    created.notebooks.mkdir()
    left_out = shutil.ignore_patterns("models", "__pycache__")
    for package in ("artifacts", "train", "serve"):
        shutil.copytree(ROOT / package, created.root / package, ignore=left_out)
    # `models` is also the name of a module.
    shutil.copytree(ROOT / "train" / "compile", created.root / "train" / "compile", dirs_exist_ok=True)
    shutil.copy2(ROOT / "pyproject.toml", created.root)
    return created


def test_publishing_from_another_folder_keeps_the_model_served(project: Project, tmp_path: Path) -> None:
    """A script in any folder signs with the key of the project, so the server loads what it publishes."""
    store = tmp_path / "models"

    printed = [project.publish(artifacts=store)]
    versions = [project.served_version(store)]
    printed.append(project.publish(artifacts=store))
    versions.append(project.served_version(store))

    assert versions == [1, 2]
    assert [entry.name for entry in project.notebooks.iterdir()] == ["pub.py"]
    for version, (line, facts) in enumerate(printed, start=1):
        promoted, key, place = facts.split()
        assert (promoted, place) == ("True", str(store))
        assert line == (
            f"published levels version {version} in {store}, signed with key {key}; "
            "live when the server is next started"
        )


def test_without_variables_everything_is_in_the_project(project: Project) -> None:
    """Store, key and `.env` are next to the packages, and nothing is created in the working directory."""
    (project.root / ".env").write_text("SEPAL_SIGNING_KEY=keys/ours.key\n")
    try:
        line = project.publish()[0]
    finally:
        (project.root / ".env").unlink()

    store = project.root / "artifacts" / "models"
    assert line.startswith(f"published levels version 1 in {store}, signed with key ")
    assert (project.root / "keys" / "ours.key.pub").exists()
    assert (store / "levels" / "1" / "manifest.json").exists()
    assert [entry.name for entry in project.notebooks.iterdir()] == ["pub.py"]


def test_sepal_home_sets_the_project_folder(project: Project, tmp_path: Path) -> None:
    """SEPAL_HOME is the folder of `.env` and of its relative paths, including that of a database."""
    (tmp_path / ".env").write_text(
        "SEPAL_ARTIFACTS=store\nSEPAL_STATE=state\nSEPAL_DATABASE_URL=sqlite:///state/users.db\n"
    )

    listed = project.run("-m", "artifacts", "list", home=tmp_path)
    users = project.run("-m", "serve", "users", "list", home=tmp_path)

    assert listed.stdout == f"no model in {tmp_path / 'store'}: python -m train iris makes one\n"
    assert (users.returncode, users.stderr) == (0, "")
    assert (tmp_path / "state" / "users.db").exists()


@pytest.mark.parametrize(
    ("home", "complaint"), [("nowhere/at/all", "absolute path"), ("/nowhere/at/all", "/nowhere/at/all is not a folder")]
)
def test_an_invalid_home_is_refused(project: Project, home: str, complaint: str) -> None:
    """A wrong SEPAL_HOME is reported in one line with exit code 2, and creates no second store or key."""
    ended = project.run("-m", "artifacts", "list", home=home)

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("SEPAL_HOME: ")
    assert complaint in ended.stderr
    assert len(ended.stderr.splitlines()) == 1


def test_home_is_refused_in_the_env_file(project: Project) -> None:
    """SEPAL_HOME in `.env` is refused, because it determines where `.env` is."""
    (project.root / ".env").write_text("SEPAL_HOME=/tmp\n")
    try:
        ended = project.run("-m", "artifacts", "list")
    finally:
        (project.root / ".env").unlink()

    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("SEPAL_HOME: set it in the environment")


def test_packages_without_their_project_need_a_home_or_absolute_paths(project: Project, tmp_path: Path) -> None:
    """Installed without the project, a command asks for SEPAL_HOME, or works with absolute paths, as in a container."""
    for package in ("artifacts", "serve"):
        shutil.copytree(project.root / package, tmp_path / "site" / package)
    installed = Project(tmp_path / "site", project.notebooks)

    lost = installed.run("-m", "artifacts", "list")
    named = installed.run("-m", "artifacts", "list", home=project.root)
    given = installed.run("-m", "artifacts", "list", artifacts=tmp_path)
    signed = installed.run("-m", "artifacts", "keygen", artifacts=tmp_path)

    assert (lost.returncode, lost.stdout) == (2, "")
    assert lost.stderr == (
        "SEPAL_ARTIFACTS: artifacts/models is relative, and no project folder is known: set SEPAL_HOME to yours\n"
    )
    assert (named.returncode, given.returncode) == (0, 0)
    assert f"no model in {tmp_path}" in given.stdout
    assert (signed.returncode, "SEPAL_HOME" in signed.stderr) == (1, True)
    assert "signing.key" not in {path.name for path in project.notebooks.rglob("*")}


def test_a_version_of_an_unknown_key_is_not_promoted(project: Project, tmp_path: Path) -> None:
    """A version of another key is published but not promoted, the output says so, and the champion stays the same."""
    store, foreign = tmp_path / "models", tmp_path / "signing.key"
    generate(foreign)
    project.publish(artifacts=store)

    line, facts = project.publish(artifacts=store, signing_key=foreign)
    promoted = project.run("-m", "artifacts", "promote", "levels@2", artifacts=store, signing_key=foreign)

    key = facts.split()[1]
    assert facts.startswith("False ")
    assert line == (
        f"published levels version 2 in {store}, signed with key {key}; not promoted: key {key} is not in "
        "SEPAL_TRUSTED_KEYS and did not sign the champion, version 1, so servers may not trust it; add the key there, "
        "or use python -m artifacts promote levels@2 --force (in Python: force=True)"
    )
    assert promoted.returncode == 1
    assert promoted.stderr.startswith(f"artifact-untrusted: not promoted: key {key} is not in SEPAL_TRUSTED_KEYS")
    assert project.served_version(store) == 1
    assert [entry.name for entry in project.notebooks.iterdir()] == ["pub.py"]
