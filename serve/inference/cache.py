"""A cache of predicted rows, for models that take longer to predict a row than a look-up takes."""

from collections.abc import Callable, Hashable, Sequence
from functools import cache
from threading import Lock
from timeit import repeat
from typing import Any, TypeAlias

import numpy as np
from cachetools import LRUCache

from artifacts.predictions import Predictions

# How many times longer than a look-up a model must take for one row, so that caching its rows is worthwhile.
WORTHWHILE = 50.0
_ROUNDS = 3
_LOOKUPS = 200

Predict: TypeAlias = Callable[[list[Sequence[Any]]], Predictions]
"""The model, called with rows of native values."""


class RowCache:
    """
    The predictions of one version of one model, row by row; the least recently used are evicted.

    The cache belongs to the version and is dropped with it, so no prediction outlives a change of models. A cached row
    was predicted together with other rows than those of the present call, and is equal in the sense of
    docs/artifacts.md.
    """

    def __init__(self, rows: int) -> None:
        self._cached: LRUCache[Hashable, tuple[Any, Any]] = LRUCache(rows)
        # A call that has passed its deadline may return while the next one runs.
        self._lock = Lock()

    def predict(self, rows: Sequence[Sequence[Any]], predict: Predict) -> tuple[Predictions, int]:
        """
        Predict rows; those that are not cached are predicted in one call, each of them once.

        Args:
            rows: Native values in the model's order.
            predict: Predicts those that are not cached.

        Returns:
            The predictions for all rows, and the number of rows that the model was not called for.
        """
        keys = list(map(_key, rows))
        with self._lock:
            results = {key: self._cached[key] for key in keys if key in self._cached}
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in results}
        if new:
            predicted = dict(zip(new, _per_row(predict(list(new.values()))), strict=True))
            with self._lock:
                self._cached.update(predicted)
            results |= predicted
        values, probabilities = zip(*(results[key] for key in keys), strict=True)
        stacked = None if probabilities[0] is None else np.array(probabilities)
        return Predictions(np.array(values), stacked), len(keys) - len(new)


def is_worthwhile(row_s: float) -> bool:
    """
    Return whether caching rows makes a model faster.

    Args:
        row_s: How long the model takes for one row.
    """
    return row_s > WORTHWHILE * lookup_s()


@cache
def lookup_s() -> float:
    """Return how long this machine takes to look up a row of eight numbers, in seconds; measured once."""
    rows, known = RowCache(1), [[0.5 * place + 1 for place in range(8)]]

    def predict(_rows: list[Sequence[Any]]) -> Predictions:
        return Predictions(np.zeros(1, dtype=np.intp), np.full((1, 3), 0.5))

    rows.predict(known, predict)
    return min(repeat(lambda: rows.predict(known, predict), number=_LOOKUPS, repeat=_ROUNDS)) / _LOOKUPS


def _key(row: Sequence[Any]) -> Hashable:
    """Return a key that distinguishes 0.0 from -0.0, though they are equal."""
    # Rows of equal values share a key, 1 and 1.0 included: both are the same number in the model's column.
    return tuple(row) if 0 not in row else (*row, *(str(value) for value in row if value == 0))


def _per_row(predictions: Predictions) -> "zip[tuple[Any, Any]]":
    # As native values: a row of an array would keep the whole array in memory.
    probabilities = predictions.probabilities
    spread = [None] * len(predictions) if probabilities is None else probabilities.tolist()
    return zip(predictions.values.tolist(), spread, strict=True)
