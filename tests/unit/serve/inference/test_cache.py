"""Answers that are remembered: row by row, for models that are slower than remembering, and for no other."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from artifacts import Store
from artifacts.predictions import Predictions
from artifacts.signature import Columns
from serve.inference.cache import RowCache, lookup_s, pays, plain_rows
from serve.inference.model_errors import ModelErrors
from serve.inference.observers import Observers
from serve.inference.registry import LoadedModel, Registry
from serve.inference.service import InferenceService
from tests.http.test_predict import value
from tests.support import tiny_models
from tests.support.server import Api, Server, environment, untraced
from train import publish

ROWS = np.random.default_rng(0).normal(size=(60, 2))


class Model:
    """Says of a row what it is made of, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[Sequence[Any]]] = []

    def __call__(self, rows: list[Sequence[Any]]) -> Predictions:
        """The class is the first value's sign, the probabilities are the row."""
        self.asked.append(rows)
        return Predictions(np.array([int(row[0] > 0) for row in rows]), np.array(rows, dtype=float))


def test_a_row_is_asked_once() -> None:
    """Rows that are known, twice in one request or from an earlier one, are told again without the model."""
    cache, model = RowCache(10), Model()

    first, known = cache.predict([[1.5, 2.0], [-1.0, 2.0], [1.5, 2.0]], model)
    again, all_known = cache.predict([[-1.0, 2.0], [1.5, 2.0]], model)

    assert model.asked == [[[1.5, 2.0], [-1.0, 2.0]]]
    assert (known, all_known) == (1, 2)
    assert first.values.tolist() == [1, 0, 1]
    assert again.values.tolist() == [0, 1]
    assert np.array_equal(np.asarray(again.probabilities), [[-1.0, 2.0], [1.5, 2.0]])


@given(st.lists(st.lists(st.tuples(st.integers(-2, 2), st.floats(-2, 2)), min_size=1, max_size=5), max_size=8))
def test_a_cache_changes_no_answer(requests: list[list[tuple[Any, ...]]]) -> None:
    """Whatever is asked in whatever order, and however little is kept, each row gets its own answer."""
    cache, model = RowCache(3), Model()

    for rows in requests:
        told, _ = cache.predict(rows, model)
        plain = Model()(list(rows))
        assert told.values.tolist() == plain.values.tolist()
        assert np.asarray(told.probabilities).tobytes() == np.asarray(plain.probabilities).tobytes()


def test_a_zero_of_the_other_sign_is_another_row() -> None:
    """They are equal, and a model may divide by them."""
    cache, model = RowCache(10), Model()

    told, _ = cache.predict([[1.0, 0.0], [1.0, -0.0]], model)

    assert np.signbit(np.asarray(told.probabilities)[:, 1]).tolist() == [False, True]


def test_what_was_used_least_is_forgotten() -> None:
    """The memory is bounded; numbers of a regressor are remembered as well."""
    cache, asked = RowCache(2), []

    def model(rows: list[Sequence[Any]]) -> Predictions:
        asked.extend(rows)
        return Predictions(np.array([float(row[0]) for row in rows]))

    for row in ([1.0], [2.0], [1.0], [3.0], [1.0], [2.0]):
        told, _ = cache.predict([row], model)
        assert told.values.tolist() == row
        assert told.probabilities is None
    assert asked == [[1.0], [2.0], [3.0], [2.0]]


def test_a_model_must_be_much_slower_than_a_look_up() -> None:
    """Both are measured: a model that takes a millisecond is remembered, one of some microseconds is not."""
    assert 0 < lookup_s() < 1e-3
    assert pays(60 * lookup_s())
    assert not pays(10 * lookup_s())


@pytest.mark.parametrize(("promised", "is_cached", "deadline_s"), [
    ({}, True, None),
    ({"cache": False, "deadline_s": 60.0}, False, 60.0),
])  # fmt: skip
def test_a_version_is_cached_and_timed_as_it_was_published(
    tmp_path: Path, promised: dict[str, Any], is_cached: bool, deadline_s: float | None
) -> None:
    """`publish(cache=False)` keeps a slow model out of the cache, and `deadline_s` replaces the server's deadline."""
    tiny_models.make(**promised).publish(Store(tmp_path))
    decoder: Any = None
    model = LoadedModel("tiny", 1, Store(tmp_path).load("tiny", 1), decoder, row_s=1.0)
    batcher, errors = Mock(), ModelErrors(lambda _model, _version: None)
    service = InferenceService(Registry(), batcher=batcher, errors=errors, observers=Observers(), cache_rows=10)

    service.queue(model)

    [(joint, _), options] = batcher.call_args
    assert (joint._cache is not None) == is_cached
    assert options.get("deadline_s") == deadline_s


def test_a_table_is_plain_rows_again() -> None:
    """Large bodies come as arrays, and mean the same rows as small ones."""
    columns = Columns((np.array([1.5, np.nan]), np.array(["a", None], dtype=object)))

    assert plain_rows(columns) == [[1.5, "a"], [None, None]]
    assert plain_rows(np.array([[1.5, 2.0]])) == [[1.5, 2.0]]


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """A server with neighbours, which take long, and a line, which does not."""
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


def counted(api: Api, model: str, version: str = "2") -> tuple[float, float]:
    """Hits and misses."""
    return tuple(value(api, f"sepal_cache_{kind}_total", model, version) for kind in ("hits", "misses"))  # type: ignore[return-value]


def test_a_slow_model_is_remembered(api: Api) -> None:
    """The same answer, byte for byte, without the model; a new row beside a known one is asked by itself."""
    path, (hits, misses) = "/api/v1/models/neighbours/predict", counted(api, "neighbours")

    first = api.predict([[0.25, 0.5]], path)
    again = api.predict([[0.25, 0.5]], path)
    both = api.predict([[0.25, 0.5], [0.75, 0.5]], path)

    assert first.status_code == 200
    assert again.content == first.content
    assert both.json()["probabilities"][0] == first.json()["probabilities"][0]
    assert counted(api, "neighbours") == (hits + 2, misses + 2)


def test_a_quick_model_is_not(api: Api) -> None:
    """A program answers as soon as a memory would: nothing is counted, for nothing is kept."""
    for _ in range(3):
        assert api.predict([[0.25, 0.5]], "/api/v1/models/line/predict").status_code == 200

    assert counted(api, "line", "1") == (0, 0)


def test_versions_do_not_share_answers(api: Api) -> None:
    """What one version said is never told for another, whatever the row."""
    rows = [[place / 10, 0.05] for place in range(-9, 10)]

    champion = api.predict(rows, "/api/v1/models/neighbours/predict").json()
    other = api.predict(rows, "/api/v1/models/neighbours/predict", version="challenger").json()

    assert (champion["version"], other["version"]) == (2, 1)
    assert champion["probabilities"] != other["probabilities"]
