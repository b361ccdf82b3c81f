"""Rows on every threshold of every tree, however many columns there are."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

from train.compile.thresholds import Adversarial, _splits

CHANCE = np.random.default_rng(0)


def _rows(model: Any, base: NDArray[Any], *, nulls: bool) -> NDArray[np.float64]:
    return np.concatenate(list(Adversarial(model, None, base, nulls=nulls)))


def _met(model: Any, rows: NDArray[np.float64]) -> Iterator[tuple[float, set[float]]]:
    """Each threshold, and the values with which rows come to its split."""
    for tree in _splits(model, None):
        pending = [(0, rows)]
        while pending:
            node, here = pending.pop()
            if tree.left[node] < 0:
                continue
            values, threshold = here[:, tree.columns[node]], tree.thresholds[node]
            yield float(threshold), set(values.tolist())
            pending += [(tree.left[node], here[values <= threshold]), (tree.right[node], here[values > threshold])]


@pytest.mark.parametrize("columns", [3, 300])
@pytest.mark.parametrize(
    "model",
    [RandomForestClassifier(8, random_state=0), HistGradientBoostingClassifier(max_iter=8, min_samples_leaf=3)],
    ids=["forest", "histograms"],
)
def test_rows_reach_every_split_with_every_value_around_its_threshold(model: Any, columns: int) -> None:
    """Each split is reached on, just below and just above its threshold, even if splits share a row."""
    X = CHANCE.normal(size=(80, columns))
    model.fit(X, X[:, 0] + X[:, 1] * X[:, 2] > 0)

    rows = _rows(model, X[:5], nulls=False)

    for threshold, values in _met(model, rows):
        assert {threshold, np.nextafter(threshold, -np.inf), np.nextafter(threshold, np.inf)} <= values


def test_a_null_comes_to_every_split_where_the_model_takes_one() -> None:
    """A split that sends nulls to the other side is found out."""
    X = CHANCE.normal(size=(80, 4))
    model = HistGradientBoostingClassifier(max_iter=2, min_samples_leaf=3).fit(X, X[:, 0] > 0)

    rows = _rows(model, X[:5], nulls=True)

    split = {int(tree.columns[0]) for tree in _splits(model, None)}
    assert all(np.isnan(rows[:, column]).any() for column in split)


def test_the_number_of_rows_depends_on_the_most_used_column() -> None:
    """Splits whose paths have no column in common share a row: a wide table needs few rows."""
    X = CHANCE.normal(size=(60, 500))
    model = RandomForestClassifier(50, max_features=1, max_depth=2, random_state=0).fit(X, X[:, 0] > 0)

    rows = _rows(model, X[:5], nulls=False)

    splits = sum(int((tree.columns >= 0).sum()) for tree in _splits(model, None))
    assert len(rows) < 6 * splits / 10
