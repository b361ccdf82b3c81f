"""Fitted and held-back rows are never mixed, and are the same in every run."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.validation import check_is_fitted

from train.errors import TooFewRows
from train.fit import Split, cross_validate, fit, split

X = pd.DataFrame({"place": np.arange(50.0)})
Y = pd.Series([0] * 30 + [1] * 20)
AMOUNTS = pd.Series(np.arange(50.0) * 2)


@pytest.fixture
def rows() -> Split:
    """Fifty rows, ten of them held back."""
    return split("classification", X, Y)


@pytest.fixture
def amounts() -> Split:
    """The same rows, each with an amount."""
    return split("regression", X, AMOUNTS)


@pytest.fixture
def in_time() -> Split:
    """The same rows in the order of their time."""
    return split("regression", X, AMOUNTS, in_time=True)


def quiet(folds: Iterable[Any], total: int) -> Iterable[Any]:
    """Progress without output."""
    return folds


def test_each_row_is_in_one_part(rows: Split) -> None:
    """Each row is either fitted on or held back, with its own class."""
    together = pd.concat([rows.X, rows.X_held]).sort_index()

    assert together.equals(X)
    assert pd.concat([rows.y, rows.y_held]).sort_index().equals(Y)


def test_split_keeps_the_classes_in_proportion(rows: Split) -> None:
    """A fifth of each class is held back."""
    assert rows.y_held.value_counts().to_dict() == {0: 6, 1: 4}


def test_split_is_the_same_every_time(rows: Split) -> None:
    """The same data part the same way in every run."""
    again = split("classification", X, Y)

    assert again.X.equals(rows.X)
    assert again.y_held.equals(rows.y_held)


def test_amounts_are_split_by_chance(amounts: Split) -> None:
    """There are no classes to keep in proportion: a fifth of the rows is held back, from everywhere."""
    assert (len(amounts.X), len(amounts.X_held)) == (40, 10)
    assert amounts.y_held.equals(AMOUNTS[amounts.X_held.index])
    assert set(amounts.X_held.index) & set(range(25))
    assert set(amounts.X_held.index) & set(range(25, 50))


@pytest.mark.parametrize(("rows", "held"), [(50, 10), (12, 2), (13, 3)])
def test_the_latest_rows_are_held_back(rows: int, held: int) -> None:
    """In time nothing is shuffled: the last fifth is held back."""
    split_rows = split("classification", X.head(rows), Y.head(rows), in_time=True)

    assert split_rows.X.index.tolist() == list(range(rows - held))
    assert split_rows.y_held.index.tolist() == list(range(rows - held, rows))


@pytest.mark.parametrize("folds", [2, 5])
def test_each_fold_is_scored_once(rows: Split, folds: int) -> None:
    """Each fold has one score, and progress gets the number of folds."""
    heard: list[int] = []

    def listen(parts: Iterable[Any], total: int) -> Iterable[Any]:
        heard.append(total)
        return parts

    scores = cross_validate(DecisionTreeClassifier(random_state=0), rows, folds=folds, progress=listen)

    assert heard == [folds]
    assert len(scores) == folds
    assert all(0.75 <= score <= 1 for score in scores)


def test_amounts_are_scored_by_r2(amounts: Split) -> None:
    """A regressor's folds are scored by R²: a tree that may grow is close, and one that may not is not."""
    close = cross_validate(DecisionTreeRegressor(random_state=0), amounts, folds=5, progress=quiet)
    blunt = cross_validate(DecisionTreeRegressor(max_depth=1), amounts, folds=5, progress=quiet)

    assert min(close) > 0.95
    assert max(blunt) < 0.9


def test_in_time_each_fold_is_later_than_its_training_rows(in_time: Split) -> None:
    """A tree cannot extrapolate, so that every later fold of growing numbers scores worse than a guess."""
    scores = cross_validate(DecisionTreeRegressor(random_state=0), in_time, folds=4, progress=quiet)

    assert len(scores) == 4
    assert max(scores) < 0


def test_cross_validation_leaves_the_estimator_unfitted(rows: Split) -> None:
    """Each fold fits a clone, so nothing of a fold reaches the model that is published."""
    estimator = DecisionTreeClassifier(random_state=0)

    cross_validate(estimator, rows, folds=2, progress=quiet)

    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


def test_more_folds_than_rows_of_a_class_are_refused(rows: Split) -> None:
    """The rarest class must be in every fold; the message has its number of rows."""
    with pytest.raises(TooFewRows, match="has 16 rows to learn from, too few for 17 folds") as refused:
        cross_validate(DecisionTreeClassifier(), rows, folds=17, progress=quiet)

    assert (refused.value.rows, refused.value.folds) == (16, 17)


@pytest.mark.parametrize("fixture", ["amounts", "in_time"])
def test_more_folds_than_rows_are_refused(request: pytest.FixtureRequest, fixture: str) -> None:
    """Without classes, all rows except one can be a fold each."""
    with pytest.raises(TooFewRows, match="has 39 rows to learn from, too few for 40 folds"):
        cross_validate(DecisionTreeRegressor(), request.getfixturevalue(fixture), folds=40, progress=quiet)


def test_fit_uses_only_rows_that_are_not_held_back(rows: Split) -> None:
    """The fitted estimator has seen each other row, and knows the columns by name."""
    fitted = fit(DecisionTreeClassifier(random_state=0), rows)

    assert fitted.tree_.n_node_samples[0] == len(rows.X) == 40
    assert fitted.feature_names_in_.tolist() == ["place"]
