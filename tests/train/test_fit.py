"""Rows that teach and rows that judge never mix, and are the same every time."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.tree import DecisionTreeClassifier
from sklearn.utils.validation import check_is_fitted

from train.errors import TooFewRows
from train.fit import Split, cross_validate, fit, split

X = pd.DataFrame({"place": np.arange(50.0)})
Y = pd.Series([0] * 30 + [1] * 20)


@pytest.fixture
def rows() -> Split:
    """Fifty rows, ten of them held back."""
    return split(X, Y)


def quiet(folds: Iterable[Any], total: int) -> Iterable[Any]:
    """Progress that nobody watches."""
    return folds


def test_split_parts_every_row_once(rows: Split) -> None:
    """Each row is either learnt from or held back, with its own class."""
    together = pd.concat([rows.X, rows.X_held]).sort_index()

    assert together.equals(X)
    assert pd.concat([rows.y, rows.y_held]).sort_index().equals(Y)


def test_split_keeps_the_classes_in_proportion(rows: Split) -> None:
    """A fifth of each class is held back."""
    assert rows.y_held.value_counts().to_dict() == {0: 6, 1: 4}


def test_split_is_the_same_every_time(rows: Split) -> None:
    """The same data part the same way in every run."""
    again = split(X, Y)

    assert again.X.equals(rows.X)
    assert again.y_held.equals(rows.y_held)


@pytest.mark.parametrize("folds", [2, 5])
def test_each_fold_is_scored_once(rows: Split, folds: int) -> None:
    """A tree that can know the answer gets a number a fold, and progress hears how many are to come."""
    heard: list[int] = []

    def listen(parts: Iterable[Any], total: int) -> Iterable[Any]:
        heard.append(total)
        return parts

    scores = cross_validate(DecisionTreeClassifier(random_state=0), rows, folds=folds, progress=listen)

    assert heard == [folds]
    assert len(scores) == folds
    assert all(0.75 <= score <= 1 for score in scores)


def test_cross_validation_leaves_the_estimator_unfitted(rows: Split) -> None:
    """Each fold fits a clone, so nothing of a fold reaches the model that is published."""
    estimator = DecisionTreeClassifier(random_state=0)

    cross_validate(estimator, rows, folds=2, progress=quiet)

    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)


def test_more_folds_than_rows_of_a_class_are_refused(rows: Split) -> None:
    """The rarest class must be in every fold; the message says how many rows it has."""
    with pytest.raises(TooFewRows, match="has 16 rows to learn from, too few for 17 folds") as refused:
        cross_validate(DecisionTreeClassifier(), rows, folds=17, progress=quiet)

    assert (refused.value.rows, refused.value.folds) == (16, 17)


def test_fit_learns_from_the_other_rows_alone(rows: Split) -> None:
    """The fitted estimator has seen each row that is not held back, and knows the columns by name."""
    fitted = fit(DecisionTreeClassifier(random_state=0), rows)

    assert fitted.tree_.n_node_samples[0] == len(rows.X) == 40
    assert fitted.feature_names_in_.tolist() == ["place"]
