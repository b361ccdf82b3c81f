"""Models that include their own code: published from the folder of a notebook, served without that folder."""

import csv
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from artifacts import Store
from artifacts.errors import ArtifactDigest, ArtifactFormat, ArtifactIncomplete
from artifacts.own_code import pack
from artifacts.version_folder import CODE
from tests.support.server import ROOT, Api, Server, environment, run, unmeasured
from tests.support.version_folders import amend, seal

FEATURES = """
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin


class Ratio(BaseEstimator, TransformerMixin):
    def fit(self, X, y=None):
        return self

    def transform(self, X):
        import price_helpers

        if (X["rooms"] > 100).any():
            raise ValueError("this is no flat")
        return X.assign(ratio=X["area"] / X["rooms"] + price_helpers.OFFSET)


def keep_ratio(X):
    return X[["ratio"]]
"""
# Run in a folder that is not the project.
PUBLISH = """
import pandas as pd
from price_features import Ratio, keep_ratio
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from train import publish

X = pd.DataFrame({"area": [50.0, 80.0, 120.0, 60.0], "rooms": [2.0, 3.0, 3.0, 1.0]})
y = [25.0, 26.0, 40.0, 60.0]
model = make_pipeline(Ratio(), FunctionTransformer(keep_ratio), LinearRegression()).fit(X, y)
model[-1].coef_[:], model[-1].intercept_ = 1, 0  # the ratio itself
publish(model, X, y, name="price")
"""


def publish(notebooks: Path, store: Path, offset: int) -> None:
    """Publish the next version from the folder of the notebook, with a new offset."""
    notebooks.mkdir(exist_ok=True)
    (notebooks / "price_features.py").write_text(FEATURES)
    (notebooks / "price_helpers.py").write_text(f"OFFSET = {offset}\n")
    env = {**environment(artifacts=store), "PYTHONPATH": str(ROOT)}
    with unmeasured():
        published = subprocess.run(
            [sys.executable, "-c", PUBLISH], cwd=notebooks, env=env, capture_output=True, text=True, check=False
        )
    assert published.returncode == 0, published.stderr


@pytest.fixture(scope="module")
def prices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a store with two versions of a model, whose modules have the same names and different code."""
    folder = tmp_path_factory.mktemp("prices")
    for offset in (1000, 2000):
        publish(folder / "notebooks", folder / "store", offset)
    Store(folder / "store").promote("price", 1, alias="former")
    return folder / "store"


@pytest.fixture(scope="module")
def client(prices: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server that has loaded both."""
    env = environment(artifacts=prices, state=tmp_path_factory.mktemp("state"), log_format="json")
    with Server(env) as server:
        yield Api(server, server.bearer())


def test_two_versions_with_the_same_module_names_are_served_at_once(client: Api) -> None:
    """Each version predicts with its own code, in any order, although it imports a module only then."""
    rows = [{"area": 100.0, "rooms": 4.0}]

    predictions = [
        client.predict(rows, version=version).json()["predictions"] for version in ("2", "1", "champion", "former")
    ]

    assert predictions == [[pytest.approx(number)] for number in (2025, 1025, 2025, 1025)]


def test_a_csv_is_predicted_with_own_code(client: Api) -> None:
    """Blocks are predicted by the same model."""
    answer = client.post_csv(b"area,rooms\n100,4\n90,3\n")

    assert [float(row["prediction"]) for row in csv.DictReader(io.StringIO(answer.text))] == [2025, 2030]


def test_a_failure_in_own_code_is_logged_with_its_line(client: Api) -> None:
    """The log has the version, the publisher's file and the line, although the server has no such file."""
    assert client.predict([{"area": 1.0, "rooms": 101.0}]).status_code == 422

    assert client.server.line("model failed")["line"] == "<price@2>/price_features.py:14"


def test_the_commands_verify_and_show_own_code(prices: Path) -> None:
    """`verify` loads both in one process, and `show` lists the code with the other files."""
    env = environment(artifacts=prices)

    verified, shown = run("artifacts", "verify", env=env), run("artifacts", "show", "price@1", env=env)

    assert (verified.returncode, verified.stdout.count("  ok  ")) == (0, 2)
    assert "own code    price_features.py, price_helpers.py" in shown.stdout
    assert "  code.zip      sha256 " in shown.stdout
    assert "requires    joblib==" in shown.stdout
    assert "pandas==" in shown.stdout


def test_changed_code_is_never_executed(prices: Path, tmp_path: Path) -> None:
    """Code whose bytes differ from the signed ones is refused before it runs."""
    sentinel = tmp_path / "ran"
    evil = pack({"price_features.py": f"open({str(sentinel)!r}, 'w')".encode(), "price_helpers.py": b""})
    store = Store(prices)
    folder = prices / "price" / "1"
    kept = {file: file.read_bytes() for file in folder.iterdir()}
    try:
        (folder / CODE).write_bytes(evil)
        with pytest.raises(ArtifactDigest, match=r"code\.zip was changed"):
            store.load("price", 1)
        (folder / CODE).unlink()
        with pytest.raises(ArtifactIncomplete, match=r"missing: code\.zip"):
            store.load("price", 1)
        amend(folder, lambda manifest: (manifest["files"].pop(CODE), manifest["sizes"].pop(CODE)))
        with pytest.raises(ArtifactIncomplete, match=r"missing: code\.zip"):
            store.load("price", 1)
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
    assert not sentinel.exists()


def test_code_that_the_manifest_does_not_list_is_refused(prices: Path) -> None:
    """A signed archive with other modules than those that the manifest lists is refused."""
    folder = prices / "price" / "1"
    kept = {file: file.read_bytes() for file in folder.iterdir()}
    try:
        seal(folder, CODE, pack({"other.py": b""}))
        with pytest.raises(ArtifactFormat, match=r"code\.zip cannot be read: its files are not those"):
            Store(prices).load("price", 1)
    finally:
        for file, content in kept.items():
            file.write_bytes(content)
