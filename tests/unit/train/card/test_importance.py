"""Permutation importance on held-back rows, within a limit of time."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from tests.support.cards import numbers
from tests.support.published import model_of
from train.card import importance
from train.card.figures import CannotDraw
from train.card.importance import REPEATS, ROWS, importance_of
from train.card.predictions import HeldBackPredictions
from train.held_back import HeldBack

X = pd.DataFrame(numbers(300), columns=["none", "much", "some"])
NUMBER = 5 * X["much"] + X["some"]


def held_back(estimator: Any, X: pd.DataFrame, y: Any) -> HeldBackPredictions:
    """Fit the estimator, and predict the same rows."""
    model, rows = model_of(estimator.fit(X, y), X)
    return HeldBackPredictions.of(model, HeldBack(rows, np.asarray(y)))


def test_columns_are_sorted_by_importance() -> None:
    """The column that matters most is first, and one that the target does not depend on is last, near zero."""
    found = importance_of(held_back(LinearRegression(), X, NUMBER), limit_s=60)

    assert found.score == "r2"
    assert found.columns == ["much", "some", "none"]
    assert found.means[0] > found.means[1] > 0.01
    assert found.means[2] == pytest.approx(0, abs=1e-9)
    assert (found.rows, found.repeats) == (300, REPEATS)


def test_a_classifier_is_scored_by_accuracy() -> None:
    """The score of a classifier is its accuracy, and the same rows have the same importance."""
    held = held_back(LogisticRegression(), X, NUMBER > 0)

    first, second = (importance_of(held, limit_s=60) for _ in range(2))

    assert first.score == "accuracy"
    assert first.columns[0] == "much"
    assert first.means.tolist() == second.means.tolist()


@pytest.mark.parametrize("some", [X[:1], X[["much"]]], ids=["one row", "one column"])
def test_it_needs_two_rows_and_two_columns(some: pd.DataFrame) -> None:
    """With one row or one column there is nothing to compare."""
    with pytest.raises(CannotDraw, match="at least two held-back rows and two columns"):
        importance_of(held_back(LinearRegression(), some, NUMBER[: len(some)]))


@pytest.mark.parametrize(
    ("seconds", "rows", "repeats"), [((0.1, 0.1), 300, 5), ((0.5, 0.4), 300, 2), ((3.0, 2.0, 0.4, 0.4), 200, 2)]
)
def test_a_slow_model_is_measured_less_often_or_on_fewer_rows(
    seconds: tuple[float, ...], rows: int, repeats: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The faster of two calls decides how often columns are shuffled; fewer rows are the last resort."""
    clock = iter(np.cumsum([0.0, *(step for each in seconds for step in (each, 0.0))]).tolist())
    monkeypatch.setattr(importance, "perf_counter", lambda: next(clock))

    found = importance_of(held_back(LinearRegression(), X, NUMBER), limit_s=2.5)

    assert ROWS[1] == 200
    assert (found.rows, found.repeats) == (rows, repeats)


def test_without_time_it_is_not_measured() -> None:
    """The reason has the number of columns and the limit."""
    with pytest.raises(CannotDraw, match=r"3 columns at .* longer than the limit of 0 s"):
        importance_of(held_back(LinearRegression(), X, NUMBER), limit_s=0)
