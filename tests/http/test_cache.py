"""Cached predictions: for models that are slower than a look-up, and for no other."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from artifacts import Store
from tests.http.test_predict import value
from tests.support.server import Api, Server, environment, untraced
from train import publish

ROWS = np.random.default_rng(0).normal(size=(60, 2))


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """Run a server with a nearest-neighbours model, which is slow, and a linear model, which is not."""
    folder = tmp_path_factory.mktemp("cache")
    store = Store(folder / "store")
    X, y = pd.DataFrame(ROWS, columns=["a", "b"]), ROWS[:, 0] > 0
    with untraced():
        for neighbours in (1, 30):
            publish(KNeighborsClassifier(neighbours).fit(X, y), X, y, name="neighbours", store=store)
        store.promote("neighbours", 1, alias="challenger")
        publish(LogisticRegression().fit(X, y), X, y, name="line", store=store)
    with Server(environment(artifacts=store.root, state=folder / "state", cache_rows=100)) as server:
        yield Api(server, server.bearer())


def counts(api: Api, model: str, version: str = "2") -> tuple[float, float]:
    """Return the number of cache hits and misses."""
    hits, misses = (value(api, f"sepal_cache_{kind}_total", model, version) for kind in ("hits", "misses"))
    return hits, misses


def test_a_slow_model_is_cached(api: Api) -> None:
    """A cached row has the same response, byte for byte; the model is called only for a new row next to it."""
    path, (hits, misses) = "/api/v1/models/neighbours/predict", counts(api, "neighbours")

    first = api.predict([[0.25, 0.5]], path)
    again = api.predict([[0.25, 0.5]], path)
    both = api.predict([[0.25, 0.5], [0.75, 0.5]], path)

    assert first.status_code == 200
    assert again.content == first.content
    assert both.json()["probabilities"][0] == first.json()["probabilities"][0]
    assert counts(api, "neighbours") == (hits + 2, misses + 2)


def test_a_fast_model_is_not_cached(api: Api) -> None:
    """A program is as fast as a look-up, so there are neither hits nor misses."""
    for _ in range(3):
        assert api.predict([[0.25, 0.5]], "/api/v1/models/line/predict").status_code == 200

    assert counts(api, "line", "1") == (0, 0)


def test_versions_do_not_share_cached_predictions(api: Api) -> None:
    """Each version has its own predictions for the same rows."""
    rows = [[place / 10, 0.05] for place in range(-9, 10)]

    champion = api.predict(rows, "/api/v1/models/neighbours/predict").json()
    challenger = api.predict(rows, "/api/v1/models/neighbours/predict", version="challenger").json()

    assert (champion["version"], challenger["version"]) == (2, 1)
    assert champion["probabilities"] != challenger["probabilities"]
