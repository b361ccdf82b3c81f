"""Fixtures for all tests: one trained store, and one server that does not show values in errors."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from artifacts.keys import generate
from tests.support import postgres, redis_server
from tests.support.redis_server import Redis
from tests.support.server import Api, Server, environment, run, unmeasured, untraced
from train import publish

WIDTH = 200
SIGNS = ("\uff1d1", "+1", "-1.5", "\n=1")

# The duration of an example depends on the machine, so tests do not check it.
hypothesis.settings.register_profile("sepal", deadline=None)
hypothesis.settings.load_profile("sepal")


def pytest_xdist_auto_num_workers() -> int:
    """Return one more than the number of cores, since many tests wait for a server or a deadline."""
    return (os.cpu_count() or 1) + 1


def pytest_configure(config: pytest.Config) -> None:
    """Create a key that signs all versions of this test run, and that no other run trusts."""
    if hasattr(config, "workerinput"):
        return
    folder = Path(tempfile.mkdtemp(prefix="sepal-keys-"))
    config.add_cleanup(lambda: shutil.rmtree(folder))
    os.environ["SEPAL_SIGNING_KEY"] = str(folder / "signing.key")
    os.environ["SEPAL_TRUSTED_KEYS"] = generate(folder / "signing.key").text


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run the last file first on workers: training and the README's tour take long, and should not run last."""
    items.sort(key=lambda item: item.path, reverse=hasattr(config, "workerinput"))


@pytest.fixture(scope="session")
@unmeasured()
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with iris, trained by the command that users run; tests must not change it."""
    folder = tmp_path_factory.mktemp("store")
    trained = run("train", "iris", env=environment(artifacts=folder))
    assert trained.returncode == 0, trained.stdout + trained.stderr
    return folder


@pytest.fixture(scope="session")
def server(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server for iris that never shows values of the request in errors."""
    state = tmp_path_factory.mktemp("state")
    env = environment(artifacts=store, state=state, expose="docs", log_format="json", token_ttl_s=36_000)
    with Server(env) as running:
        yield running


@pytest.fixture(scope="session")
def api(server: Server) -> Api:
    """A client of the server, with a token of every scope."""
    return Api(server, server.bearer())


@pytest.fixture(scope="session")
@untraced()
def zoo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Four small models that ignore unknown names and read NA as null; tests must not change them.

    `mixed` has an integer, a float32 and a nullable column and boolean classes; `single` has one column, and classes
    that a spreadsheet would execute; `signs` has more such classes; `wide` has 200 columns, integer classes and no
    probabilities.
    """
    folder = tmp_path_factory.mktemp("zoo")
    store, draw, rows = Store(folder), np.random.default_rng(0), 200
    noise = draw.normal(size=rows)
    mixed = pd.DataFrame(
        {
            "count": draw.integers(-100, 100, rows).astype(np.int8),
            "ratio": noise.astype(np.float32),
            "extra": np.where(draw.random(rows) < 0.3, np.nan, draw.normal(size=rows)),
        }
    )
    lenient: Any = {"unknown_names": "ignore", "csv_nulls": ["NA"], "store": store}
    trees = HistGradientBoostingClassifier(max_iter=5).fit(mixed, mixed["count"] > 0)
    publish(trees, mixed, mixed["count"] > 0, name="mixed", **lenient)
    single = pd.DataFrame({"x": noise})
    formulas = np.where(noise > 0, "=1+1", "@SUM(A1)")
    publish(DecisionTreeClassifier(max_depth=1).fit(single, formulas), single, formulas, name="single", **lenient)
    kinds = np.array(SIGNS)[np.digitize(noise, [-1, 0, 1])]
    publish(DecisionTreeClassifier().fit(single, kinds), single, kinds, name="signs", **lenient)
    wide, signs = draw.normal(size=(rows, WIDTH)), np.where(noise > 0, 1, -1)
    publish(RidgeClassifier().fit(wide, signs), wide, signs, name="wide", **lenient)
    return folder


@pytest.fixture(scope="session")
def zoo(zoo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server for these models that shows values and escapes every cell."""
    env = environment(
        artifacts=zoo_store,
        state=tmp_path_factory.mktemp("state"),
        default_model="mixed",
        csv_escape="all",
        log_format="json",
        token_ttl_s=36_000,
    )
    with Server(env) as running:
        yield Api(running, running.bearer())


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """Run PostgreSQL with an empty database."""
    binaries = postgres.find_binaries()
    if binaries is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    with postgres.running(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a new database, SQLite and PostgreSQL in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sepal.db'}"
    postgresql: str = request.getfixturevalue("postgres_url")
    return postgresql


@pytest.fixture(scope="module")
def redis() -> Iterator[Redis]:
    """A Redis server for the tests of one file."""
    with redis_server.running() as running:
        yield running
