"""What the tests of input share: models of every kind of column and class, on a server that is set otherwise."""

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.tree import DecisionTreeClassifier

from artifacts import Store
from tests import postgres
from tests.server import Api, Server, environment, untraced
from train import publish

WIDTH = 200
SIGNS = ("\uff1d1", "+1", "-1.5", "\n=1")


@pytest.fixture(scope="session")
@untraced()
def zoo_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """
    Four small models; nobody changes them.

    `mixed` has an integer, a float32 and a nullable column and boolean classes; `single` has one column, and
    classes that a spreadsheet would run; `signs` has more such classes; `wide` has 200 columns, integer classes and no
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
    trees = HistGradientBoostingClassifier(max_iter=5).fit(mixed, mixed["count"] > 0)
    publish(trees, mixed, mixed["count"] > 0, name="mixed", store=store)
    single = pd.DataFrame({"x": noise})
    formulas = np.where(noise > 0, "=1+1", "@SUM(A1)")
    publish(DecisionTreeClassifier(max_depth=1).fit(single, formulas), single, formulas, name="single", store=store)
    kinds = np.array(SIGNS)[np.digitize(noise, [-1, 0, 1])]
    publish(DecisionTreeClassifier().fit(single, kinds), single, kinds, name="signs", store=store)
    wide, signs = draw.normal(size=(rows, WIDTH)), np.where(noise > 0, 1, -1)
    publish(RidgeClassifier().fit(wide, signs), wide, signs, name="wide", store=store)
    return folder


@pytest.fixture(scope="session")
def zoo(zoo_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server for these models that shows values, passes over unknown names, knows NA and escapes every cell."""
    env = environment(
        artifacts=zoo_store,
        state=tmp_path_factory.mktemp("state"),
        default_model="mixed",
        error_values="true",
        unknown_names="ignore",
        csv_nulls='["NA"]',
        csv_escape="all",
        log_format="json",
        token_ttl_s=36_000,
    )
    with Server(env) as running:
        yield Api(running, running.bearer())


@pytest.fixture(scope="module")
def postgres_url() -> Iterator[str]:
    """An empty PostgreSQL database."""
    binaries = postgres.find_binaries()
    if binaries is None:
        assert "SEPAL_TEST_EVERYTHING" not in os.environ, "PostgreSQL is not installed"
        pytest.skip("PostgreSQL is not installed")
    with postgres.running(binaries) as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Each kind of database in turn."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'sepal.db'}"
    found: str = request.getfixturevalue("postgres_url")
    return found
