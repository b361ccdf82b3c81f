"""The row cache: each row is predicted once, and a cached row has the same prediction."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from artifacts.predictions import Predictions
from serve.inference.cache import RowCache, is_worthwhile, lookup_s


class Model:
    """Predicts a row from its values, and records its calls."""

    def __init__(self) -> None:
        self.calls: list[list[Sequence[Any]]] = []

    def __call__(self, rows: list[Sequence[Any]]) -> Predictions:
        """Return the sign of the first value as class, and the row as probabilities."""
        self.calls.append(rows)
        return Predictions(np.array([int(row[0] > 0) for row in rows]), np.array(rows, dtype=float))


def test_a_row_is_predicted_once() -> None:
    """Rows that occur twice in a request, or in an earlier one, come from the cache."""
    cache, model = RowCache(10), Model()

    first, cached = cache.predict([[1.5, 2.0], [-1.0, 2.0], [1.5, 2.0]], model)
    again, all_cached = cache.predict([[-1.0, 2.0], [1.5, 2.0]], model)

    assert model.calls == [[[1.5, 2.0], [-1.0, 2.0]]]
    assert (cached, all_cached) == (1, 2)
    assert first.values.tolist() == [1, 0, 1]
    assert again.values.tolist() == [0, 1]
    assert np.array_equal(np.asarray(again.probabilities), [[-1.0, 2.0], [1.5, 2.0]])


@given(st.lists(st.lists(st.tuples(st.integers(-2, 2), st.floats(-2, 2)), min_size=1, max_size=5), max_size=8))
def test_a_cache_changes_no_prediction(requests: list[list[tuple[Any, ...]]]) -> None:
    """Whatever the order of the requests, and however small the cache is, each row has its own prediction."""
    cache, model = RowCache(3), Model()

    for rows in requests:
        predictions, _ = cache.predict(rows, model)
        expected = Model()(list(rows))
        assert predictions.values.tolist() == expected.values.tolist()
        assert np.asarray(predictions.probabilities).tobytes() == np.asarray(expected.probabilities).tobytes()


def test_zeros_of_different_sign_are_different_rows() -> None:
    """They are equal, but a model may divide by them."""
    cache, model = RowCache(10), Model()

    predictions, _ = cache.predict([[1.0, 0.0], [1.0, -0.0]], model)

    assert np.signbit(np.asarray(predictions.probabilities)[:, 1]).tolist() == [False, True]


def test_the_least_recently_used_row_is_evicted() -> None:
    """The size of the cache is bounded; the numbers of a regressor are cached as well."""
    cache, predicted = RowCache(2), []

    def model(rows: list[Sequence[Any]]) -> Predictions:
        predicted.extend(rows)
        return Predictions(np.array([float(row[0]) for row in rows]))

    for row in ([1.0], [2.0], [1.0], [3.0], [1.0], [2.0]):
        predictions, _ = cache.predict([row], model)
        assert predictions.values.tolist() == row
        assert predictions.probabilities is None
    assert predicted == [[1.0], [2.0], [3.0], [2.0]]


def test_only_slow_models_are_worth_a_cache() -> None:
    """A look-up takes time, too: a model must take many times longer for a row."""
    assert is_worthwhile(60 * lookup_s())
    assert not is_worthwhile(10 * lookup_s())
